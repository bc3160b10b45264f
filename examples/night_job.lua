-- A night job: one row of output for each row of input. It may be killed at any time: the same command goes on.
--
--   moonrill run --mock --job night examples/night_job.lua
--   moonrill run --job night examples/night_job.lua questions.jsonl answers.jsonl
--
-- A row of input is a JSON object with "id" and "text". Without arguments it makes ten rows and a folder for them.
local llm = require "llm"

local input, output = arg[1], arg[2]
if not input then
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
  local reply, err = client:ask(item.text)
  if not reply then return nil, err end
  rows:write { id = item.id, answer = reply.text }
  return true
end

local items = {}
for item in llm.jsonl.read(input) do items[#items + 1] = item end
assert(llm.flow.map(items, answer, { limit = 4 }))

local count = 0
for _ in llm.jsonl.read(output) do count = count + 1 end
print(count .. " rows in " .. output)
