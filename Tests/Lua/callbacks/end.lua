-- What scripts do while the last event of a request is delivered: the request ends all the same.
local llm = require "llm"
local simulator = require "simulator"
local client = simulator.client()

--# a pause in the last event has no effect
local call
call = client:start("hi", {
  on_event = function(e) if e.type == "finish" then call:pause() end end,
  on_finish = function() print("finish") end,
})
print("main")
--> main
--> finish

--# a loop may be left while on_finish waits
local inside, over = false, false
local task = llm.spawn(function()
  local on_finish = function()
    inside = true
    llm.shield(llm.sleep, 0.05)
    over = true
  end
  for _ in client:stream("hi", { on_finish = on_finish }) do end
end)
while not inside do llm.sleep(0.001) end
task:cancel()
while not over do llm.sleep(0.001) end
print(over) --> true
