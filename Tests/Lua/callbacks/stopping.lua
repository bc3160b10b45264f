-- Stopping a request from its callbacks.
local llm = require "llm"
local simulator = require "simulator"
local client, count, fault = simulator.client(), simulator.count, simulator.fault

--# false from on_token ends the request with the text delivered so far
local n, got = 0, ""
local reply = assert(client:ask("hi", {
  headers = count("inf"),
  on_token = function(t) n = n + 1 got = got .. t if n == 2 then return false end end,
  on_finish = function(r) print(got) print(r.finish_reason) print("finish " .. r.text) end,
  on_error = function() print("never") end,
}))
--> tok1 tok2\s
--> cancelled
--> finish tok1 tok2\s
print(reply.text) --> tok1 tok2\s
print(n) --> 2

--# false from every event callback ends the request
local c = llm.client { headers = count("inf") }
for _, name in ipairs { "on_token", "on_event", "on_chunk" } do
  print(assert(c:ask("hi", { [name] = function() return false end })).finish_reason)
end
--> cancelled
--> cancelled
--> cancelled
local reasoner = llm.client { model = "moonrill-reasoner" }
print(assert(reasoner:ask("Tell me of the moon", { on_reasoning = function() return false end })).finish_reason)
--> cancelled

--# a stopped or cancelled reply holds the delivered text, even if more has arrived
local stopped, cancelled = 0, 0
for _ = 1, 50 do
  local n, call = 0, nil
  local reply = assert(client:ask("hi", { on_token = function() n = n + 1 return n < 2 end }))
  if reply.finish_reason == "cancelled" and reply.text == "tok1 tok2 " and n == 2 then stopped = stopped + 1 end
  n = 0
  call = client:start("hi", { on_token = function() n = n + 1 if n == 2 then call:cancel() end end })
  local reply, err = call:wait()
  if err and err.kind == "cancelled" and err.partial.text == "tok1 tok2 " then cancelled = cancelled + 1 end
end
print("cancelled tok1 tok2", stopped) --> cancelled tok1 tok2 50
print("cancelled tok1 tok2", cancelled) --> cancelled tok1 tok2 50

--# the end callback runs once, whatever it does
local function times(make, options)
  local n = 0
  options = options or {}
  options.on_finish = make(function() n = n + 1 end)
  options.on_error = options.on_finish
  call = client:start("hi", options)
  local reply, err = call:wait()
  print(n, reply and reply.finish_reason or err.kind)
end
times(function(count) return function() count() return false end end) --> 1 stop
times(function(count) return function() count() call:cancel() end end) --> 1 stop
times(function(count) return function() --> 1 stop
  count()
  llm.spawn(function() call:cancel() end)
  llm.sleep(0.01)
end end)
times(function(count) return function() count() call:cancel() return false end end, { headers = fault("401") })
--> 1 auth
times(function(count) return count end, { on_event = function(e) if e.type == "finish" then return false end end })
--> 1 stop

--# stopping closes the connection
--: aborted = 1
client:ask("hi", { headers = count("inf"), on_token = function() return false end })

--# a slow callback slows the server down
-- What the socket and the buffers hold is far below what an unhindered server would have sent.
local n = 0
local reply = assert(client:ask("hi", { headers = count("inf"), on_token = function()
  n = n + 1
  if n % 100 == 0 then llm.sleep(0.01) end
  return n < 2000
end }))
print(reply.finish_reason, n) --> cancelled 2000
print(require("host").events() < 100000) --> true
