-- Callbacks: their order, what they receive, and what they may do.
local llm = require "llm"
local simulator = require "simulator"
local client, count = simulator.client(), simulator.count

--# on_finish runs last
local order, text = "", ""
client:ask("hi", {
  on_token = function(t, event)
    assert(event.type == "token" and event.text == t)
    order = order .. "t"
    text = text .. t
  end,
  on_finish = function(reply) assert(reply.text == text) print(order) print(text) order = "over" print("finish") end,
  on_error = function() print("error") end,
  on_event = function(event) assert(order ~= "over") end,
})
--> ttt
--> tok1 tok2 tok3\s
--> finish

--# callbacks, on_event and a loop receive events in the same order
local c = llm.client {}
local function key(event) return event.type .. ":" .. tostring(event.text) end
local pushed, pulled, called = {}, {}, {}
c:ask("Tell me a story", { on_event = function(e) pushed[#pushed + 1] = key(e) end })
for e in c:stream("Tell me a story") do pulled[#pulled + 1] = key(e) end
c:ask("Tell me a story", {
  on_token = function(t) called[#called + 1] = "token:" .. t end,
  on_reasoning = function(t) called[#called + 1] = "reasoning:" .. t end,
})
print(table.concat(pushed, "\n") == table.concat(pulled, "\n")) --> true
local texts = {}
for _, k in ipairs(pulled) do if k:find("^token:") or k:find("^reasoning:") then texts[#texts + 1] = k end end
print(#texts > 3 and table.concat(texts, "\n") == table.concat(called, "\n")) --> true
print(pulled[1]:find("^start") ~= nil and pulled[#pulled]:find("^finish") ~= nil) --> true

--# in a loop with callbacks the callback runs first, and the end callback once
local log = ""
for e in client:stream("hi", { on_token = function() log = log .. "t" end,
  on_finish = function() log = log .. "F" end, on_error = function() log = log .. "E" end }) do
  if e.type == "token" then log = log .. "p" end
end
print(log:sub(1, 6)) --> tptptp
print(log:sub(7, 7)) --> F
print(#log == 7) --> true

--# a callback may wait and send requests
local log = ""
client:ask("outer", { on_token = function(t)
  llm.sleep(0.005)
  local inner = assert(client:ask("inner"))
  log = log .. t .. "/" .. inner.text .. "|"
end })
print(log) --> tok1 /tok1 tok2 tok3 |tok2 /tok1 tok2 tok3 |tok3 /tok1 tok2 tok3 |

--# a callback may be a C function
print(assert(client:ask("hi", { on_token = tostring })).finish_reason) --> stop

--# on_finish may start the next request
local function step(n)
  client:start("hi", { on_finish = function()
    print(n)
    if n < 3 then step(n + 1) else print("done") end
  end })
end
step(1)
--> 1
--> 2
--> 3
--> done

--# coalesce delivers tokens in fewer calls
--: rate = 500
local calls, text = 0, ""
local reply = client:ask("hi", { headers = count(60), coalesce = 0.05,
  on_token = function(t) calls = calls + 1 text = text .. t end })
print(text == reply.text and #text > 100) --> true
print(calls > 0 and calls < 30) --> true

--# coalesced text is delivered before the end
local calls, text = 0, ""
local reply = assert(client:ask("hi", { coalesce = 10,
  on_token = function(t) calls, text = calls + 1, text .. t end }))
print(calls, text == reply.text) --> 1 true

--# a request's callbacks replace those of the client by name
local once = { token = false }
local c = llm.client { headers = count(1), on_token = function() print("default") end }
c:ask("hi")
local d = llm.client { headers = count(1), on_token = function() print("never") end,
  on_finish = function() print("default finish") end }
d:ask("hi", { on_token = function() print("own") end })
--> default
--> own
--> default finish

--# on_chunk receives each payload as sent
local chunks = {}
client:ask("hi", { on_chunk = function(raw) chunks[#chunks + 1] = raw end })
local first = assert(llm.json.decode(chunks[1]))
print(first.object == "chat.completion.chunk") --> true
print(chunks[#chunks]) --> [DONE]

--# callbacks of requests that run at once do not disturb each other when one waits, raises or is cancelled
--: rate = 200
local log, calls = {}, {}
local function note(name) return function(text) log[name] = (log[name] or "") .. text end end
local slow = client:start("hi", { headers = count(6), on_token = function(text) llm.sleep(0.02) note "slow" (text) end })
local fast = client:start("hi", { headers = count(6), on_token = note "fast" })
local raising = client:start("hi", { headers = count(6), on_token = function(text)
  note "raising" (text)
  if text == "tok2 " then error("enough", 0) end
end })
local nested = client:start("hi", { headers = count(3), on_token = function(text)
  note "nested" (text)
  if text == "tok1 " then assert(client:ask("hi", { headers = count(3), on_token = note "inner" })) end
end })
local left = client:start("hi", { headers = count("inf"), on_token = function(text)
  note "left" (text)
  if text == "tok3 " then return false end
end })
assert(slow:wait())
assert(fast:wait())
local ok, err = pcall(raising.wait, raising)
print(ok, tostring(err):match("^[^\n]+")) --> false enough
assert(nested:wait())
print(left:wait().finish_reason) --> cancelled
for _, name in ipairs { "slow", "fast", "raising", "nested", "inner", "left" } do print(name, log[name]) end
--> slow tok1 tok2 tok3 tok4 tok5 tok6\s
--> fast tok1 tok2 tok3 tok4 tok5 tok6\s
--> raising tok1 tok2\s
--> nested tok1 tok2 tok3\s
--> inner tok1 tok2 tok3\s
--> left tok1 tok2 tok3\s
-- What raised or waited leaves nothing behind for later requests.
log = {}
assert(client:ask("hi", { headers = count(2), on_token = note "later" }))
print(log.later) --> tok1 tok2\s
