-- Summarizes a long document: first its parts, concurrently, then the summaries of the parts.
--
--   moonrill run --mock examples/summarize.lua
--   moonrill run examples/summarize.lua book.txt
local llm = require "llm"

local path = arg[1] or "README.md"
local parts, part = {}, {}
for line in io.lines(path) do
  part[#part + 1] = line
  if #part == 60 then
    parts[#parts + 1] = table.concat(part, "\n")
    part = {}
  end
end
if #part > 0 then parts[#parts + 1] = table.concat(part, "\n") end

local client = llm.client { system = "Summarize in two sentences." }
local function summary(text)
  local reply, err = client:ask(text)
  if not reply then return nil, err end
  return reply.text
end

local summaries = assert(llm.flow.map(parts, summary, {
  on_progress = function(done, total) print(done .. " of " .. total .. " parts") end,
}))
local whole = assert(summary(table.concat(summaries, "\n\n")))
print("\n" .. whole)
