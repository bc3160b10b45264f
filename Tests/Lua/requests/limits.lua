-- Rate limits: those of llm.limit, and those that a provider enforces.
local llm = require "llm"
local simulator = require "simulator"
local host = require "host"
local client, count = simulator.client(), simulator.count

-- Sends 400 requests to a server that answers 100 a second. Few are refused, all are answered, none is sent twice.
local function map_400()
  local items = {}
  for i = 1, 400 do items[i] = i end
  local before = llm.now()
  local replies = assert(llm.flow.map(items, function(n) return client:ask("item " .. n, { retry = { max = 20 } }) end))
  local seconds = llm.now() - before
  local sent, distinct = host.requests(), 0
  local seen = {}
  for n = 1, sent do
    local messages = host.request(n).body.messages
    local prompt = messages[#messages].content
    if not seen[prompt] then distinct = distinct + 1 end
    seen[prompt] = true
  end
  -- Three seconds at best: 100 at once, then 100 a second.
  print(#replies, distinct, seconds < 15 or seconds, (sent - 400) * 20 < sent or sent)
end

--# concurrent limits requests of several clients that share a name
--: rate = 200
local mine = llm.limit { name = "two", concurrent = 2 }
local other = llm.client { limit = llm.limit { name = "two", concurrent = 2 } }
local now, most, done = 0, 0, 0
local ask = function(n)
  local reply = (n % 2 == 0 and client or other):ask("hi", { limit = n % 2 == 0 and mine or nil, on_event = function(event)
    if event.type == "start" then now = now + 1 most = math.max(most, now) end
    if event.type == "finish" then now = now - 1 end
  end })
  done = done + (reply and 1 or 0)
  return true
end
llm.flow.map({ 1, 2, 3, 4, 5, 6 }, ask)
print(done, most) --> 6 2

--# a request sent in a callback runs although the outer one holds the only place
local one, asked = llm.limit { concurrent = 1 }, false
local reply = client:ask("hi", { limit = one, headers = count(4000), on_token = function()
  if asked then return end
  asked = true
  print(client:ask("hi", { limit = one }).text) --> tok1 tok2 tok3\s
end })
print(select(2, reply.text:gsub("tok", ""))) --> 4000

--# a request of a task that a callback waits for runs although the outer one holds the only place
local one, asked = llm.limit { concurrent = 1 }, false
client:ask("hi", { limit = one, headers = count("inf"), on_token = function()
  local texts = llm.flow.map({ 1, 2 }, function() return client:ask("hi", { limit = one }).text end)
  print(table.concat(texts)) --> tok1 tok2 tok3 tok1 tok2 tok3\s
  return false
end })

--# a request sent inside a loop over a stream runs although the stream holds the only place
local one = llm.limit { concurrent = 1 }
for event in client:stream("hi", { limit = one, headers = count("inf") }) do
  if event.type == "token" then print(client:ask("hi", { limit = one }).text) break end --> tok1 tok2 tok3\s
end

--# a request sent in a callback goes before requests that wait to begin
local one, order = llm.limit { concurrent = 1 }, {}
llm.flow.map({ 1, 2, 3, 4 }, function(n)
  client:ask("hi", { limit = one, headers = count("inf"), on_token = function()
    client:ask("hi", { limit = one })
    order[#order + 1] = n
    return false
  end })
  return true
end)
print(table.concat(order, " ")) --> 1 2 3 4

--# a paused request does not hold its place
local one = llm.limit { concurrent = 1 }
local first = client:start("hi", { limit = one, headers = count("inf") })
llm.sleep(0.01)
first:pause()
print(client:ask("hi", { limit = one }).text) --> tok1 tok2 tok3\s
first:cancel()

--# rpm spreads requests
local paced = llm.limit { rpm = 1200 }
local before = llm.now()
llm.flow.map({ 1, 2, 3, 4, 5 }, function() return client:ask("hi", { limit = paced }) end)
print(llm.now() - before >= 0.19) --> true

--# a queued request can be cancelled and times out
local host = require "host"
local one = llm.limit { concurrent = 1 }
local first = client:start("hi", { limit = one, headers = count("inf") })
local task = llm.spawn(function() return client:ask("hi", { limit = one }) end)
llm.sleep(0.01)
task:cancel()
local value, err = task:wait()
print(value, err.kind)
local _, err = client:ask("hi", { limit = one, timeout = 0.05 })
print(err.kind, err.phase)
print(host.requests())
first:cancel()
--> nil cancelled
--> rate_limit total
--> 1

--# wrong options of llm.limit
local function says(f, ...) local _, err = pcall(f, ...) print((err:gsub("^.-: ", "", 1):gsub("llm.limit: ", ""))) end
says(llm.limit, { name = "x" }) --> llm.limit needs concurrent, rpm or tpm
says(llm.limit, { concurrent = 0 }) --> a limit of 0 would block every request
says(client.ask, client, "hi", { limit = { concurrent = 1 } })
--> client:ask: option 'limit' takes what llm.limit{...} returns, or false for no rate limiter

--# limit = false bypasses the rate limiter
-- A reply with no requests left for a day: the next request fails at once.
host.answer('data: {"choices":[{"delta":{"content":"ok"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n', {
  "Content-Type: text/event-stream", "x-ratelimit-limit-requests: 200", "x-ratelimit-remaining-requests: 0",
  "x-ratelimit-reset-requests: 24h0m0s",
})
local options = { base_url = host.url() .. "/v1", dialect = "openai", model = "m" }
local client = llm.client(options)
print(client:ask("a")) --> ok
local reply, err = client:ask("b")
print(reply, err.kind, err.retry_after > 300, err.message:find("0 of 200 left", 1, true) ~= nil)
--> nil rate_limit true true
print(client:ask("c", { limit = false })) --> ok
options.limit = false
print(llm.client(options):ask("d")) --> ok

--# a wait of more than a second at a limit is announced with its seconds and its reason
local slow = llm.limit { name = "slow", rpm = 40 }
local seen, events = {}, 0
llm.flow.map({ 1, 2 }, function()
  return client:ask("hi", { limit = slow,
    on_wait = function(info) seen[#seen + 1] = info end,
    on_event = function(event) if event.type == "wait" then events = events + 1 end end })
end)
print(#seen, events, seen[1].seconds > 1 and seen[1].seconds <= 1.5, seen[1].reason)
--> 1 1 true limit "slow": 40 requests a minute

--# flow.map finds the limit of a provider that announces it
--: limit = 100
map_400() --> 400 400 true true

--# flow.map finds the limit of a provider that does not announce it
--: limit = 100
--: announces_limit = false
map_400() --> 400 400 true true
