-- A night job: one row of output for each row of input. It may be killed at any time: the same command goes on.
--
--   moonrill run --mock --job night examples/night_job.lua
--   moonrill run --job night examples/night_job.lua questions.jsonl answers.jsonl
--
-- A row of input is a JSON object with "id" and "text". Without arguments it makes a file with ten rows.
local llm = require "llm"

local input, output = arg[1], arg[2]
if not input or not output then
  -- A step runs once: a resumed job finds the same names.
  input = llm.step("make the input", function()
    local path = os.tmpname()
    local rows <close> = llm.jsonl.writer { path = path, key = "id" }
    for number = 1, 10 do rows:write { id = number, text = "the number " .. number } end
    return path
  end)
  output = input .. ".answers"
end

local client = llm.client { system = "Answer in one sentence." }
local rows <close> = llm.jsonl.writer { path = output, key = "id" }

local function answer(item)
  if rows:has(item.id) then return true end
  if type(item.text) ~= "string" then return nil, "has no text" end
  local reply, err = client:ask(item.text)
  if not reply then return nil, err end
  rows:write { id = item.id, answer = reply.text }
  return true
end

local items = {}
for item in llm.jsonl.read(input) do items[#items + 1] = item end
-- A bad row does not stop the others.
local results, errors = llm.flow.map(items, answer, { limit = 4, keep_going = true })
local failed = 0
for index, item in ipairs(items) do
  if not (results and results[index]) then
    failed = failed + 1
    io.stderr:write("row ", tostring(item.id), ": ", tostring(results and errors and errors[index] or errors), "\n")
  end
end
print(#items - failed .. " of " .. #items .. " rows in " .. output)
-- The job stays open, and the next run asks the failed rows again.
if failed > 0 then os.exit(1, true) end
