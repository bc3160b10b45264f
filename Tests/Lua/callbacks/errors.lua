-- Errors raised in callbacks: whom they reach, and their tracebacks.
local llm = require "llm"
local simulator = require "simulator"
local client, count = simulator.client(), simulator.count
local reasoner = llm.client { model = "moonrill-reasoner" }
local function deep() error("no good") end --@ deep
local function ask(name)
  reasoner:ask("hi", { --@ ask
    [name] = function() deep() end, --@ callback
  })
end
local function caught(name)
  local ok, message = pcall(reasoner.ask, reasoner, "hi", { [name] = function() error("no good") end }) --@ caught
  print(ok)
  print(message)
end

--# an error in a callback fails the script with the callback's own traceback
--: each_line = true
--: whole_error = true
--! @deep: no good
--! stack traceback:
--! [C]: in function 'error'
--! @deep: in upvalue 'deep'
--! @callback: in function <@callback>
--! waited for at @ask
ask "on_token"
ask "on_reasoning"
ask "on_event"
ask "on_usage"
ask "on_chunk"
ask "on_finish"

--# a caught error of a callback holds its traceback
--: each_line = true
--> false
--> @caught: no good
--> stack traceback:
-->  [C]: in function 'error'
-->  @caught: in function <@caught>
caught "on_token"
caught "on_reasoning"
caught "on_event"
caught "on_usage"
caught "on_chunk"
caught "on_finish"

--# a table raised in a callback keeps its traceback through every wait
--: whole_error = true
local mine = setmetatable({}, { __tostring = function() return "mine" end })
local task = llm.spawn(function()
  client:ask("hi", { on_token = function() error(mine) end }) --@ raise
end)
task:wait() --@ wait
--! mine
--! stack traceback:
--! [C]: in function 'error'
--! @raise: in function <@raise>
--! waited for at @raise
--! waited for at @wait

--# an error in a callback cancels the request and can be caught
--: aborted = 3
local ok, message = pcall(client.ask, client, "hi", { headers = count("inf"),
  on_token = function() error({ code = 7 }) end,
  on_finish = function() print("never") end })
print(ok, message.code) --> false 7
local call = client:start("hi", { headers = count("inf"), on_token = function() error("own") end })
local ok, message = pcall(call.wait, call)
print(ok, message:match("own")) --> false own
local ok, err = pcall(function() for e in client:stream("hi", { headers = count("inf"),
  on_token = function() error("pulled") end }) do end end)
print(ok, err:match("pulled")) --> false pulled

--# an error in a callback of a background request fails the script
--: whole_error = true
--: log = a callback failed and nobody waited for its request: @background: lost
client:start("hi", { on_token = function() error("lost") end }) --@ background
--! @background: lost
--! stack traceback:
--! [C]: in function 'error'
--! @background: in function <@background>
