-- Cancelled tasks: their results, cleanup in __close, and llm.shield.
local llm = require "llm"
local simulator = require "simulator"
local client, count = simulator.client(), simulator.count

-- A guard whose __close waits and sends a request, and a step that is cancelled while it sleeps.
local function guard(name)
  return setmetatable({}, { __close = function()
    print(name, "begins") llm.sleep(0.01) print(name, client:ask("bye").text) end })
end
local function work() local g <close> = guard("work") llm.sleep(60) end
local function soon(...) llm.sleep(0.02) return ... end

--# wait returns nil and the error for a cancelled task
local task = llm.spawn(function()
  local guard <close> = setmetatable({}, { __close = function() print("closed") end }) --> closed
  llm.sleep(30)
  print("never")
end)
llm.sleep(0.01)
task:cancel()
local result, err = task:wait()
print(result, err.kind) --> nil cancelled
print(task.status) --> cancelled

--# a task cancelled before its start does not run
local task = llm.spawn(function() print("never") end)
task:cancel()
local result, err = task:wait()
print(result, err.kind) --> nil cancelled

--# a cancelled task may clean up, and every further wait raises
local task = llm.spawn(function()
  local ok, err = pcall(llm.sleep, 30)
  print(ok, err.kind) --> false cancelled
  ok, err = pcall(llm.sleep, 30)
  print(ok, err.kind) --> false cancelled
  error(err)
end)
llm.sleep(0.01)
task:cancel()
local result, err = task:wait()
print(result, err.kind) --> nil cancelled

--# cancelling a task closes its request
--: aborted = 1
local task = llm.spawn(function() return client:ask("hi", { headers = count("inf"), on_token = function() seen = true end }) end)
while not seen do llm.sleep(0.002) end
task:cancel()
print(select(2, task:wait()).kind) --> cancelled

--# __close may wait, however the task is cancelled
--: each_line = true
--> work begins
--> work tok1 tok2 tok3\s
local t = llm.spawn(work) llm.sleep(0.02) t:cancel() t:wait()
llm.flow.race { work, soon }(1)
llm.flow.all { a = work, b = function() return soon(nil, 'failed') end }(1)
llm.flow.timeout(0.02, work)(1)
llm.flow.hedge(work, soon, { after = 0 })(1)
llm.flow.map({ 1, 2 }, function(n) if n == 1 then return work() end return soon(nil, 'failed') end)
llm.flow.timeout(0.02, llm.flow.vote(work, { n = 1 }))(1)
llm.flow.timeout(0.02, llm.flow.seq(llm.flow.all { a = work }))(1)
llm.flow.timeout(0.02, function() local g <close> = guard('work') coroutine.wrap(function() llm.sleep(60) end)() end)(1)
llm.flow.timeout(0.02, function() local g <close> = guard('work') local ok, err = pcall(llm.sleep, 60) error(err, 0) end)(1)
llm.flow.timeout(0.02, function() do local g <close> = guard('work') pcall(llm.sleep, 60) end end)(1)
llm.flow.timeout(0.1, function() client:ask('x', { on_token = work }) end)(1)
llm.spawn(work) soon() error('main') --! main

--# nested guards close in order
local t = llm.spawn(function()
  local a <close> = guard("outer")
  local ok, err = pcall(function() local b <close> = guard("inner") llm.sleep(60) end)
  print(ok, err.kind)
  print(pcall(llm.sleep, 0))
end)
llm.sleep(0.02)
t:cancel()
print(t:wait())
--> inner begins
--> inner tok1 tok2 tok3\s
--> false cancelled
--> false the task was cancelled
--> outer begins
--> outer tok1 tok2 tok3\s
-->

--# the cleanup of a cancelled task has a time limit
local began
local t = llm.spawn(function()
  local a <close> = setmetatable({}, { __close = function() print("a", pcall(llm.sleep, 60)) end })
  local b <close> = setmetatable({}, { __close = function() began = llm.now() llm.sleep(60) end })
  llm.sleep(60)
end)
llm.sleep(0.02)
t:cancel()
t:wait() --> a false the task was cancelled
local took = llm.now() - began
print(took >= 4.9 and took < 20) --> true

--# a shielded block continues, and the first wait after it raises
local t = llm.spawn(function()
  local g <close> = setmetatable({}, { __close = function() llm.sleep(0.001) print("closed") end })
  llm.shield(function()
    llm.sleep(0.05)
    print("inside")
    print(client:ask("x"))
    print(llm.spawn(function() llm.sleep(0.01) return "child" end):wait())
  end)
  llm.sleep(0)
  print("never")
end)
llm.sleep(0.01)
t:cancel()
local result, err = t:wait()
print(result, err.kind)
--> inside
--> tok1 tok2 tok3\s
--> child
--> closed
--> nil cancelled

--# llm.shield returns the results of its function and raises its errors
print(llm.shield(function(...) return ... end, 1, nil, 3)) --> 1 nil 3
print(pcall(llm.shield, function() error("broken") end)) --@ broken
--> false @broken: broken
llm.sleep(0)

--# llm.shield holds inside a combinator that ends
print(llm.flow.race {
  function() llm.shield(function() llm.sleep(0.05) print("saved", client:ask("x").text) end) end,
  function() llm.sleep(0.01) return "won" end,
}(1))
--> saved tok1 tok2 tok3\s
--> won

--# tasks spawned inside llm.shield end with it
local t
llm.shield(function() t = llm.spawn(llm.sleep, 60) end)
local result, err = t:wait()
print(result, err.kind) --> nil cancelled

--# a task that catches its cancellation again and again is ended
--: log = caught its cancellation 100 times
--: log = @loop
local rounds = 0
local t = llm.spawn(function() while true do rounds = rounds + 1 pcall(llm.sleep, 0.001) end end) --@ loop
llm.sleep(0.01)
t:cancel()
local before = rounds
local result, err = t:wait()
print(result, err.kind, rounds - before <= 102) --> nil cancelled true

--# an error in the cleanup of a cancelled task is logged
--: log = the cleanup of a cancelled task failed: @unsaved: not saved
local t = llm.spawn(function()
  local g <close> = setmetatable({}, { __close = function() error("not saved") end }) --@ unsaved
  llm.sleep(60)
end)
llm.sleep(0.01)
t:cancel()
print(t.status == "cancelled" or t.status == "ready", select("#", t:wait())) --> true 2
