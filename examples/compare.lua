-- Compares providers by the median time to the first token. All are asked concurrently, each three times.
--
--   moonrill run --mock examples/compare.lua
--   OPENAI_API_KEY=... DEEPSEEK_API_KEY=... moonrill run examples/compare.lua openai deepseek
local llm = require "llm"

local names = #arg > 0 and arg or { "openai", "anthropic", "gemini" }
local TIMES = 3

local function measure(name)
  local client = llm.client { provider = name }
  local times = {}
  for n = 1, TIMES do
    local reply, err = client:ask("Say hello.", { max_tokens = 16 })
    if not reply then return nil, err end
    if not reply.timing.first_token then return nil, "it answered without a token" end
    times[n] = reply.timing.first_token
  end
  table.sort(times)
  return { name = name, median = times[(TIMES + 1) // 2] }
end

local results, errors = llm.flow.map(names, measure, { keep_going = true })
assert(results, errors)
local ranked = {}
for _, result in pairs(results) do
  if result then ranked[#ranked + 1] = result end
end
table.sort(ranked, function(a, b) return a.median < b.median end)
for place, result in ipairs(ranked) do print(string.format("%d. %-12s %.3f s", place, result.name, result.median)) end
for index, name in ipairs(names) do
  if errors[index] then print(name .. " failed: " .. tostring(errors[index])) end
end
