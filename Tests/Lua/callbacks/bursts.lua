-- Text that arrives in one burst of hundreds of deltas: callbacks receive each delta, in order, and may do between any
-- two of them what they may do anywhere.
local llm = require "llm"
local simulator = require "simulator"

-- Every seventh delta is sent with an escape, every fifth is beyond ASCII.
local function piece(n) return n % 7 == 0 and "n" .. n .. "\n" or n % 5 == 0 and "月" .. n .. " " or "t" .. n .. " " end
local function first(n) local all = {} for i = 1, n do all[i] = piece(i) end return table.concat(all) end

-- Reasoning, then text, then reasoning and text in turn.
local frames = {}
local function add(name, text)
  frames[#frames + 1] = ('{"id":"c","choices":[{"index":0,"delta":{"%s":%s},"finish_reason":null}]}')
    :format(name, llm.json.encode(text))
end
for n = 1, 100 do add("reasoning_content", piece(n)) end
for n = 1, 300 do add("content", piece(n)) end
for n = 1, 20 do for i = 1, 6 do add(n % 2 == 0 and "content" or "reasoning_content", tostring(i)) end end
frames[#frames + 1] = '{"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}'
frames[#frames + 1] = "[DONE]"
simulator.answer(frames)
local client = simulator.canned "openai"
local pieces = {}
local function took(t) pieces[#pieces + 1] = t assert(#pieces > 300 or t == piece(#pieces), t) end

--# every delta is delivered, in order
local thoughts = 0
local reply = assert(client:ask("x", { on_token = took, on_reasoning = function() thoughts = thoughts + 1 end }))
print(#pieces, thoughts, table.concat(pieces) == reply.text, reply.reasoning:sub(1, #first(100)) == first(100))
--> 360 160 true true

--# false from on_token stops between two deltas
local reply = assert(client:ask("x", { on_token = function(t) took(t) return #pieces < 113 end }))
print(#pieces, reply.finish_reason, reply.text == first(113), reply.reasoning:sub(1, #first(100)) == first(100))
--> 113 cancelled true true

--# false from on_reasoning stops between two deltas
local reply = assert(client:ask("x", { on_reasoning = function(t) took(t) return #pieces < 57 end }))
print(#pieces, reply.finish_reason, reply.text == "", reply.reasoning == first(57))
--> 57 cancelled true true

--# cancel() in a callback stops between two deltas
local call
call = client:start("x", { on_token = function(t) took(t) if #pieces == 5 then call:cancel() end end })
local reply, err = call:wait()
print(#pieces, err.kind, err.partial.text == first(5))
--> 5 cancelled true

--# pause() in a callback stops between two deltas
local call
call = client:start("x", { on_token = function(t) took(t) if #pieces == 42 then call:pause() end end })
while #pieces < 42 do llm.sleep(0.001) end
llm.sleep(0.05)
print(#pieces, call.status == "paused" and 42)
call:cancel()
local reply, err = call:wait()
print(err.kind, err.partial.text == first(42))
--> 42 42
--> cancelled true

--# pause() and resume() between any two deltas lose nothing
local call
call = client:start("x", { on_token = function(t) took(t)
  if #pieces % 50 == 0 then call:pause() llm.spawn(function() call:resume() end) end
end })
local reply = assert(call:wait())
print(#pieces, table.concat(pieces) == reply.text)
--> 360 true

--# a waiting callback holds later deltas back
local waits = 0
local reply = assert(client:ask("x", { on_token = function(t)
  if #pieces % 50 == 7 then llm.sleep(0) waits = waits + 1 end
  took(t)
end }))
print(#pieces, table.concat(pieces) == reply.text, waits)
--> 360 true 8

--# a callback may wait, then return false
local reply = assert(client:ask("x", { on_token = function(t)
  took(t)
  if #pieces == 100 then llm.sleep(0.001) return false end
end }))
print(#pieces, reply.finish_reason, reply.text == first(100))
--> 100 cancelled true

--# a callback may wait, then cancel, and no later delta is delivered
local call
call = client:start("x", { on_token = function(t)
  took(t)
  if #pieces == 100 then llm.sleep(0.001) call:cancel() llm.sleep(0.01) end
end })
local reply, err = call:wait()
print(#pieces, err.partial.text == first(100))
--> 100 true

--# a callback may send a request
local inner = 0
local reply = assert(client:ask("x", { on_token = function(t)
  if #pieces == 33 then
    local n = 0
    client:ask("y", { on_token = function() n = n + 1 return n < 300 end })
    inner = n
  end
  took(t)
end }))
print(#pieces, table.concat(pieces) == reply.text, inner)
--> 360 true 300

--# two requests at once receive all of their deltas
local texts = { {}, {} }
local calls = {}
for i = 1, 2 do
  calls[i] = client:start("x", { on_token = function(t) texts[i][#texts[i] + 1] = t end })
end
for i = 1, 2 do assert(calls[i]:wait().text == table.concat(texts[i])) end
print(#texts[1], #texts[2], table.concat(texts[1]) == table.concat(texts[2]))
--> 360 360 true

--# an error in a callback ends the request and has a traceback without frames of the host
local function fail() error("no more") end --@ fail
local ok, err = pcall(client.ask, client, "x", { on_token = function(t)
  took(t)
  if #pieces == 77 then fail() end
end })
err = tostring(err)
print(#pieces, (err:match("^[^\n]*"))) --> 77 @fail: no more
print(err:find("in function 'fail'", 1, true) ~= nil or err:find("in upvalue 'fail'", 1, true) ~= nil) --> true
print(err:find("[C]: in ?", 1, true)) --> nil

--# a loop receives each delta by itself
local thoughts, text = 0, ""
for event in client:stream("x") do
  if event.type == "token" then pieces[#pieces + 1] = event.text end
  if event.type == "reasoning" then thoughts = thoughts + 1 end
  if event.type == "finish" then text = event.reply.text end
end
print(#pieces, thoughts, table.concat(pieces) == text)
--> 360 160 true

--# a callback with two parameters receives the event of each delta
local same = true
client:ask("x", { on_token = function(t, event) took(t) same = same and event.text == t and event.type == "token" end })
print(#pieces, same)
--> 360 true

--# coalesced text is complete
local text = ""
local reply = assert(client:ask("x", { coalesce = 0.001, on_token = function(t) text = text .. t end }))
print(text == reply.text) --> true

--# a budget counts each delta
local _, err = llm.budget { tokens = 60 }:run(function() return client:ask("x", { on_token = took }) end)
print(err.kind, #pieces < 60)
pieces = {}
assert(llm.budget { tokens = 2000 }:run(function() return client:ask("x", { on_token = took }) end))
print(#pieces)
--> budget true
--> 360
