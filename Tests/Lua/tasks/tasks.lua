-- Tasks: llm.spawn, waits, results and the end of a script.
local llm = require "llm"
local simulator = require "simulator"
local client, count = simulator.client(), simulator.count

--# wait returns what the task returned
local task = llm.spawn(function(a, b) llm.sleep(0.001) return a + b, nil, "x" end, 1, 2)
print(task:wait()) --> 3 nil x
print(task.status) --> done
print(task:wait()) --> 3 nil x

--# tasks run concurrently
local before = llm.now()
local tasks = {}
for i = 1, 50 do tasks[i] = llm.spawn(llm.sleep, 0.1) end
for _, task in ipairs(tasks) do task:wait() end
print(llm.now() - before < 2) --> true

--# sleepers wake in the order of their times
local out = {}
for _, n in ipairs { 3, 1, 4, 2 } do llm.spawn(function() llm.sleep(n * 0.02) print(n) end) end
--> 1
--> 2
--> 3
--> 4

--# sleepers of equal times wake in the order of their calls
local order, tasks = {}, {}
for n = 1, 5 do tasks[n] = llm.spawn(function() llm.sleep(0) order[#order + 1] = n end) end
for _, t in ipairs(tasks) do t:wait() end
print(table.concat(order, " ")) --> 1 2 3 4 5

--# wait raises what the task raised
local task = llm.spawn(function() llm.sleep(0.001) error({ code = 7 }) end)
local ok, err = pcall(task.wait, task)
print(ok, err.code) --> false 7
print(task.status) --> failed
local ok, err = pcall(task.wait, task)
print(ok, err.code) --> false 7

--# wrong uses of tasks raise errors
local own
own = llm.spawn(function() local ok, m = pcall(own.wait, own) print(m) end)
own:wait() --> ...cannot wait for itself...
own = llm.spawn(function() local ok, m = pcall(own.cancel, own) print(m) end)
own:wait() --> ...cannot cancel itself...
local ok, m = pcall(llm.spawn, 5)
print(m) --> ...llm.spawn takes a function, not 5...
local ok, m = pcall(function() table.sort({ 1, 2, 3 }, function(a, b) llm.sleep(0) return a < b end) end)
print(m) --> ...cannot wait inside a function called by 'sort'...

--# a wait may stand inside pcall, __close and iterators
local function iter(_, n) llm.sleep(0.001) if (n or 0) < 3 then return (n or 0) + 1 end end
for n in iter do print(n) end
--> 1
--> 2
--> 3
do local guard <close> = setmetatable({}, { __close = function() llm.sleep(0.001) print("closed") end }) end
--> closed
print(xpcall(function() llm.sleep(0.001) end, debug.traceback)) --> true

--# llm.now and llm.time
local a = llm.now() llm.sleep(0.02)
print(llm.now() - a >= 0.02) --> true
print(math.abs(llm.time() - os.time()) < 3) --> true

--# a script ends after its tasks
llm.spawn(function() llm.sleep(0.02) print('task') end) print('main')
--> main
--> task

--# an error that nobody waits for fails the script
llm.spawn(function()
  error("lost") --@ lost
end)
print("main") --> main
--! @lost: lost
--! @lost: in function
--: log = lost

--# an error of the main chunk cancels tasks and requests
--: aborted = 2
--: time_limit = 10
local seen = {}
local function endless(name)
  return { headers = count("inf"), on_token = function() seen[name] = true end,
    on_error = function(err) print(err.kind) end }
end
llm.spawn(function() llm.sleep(30) print("never") end)
llm.spawn(function() client:ask("hi", endless("asked")) end)
client:start("hi", endless("started"))
while not (seen.asked and seen.started) do llm.sleep(0.002) end
error("main failed") --! main failed
--> cancelled
--> cancelled

--# a deadlock is an error
--: each_line = true
--: time_limit = 10
--! nothing can go on
local a, b a = llm.spawn(function() b:wait() end) b = llm.spawn(function() a:wait() end) a:wait()
local call call = client:start('hi', { on_token = function() call:pause() end }) call:wait()
local a, b a = llm.spawn(function() b:wait() end) b = llm.spawn(function() a:wait() end)
--: log = nothing can go on
local a, b a = client:start('hi', { on_token = function() b:wait() end }) b = client:start('hi', { on_token = function() a:wait() end })
--: log = nothing can go on
local a, t t = llm.spawn(function() a:wait() end) a = client:start('hi', { on_token = function() t:wait() end }) a:wait()

--# a traceback crosses coroutines
local function inner() llm.sleep(0.001) local x = nil; return x.field end --! attempt to index a nil value (local 'x')
local function outer()
  inner() --@ inner
  print("x")
end
outer() --@ outer
--! @inner: in\s
--! @outer: in main chunk

--# tasks that nobody refers to are freed
local function round(n)
  local over = 0
  for _ = 1, n do
    llm.spawn(function()
      local guard <close> = setmetatable({}, { __close = function() over = over + 1 end })
      llm.sleep(0)
      return string.rep("x", 1000) .. math.random()
    end)
  end
  while over < n do llm.sleep(0) end
  -- The scheduler holds the tasks of a round until the round is over, and the last ones end in this one.
  llm.sleep(0)
  collectgarbage() collectgarbage()
  return collectgarbage("count")
end
round(100)
local before = round(100)
local after = round(2000)
print(after - before < 500) --> true
