-- Requests that fail: kinds of errors, retries, and replies that break off.
local llm = require "llm"
local simulator = require "simulator"
local client, count, fault = simulator.client(), simulator.count, simulator.fault

--# on_retry runs before each retry
--: faults = 503:2
local reply = assert(client:ask("hi", { retry = { base = 0.001 }, on_retry = function(info)
  print(info.attempt, info.err.status, info.delay >= 0 and info.received.chars == 0)
end }))
--> 1 503 true
--> 2 503 true
print(reply.attempts) --> 3
print(reply) --> tok1 tok2 tok3\s

--# retry.max limits the attempts
--: faults = 503
local retries = 0
local reply, err = client:ask("hi", { retry = { max = 2, base = 0.001 },
  on_retry = function() retries = retries + 1 end })
print(reply) --> nil
print(err.kind, err.status, err.attempts, err.retryable) --> overloaded 503 3 true
print(retries) --> 2

--# retry.max = 0 means one attempt
--: faults = 503:1
local reply, err = client:ask("hi", { retry = { max = 0 } })
print(err.attempts) --> 1

--# statuses that no retry can cure
for _, status in ipairs { 400, 401, 403, 404, 422 } do
  local reply, err = client:ask("hi", { headers = fault(tostring(status)) })
  print(err.status, err.kind, err.attempts)
end
--> 400 invalid_request 1
--> 401 auth 1
--> 403 permission 1
--> 404 invalid_request 1
--> 422 invalid_request 1

--# an exhausted quota is not retried
local reply, err = client:ask("hi", { headers = fault("quota") })
print(err.kind, err.attempts, err.retryable) --> quota 1 false

--# Retry-After is honoured
--: faults = 429:1@0.2
local delay
local before = llm.now()
assert(client:ask("hi", { on_retry = function(info) delay = info.delay print(info.err.kind) end }))
--> rate_limit
print(delay >= 0.2) --> true
print(llm.now() - before >= 0.2) --> true

--# a Retry-After longer than the time left fails at once
--: faults = 429@60
local before = llm.now()
local reply, err = client:ask("hi", { timeout = 5 })
print(err.kind, err.retry_after, err.attempts, llm.now() - before < 3) --> rate_limit 60.0 1 true

--# a Retry-After longer than the maximum wait fails at once
--: faults = 429:9@500
local reply, err = client:ask("hi")
print(err.kind, err.status, err.retry_after, err.attempts) --> rate_limit 429 500.0 1

--# after_output = auto restarts if nothing was delivered
--: faults = cut@600x1
local reply = assert(client:ask("hi", { headers = count(5), retry = { base = 0.001 } }))
print(reply.attempts) --> 2
print(reply) --> tok1 tok2 tok3 tok4 tok5\s

--# a connection closed too early is restarted like a reset one
--: faults = eof@600x1
print(assert(client:ask("hi", { headers = count(5), retry = { base = 0.001 } })).attempts) --> 2

