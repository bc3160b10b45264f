-- A long document, summarised: its parts side by side (map), then their summaries into one (reduce).
--
--   moonrill run --mock examples/summarize.lua
--   moonrill run examples/summarize.lua book.txt
local llm = require "llm"

local path = arg[1] or "README.md"
local parts, part = {}, {}
for line in io.lines(path) do
  part[#part + 1] = line
  if #part == 60 then parts[#parts + 1], part = table.concat(part, "\n"), {} end
end
if #part > 0 then parts[#parts + 1] = table.concat(part, "\n") end

local client = llm.client { system = "Summarise in two sentences." }
local function summary(text) return client:ask(text) end

local summaries = assert(llm.flow.map(parts, summary, {
  on_progress = function(done, total) io.write("\r", done, " of ", total, " parts") end,
}))
for index, reply in ipairs(summaries) do summaries[index] = reply.text end
print("\n\n" .. tostring(assert(summary(table.concat(summaries, "\n\n")))))
