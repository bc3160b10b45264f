-- client:ask, client:start and client:stream.
local llm = require "llm"
local simulator = require "simulator"
local client, count, fault = simulator.client(), simulator.count, simulator.fault

--# ask returns a reply
local reply, err = client:ask("hi")
assert(err == nil)
print(reply.text .. "|" .. reply.finish_reason .. "|" .. reply.finish_reason_raw .. "|" .. reply.attempts
  .. "|" .. reply.provider)
--> tok1 tok2 tok3 |stop|stop|1|mock
print(tostring(reply)) --> tok1 tok2 tok3\s
print(reply.message.role) --> assistant
assert(reply.message.content == reply.text)
assert(reply.reasoning == "" and #reply.tool_calls == 0)
assert(type(reply.id) == "string" and type(reply.model) == "string")
assert(reply.timing.first_token >= 0 and reply.timing.total >= reply.timing.first_token)

--# usage has integers
local seen = 0
local reply = client:ask("hi", { on_usage = function(u) seen = seen + 1 end })
local u = reply.usage
print(math.type(u.input_tokens)) --> integer
print(u.output_tokens) --> 3
print(u.total_tokens == u.input_tokens + u.output_tokens and u.estimated == false) --> true
print(seen) --> 1

--# the last event of a loop holds the reply
local types, reply = {}, nil
for e in client:stream("hi") do if e.type ~= "heartbeat" then types[#types + 1] = e.type end reply = e.reply end
print(table.concat(types, " ")) --> start token token token usage finish
print(reply) --> tok1 tok2 tok3\s

--# start sends a request in the background
local call = client:start("hi")
print("before") --> before
print(call.status) --> waiting
print((call:wait())) --> tok1 tok2 tok3\s
print(call.status) --> finished
print((call:wait())) --> tok1 tok2 tok3\s

--# wait returns nil and an error for a cancelled request
local errors = 0
local call
call = client:start("hi", {
  headers = count("inf"),
  on_token = function() call:cancel() end,
  on_finish = function() print("never") end,
  on_error = function(err) errors = errors + 1 told = err end,
})
local reply, err = call:wait()
print(tostring(reply) .. " " .. err.kind) --> nil cancelled
print(told == err) --> true
print(call.status) --> failed
call:cancel()
print(errors) --> 1
local second = client:start("hi", { on_error = function(err) told = err end })
second:cancel()
local reply, err = second:wait()
print(reply, err.kind, told == err, second.status) --> nil cancelled true failed

--# pause holds events back until resume
--: rate = 200
local n, call = 0, nil
call = client:start("hi", { headers = count(5), on_token = function() n = n + 1 if n == 2 then call:pause() end end })
llm.spawn(function()
  while n < 2 do llm.sleep(0.002) end
  print(call.status) --> paused
  llm.sleep(0.1)
  print(n == 2) --> true
  call:resume()
end)
local reply = assert(call:wait())
print(n == 5) --> true
print(reply) --> tok1 tok2 tok3 tok4 tok5\s

--# the total timeout ends the pause of a complete reply
local n, call = 0, nil
call = client:start("hi", { timeout = 0.5, on_token = function() n = n + 1 if n == 1 then call:pause() end end })
local reply = assert(call:wait())
print(n == 3, reply) --> true tok1 tok2 tok3\s

--# a request paused at once delivers nothing until resume
local seen = 0
local call = client:start("hi", { on_token = function() seen = seen + 1 end })
call:pause()
llm.sleep(0.05)
print(seen, call.status) --> 0 paused
call:resume()
print(call:wait() ~= nil and seen == 3) --> true

--# several tasks may wait for one request
local call = client:start("hi")
local replies = {}
local function wait() local reply = call:wait() replies[#replies + 1] = reply print(reply) end
--> tok1 tok2 tok3\s
--> tok1 tok2 tok3\s
local a, b = llm.spawn(wait), llm.spawn(wait)
a:wait() b:wait()
print(replies[1] == replies[2]) --> true

--# a request may stand inside the script's own coroutines
local co = coroutine.wrap(function()
  coroutine.yield("a")
  local inner = coroutine.wrap(function() coroutine.yield(client:ask("hi").text) end)
  coroutine.yield(inner())
  coroutine.yield("b")
end)
for _ = 1, 3 do print(co()) end
--> a
--> tok1 tok2 tok3\s
--> b

--# reasoning is separate from the text
local c = llm.client { model = "moonrill-reasoner" }
local thought, text, order = "", "", ""
local reply = c:ask("Tell me of the moon", {
  on_reasoning = function(t) thought = thought .. t order = order .. "r" end,
  on_token = function(t) text = text .. t order = order .. "t" end,
})
print(#thought > 0 and reply.reasoning == thought) --> true
print(reply.text == text and #text > 0) --> true
print(order:find("^r+t+$") ~= nil) --> true

--# tool calls arrive whole
local c = llm.client { model = "moonrill-chat" }
local seen
local messages = { { role = "user", content = "What is the weather in Paris?" } }
local tools = { { type = "function", ["function"] = { name = "get_weather", parameters = {
  type = "object", properties = { city = { type = "string" } }, required = { "city" } } } } }
local reply = assert(c:ask(messages, { tools = tools, on_tool_call = function(call) seen = call end }))
local call = reply.tool_calls[1]
print(call.name) --> get_weather
print(type(call.arguments)) --> table
print(seen.id == call.id and llm.json.decode(call.arguments_json).city == call.arguments.city --> true
  and type(call.arguments.city) == "string")
print(reply.finish_reason) --> tool_calls
messages[2] = reply.message
messages[3] = { role = "tool", tool_call_id = call.id, content = "sunny" }
local second = assert(c:ask(messages, { tools = tools }))
print(#second.tool_calls) --> 0
print(#second.text > 0) --> true

--# arguments of tool calls keep integers
local tools = { { type = "function", ["function"] = { name = "add", parameters = { type = "object",
  properties = { a = { type = "integer" } }, required = { "a" } } } } }
local reply = assert(llm.client {}:ask("use add", { tools = tools, tool_choice = "required" }))
local call = reply.tool_calls[1]
print(call.name, math.type(call.arguments.a), call.arguments_json:find('"a"') ~= nil) --> add integer true

--# replies of unusual form are accepted if they are complete
local function ask(f, prompt) return assert(llm.client { headers = { ["X-Moonrill-Fault"] = f } }:ask(prompt)) end
print(ask("no-done", "hi").finish_reason) --> stop
print(ask("whole", "hi").finish_reason) --> stop
print(utf8.len(ask("split-utf8", "写一首诗").text) > 5) --> true

--# a reply cut by max_tokens has the finish reason length
local reply = client:ask("hi", { max_tokens = 2 })
print(reply.finish_reason) --> length
print(reply) --> tok1 tok2\s

--# a loop that is left cancels its request
--: each_line = true
--: rate = 500
--: aborted = 1
--> true
print(pcall(function() for e in client:stream("hi", { headers = count("inf") }) do if e.type == "token" then break end end end))
print(pcall(function() for e in client:stream("hi", { headers = count("inf") }) do if e.type == "token" then return end end end))
print(not pcall(function() for e in client:stream("hi", { headers = count("inf") }) do if e.type == "token" then error("out") end end end))
print(pcall(function() for e in client:stream("hi", { headers = count("inf") }) do if e.type == "token" then goto out end end ::out:: end))

--# a loop over a failed request raises the error
local ok, err = pcall(function()
  for event in client:stream("hi", { headers = fault("401") }) do print(event.type) end
end)
print(ok, err.kind, err.status, err.retryable) --> false auth 401 false
for event in client:stream("hi", { headers = fault("401") }) do end
--! auth (401)

--# a request without options of its own sends what its client says at that time
local host = require "host"
local params, headers, heard = { seed = 1 }, { ["X-One"] = "1" }, 0
local plain = llm.client { model = "m-1", system = "Be brief.", timeout = 20, think_tags = true, on_finish = function() heard = heard + 1 end }
local full = llm.client { model = "m-1", params = params, headers = headers }
for round = 1, 3 do
  assert(plain:ask("plain " .. round))
  params.seed, headers["X-One"] = round * 10, tostring(round)
  assert(full:ask("full " .. round))
  local first, second = host.request(host.requests() - 1), host.request(host.requests())
  print(first.body.model, first.body.seed, first.headers["x-one"], simulator.said(host.requests() - 1))
  print(second.body.model, second.body.seed, second.headers["x-one"], simulator.said(host.requests()))
  plain.model = "m-2"
end
--> m-1 nil nil system: Be brief. | user: plain 1
--> m-1 10 1 user: full 1
--> m-2 nil nil system: Be brief. | user: plain 2
--> m-1 20 2 user: full 2
--> m-2 nil nil system: Be brief. | user: plain 3
--> m-1 30 3 user: full 3
print(heard) --> 3
-- Timeouts and retries are those that their tables have then.
local patience = { max = 0 }
local tried = llm.client { model = "m-1", headers = nil, retry = patience, timeout = { total = 20 } }
local function attempts()
  local reply, err = tried:ask("x")
  return reply and reply.attempts or err.attempts
end
print(attempts()) --> 1
patience.max, patience.base = 2, 0.01
local template = tried._shared.template
print(attempts(), template ~= tried._shared.template) --> 1 true
template = tried._shared.template
print(attempts(), template == tried._shared.template) --> 1 true
-- Options of one request are of that request alone.
local tokens = 0
assert(plain:ask("a", { on_token = function() tokens = tokens + 1 end }))
local seen = tokens
assert(plain:ask("b", { temperature = 0.5, system = "Be kind." }))
print(simulator.body(host.requests()).temperature, simulator.said(host.requests())) --> 0.5 system: Be kind. | user: b
assert(plain:ask("c"))
print(simulator.body(host.requests()).temperature, simulator.said(host.requests())) --> nil system: Be brief. | user: c
print(seen > 0 and tokens == seen, heard) --> true 6

--# options may inherit values
local base = { temperature = 0.25, system = "Be brief.", on_token = function(text) io.write("[", text, "]") end }
assert(client:ask("hi", setmetatable({}, { __index = base })))
print() --> [tok1 ][tok2 ][tok3 ]
print(simulator.body(1).temperature, simulator.said(1)) --> 0.25 system: Be brief. | user: hi

--# a provider that is defined again has its new quirks in all clients
local host = require "host"
llm.provider { name = "mine", base_url = host.url() .. "/v1", dialect = "openai", model = "m" }
simulator.answer { '{"choices":[{"delta":{"content":"a"},"finish_reason":"stop"}]}', "[DONE]" }
local mine = llm.client { provider = "mine" }
local function fields()
  assert(mine:ask("hi"))
  assert(mine:ask("hi", { max_tokens = 3 }))
  local body = simulator.body(host.requests())
  print(body.max_tokens, body.max_completion_tokens)
end
fields() --> 3 nil
llm.provider { name = "mine", quirks = { max_tokens = "max_completion_tokens" } }
fields() --> nil 3

--# a client without its endpoint says so
local broken = llm.client {}
broken._endpoint = {}
broken:ask("hi") --! the client has lost its endpoint