--# delivered reasoning counts as output
--: faults = stall@800:1x1,eof@900x1
local seen = ""
local reasoner = llm.client { model = "moonrill-reasoner" }
local reply, err = reasoner:ask("hi", { on_reasoning = function(t) seen = seen .. t end })
print(reply, err.kind, #seen > 0, err.partial.reasoning == seen) --> nil truncated true true

--# after_output = auto fails after output
--: faults = stall@598:1x1,cut@600x1
local text = ""
local reply, err = client:ask("hi", { headers = count(9), on_token = function(t) text = text .. t end })
print(err.kind) --> truncated
print(err.partial.text == text and #text > 0) --> true
print(err.position.bytes == 600 and err.position.events > 0 and err.position.chars == #text) --> true
print(err.partial.finish_reason == nil and tostring(err.partial) == text) --> true
print(err.attempts) --> 1

--# after_output = fail fails after output
--: faults = stall@598:1x1,cut@600x1
local reply, err = client:ask("hi", { headers = count(9), retry = { after_output = "fail" }, on_token = print and function() end })
print(err.kind, err.attempts) --> truncated 1

--# after_output = restart runs on_reset
--: faults = stall@598:1x1,cut@600x1
local text, first = "", nil
local reply = assert(client:ask("hi", { headers = count(9), retry = { base = 0.001, after_output = "restart" },
  on_token = function(t) text = text .. t end,
  on_retry = function() print("retry") end, --> retry
  on_reset = function(info) print("reset", info.err.kind) first = text text = "" end })) --> reset truncated
print(text) --> tok1 tok2 tok3 tok4 tok5 tok6 tok7 tok8 tok9\s
print(#first > 0 and text == reply.text) --> true
print(reply.attempts) --> 2

--# after_output = continue delivers only new text
--: faults = stall@598:1x1,cut@600x1
local c = llm.client { provider = "deepseek", headers = count(9) }
local text = ""
local reply = assert(c:ask("hi", { model = "deepseek-chat", retry = { base = 0.001, after_output = "continue" },
  on_token = function(t) text = text .. t end,
  on_retry = function(info) print("retry", info.received.chars == #text) end, --> retry true
  on_reset = function() print("never") end }))
print(text) --> tok1 tok2 tok3 tok4 tok5 tok6 tok7 tok8 tok9\s
print(text == reply.text) --> true
print(reply.attempts) --> 2

--# a stream without its end is truncated
local reply, err = client:ask("hi", { headers = fault("no-done,no-finish"), retry = { max = 0 } })
print(err.kind, err.partial.text == "tok1 tok2 tok3 ") --> truncated true

--# a body that is no stream is a protocol error
for _, f in ipairs { "html", "garbage", "empty" } do
  local reply, err = client:ask("hi", { headers = fault(f), retry = { max = 0 } })
  print(err.kind, err.message:find("html") ~= nil)
end
--> protocol true
--> protocol false
--> protocol false

--# an error inside the stream
--: faults = error-frame@3x1
local reply, err = client:ask("hi", { headers = count(9), retry = { max = 0 } })
print(err.kind) --> overloaded
print(#tostring(err) > 10) --> true

--# a loop over a truncated stream raises
--: faults = stall@598:1,cut@600
local text = ""
local ok, err = pcall(function()
  for e in client:stream("hi", { headers = count(9), retry = { max = 0 } }) do text = text .. (e.text or "") end
end)
print(ok, err.kind, tostring(err):find("mock: truncated") ~= nil) --> false truncated true
print(#text > 0 and err.partial.text == text) --> true

--# timeouts name their phase
local function ask(f, timeout)
  local reply, err = client:ask("hi", { headers = fault(f, 9), timeout = timeout, retry = { max = 0 } })
  return err.kind, err.phase, err.partial and #err.partial.text > 0
end
print((select(1, ask("slow-head:5", { first = 0.1 }))), (select(2, ask("slow-head:5", { first = 0.1 }))))
--> timeout first
print(ask("stall@600:5", { idle = 0.1 })) --> timeout idle true
print((select(1, ask("stall@600:5", 0.2))), (select(2, ask("stall@600:5", 0.2)))) --> timeout total

--# on_error runs once, last, and on failure only
--: faults = 401
local reply, err = client:ask("hi", {
  on_event = function(e) print("event", e.type) end, --> event error
  on_error = function(e) print("error") end, on_finish = function() print("never") end }) --> error
print(err.kind) --> auth

--# assert shows the provider, kind and status of an error
--: faults = 401
local ok, message = pcall(function() assert(client:ask("hi")) end)
local text = tostring(message)
print(text:sub(1, 18)) --> mock: auth (401):\s
print(message.provider == "mock" and message.model ~= nil and message.message ~= nil) --> true

--# a refused connection is a network error
local host = require "host"
local c = llm.client { base_url = host.refused() .. "/v1", model = "m" }
local reply, err = c:ask("hi", { retry = { max = 1, base = 0.001 } })
print(reply, err.kind, err.attempts, err.retryable, err.provider) --> nil network 2 true 127.0.0.1

--# a missing key is an error that names its variable
local c = llm.client { base_url = "http://192.0.2.1/v1", model = "m", key_env = "MOONRILL_TEST_NO_KEY" }
local reply, err = c:ask("hi")
print(err.kind, err.attempts) --> config ...
print(tostring(err):match("export MOONRILL_TEST_NO_KEY=")) --> export MOONRILL_TEST_NO_KEY=

--# the time limit of the host ends a request
--: rate = 100
--: time_limit = 0.3
--: ends = timeout
print("a") --> a
client:ask("hi", { headers = count("inf") })

--# the time limit of the host ends a loop
--: time_limit = 0.2
--: ends = timeout
pcall(function() while true do end end)
print("never")
