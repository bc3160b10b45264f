-- Measures the cost of combinators with chains of steps that do nothing. Prints name, count and seconds.
local llm = require "llm"
local flow = llm.flow

local function measure(name, count, run)
  run()  -- warm-up
  local before = llm.now()
  run()
  print(name, count, string.format("%.6f", llm.now() - before))
end

local steps = {}
for index = 1, 10000 do steps[index] = function(value) return value end end
local chain = flow.seq(table.unpack(steps))
measure("seq of 10,000 empty steps", 10000, function() chain(1) end)

local items = {}
for index = 1, 10000 do items[index] = index end
measure("map over 10,000 immediate functions", 10000, function() flow.map(items, function(n) return n end) end)

local one = flow.seq(function(value) return value end)
measure("10,000 scopes, one after the other", 10000, function() for _ = 1, 10000 do one(1) end end)
measure("10,000 tasks in races of two", 10000, function()
  local race = flow.race { function() return 1 end, function() return 2 end }
  for _ = 1, 5000 do race() end
end)
