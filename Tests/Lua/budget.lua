-- llm.budget: what counts, when it ends the work, and its error.
local llm = require "llm"
local simulator = require "simulator"
local client, count = simulator.client(), simulator.count

--# a budget counts the tokens that the provider reports
local budget = llm.budget { tokens = 1000 }
local reply = budget:run(function() return client:ask("hi") end)
print(reply) --> tok1 tok2 tok3\s
print(budget.tokens == reply.usage.total_tokens, budget.spent) --> true false

--# a budget can be called, and passes results through
local budget = llm.budget { tokens = 10 }
print(budget(function(a, b) return a + b end, 1, 2), nil) --> 3 nil
print(budget(function() return nil, "why" end)) --> nil why
print(pcall(budget, function() error("boom", 0) end)) --> false boom

--# a spent budget ends a stream with a budget error
--: rate = 500
local budget = llm.budget { tokens = 20 }
local text = ""
local reply, err = budget:run(function()
  return client:ask("hi", { headers = count("inf"), on_token = function(piece) text = text .. piece end })
end)
print(err.kind, err.message, err.retryable) --> budget the budget of 20 tokens is spent false
print(budget.spent, #text > 10 and err.partial.text:sub(1, #text) == text) --> true true
local again, refused = budget:run(function() return client:ask("hi") end)
print(again, refused.kind) --> nil budget

--# a spent budget ends a loop over a stream
--: rate = 500
local count = 0
local value, err = llm.budget { tokens = 20 }:run(function()
  for event in client:stream("hi", { headers = { ["X-Moonrill-Deltas"] = "inf" } }) do
    if event.type == "token" then count = count + 1 end
  end
  return "over"
end)
print(value, err.kind) --> nil budget
print(count > 0 and count <= 20) --> true

--# a budget of seconds ends a stream
--: rate = 100
local budget = llm.budget { seconds = 0.05 }
local _, err = budget:run(function()
  client:ask("hi", { headers = count("inf"), on_error = function(err) print(err.kind, err.message) end })
end)
--> budget the budget of 0.05 seconds is spent
print(err.kind) --> budget

--# a budget of dollars counts the price of the model
local ask = function(more) return function() return client:ask("hi", more) end end
local budget = llm.budget { usd = 1 }
local reply = budget:run(ask { model = "moonrill-chat" })
print(math.abs(budget.usd - (reply.usage.input_tokens * 1 + reply.usage.output_tokens * 2) / 1e6) < 1e-12) --> true
llm.prices["mine"] = { input = 1, output = 10 }
local _, err = llm.budget { usd = 0.00001 }:run(ask { model = "mine", headers = count(1000) })
print(err.kind, err.message) --> budget the budget of 1e-05 US dollars is spent
local budget = llm.budget { usd = 1 }
local ok, err = pcall(budget, function()
  client:ask("hi", { model = "unheard-of" }) --@ unpriced
end)
print(err)
--> @unpriced: client:ask: the price of unheard-of is not known...llm.prices["unheard-of"]...

--# nested budgets both count
local outer, inner = llm.budget { tokens = 1000 }, llm.budget { tokens = 30 }
local _, err = outer:run(function()
  return inner:run(function() return client:ask("hi", { headers = count(500) }) end)
end)
print(err.kind, outer.spent, outer.tokens >= 30) --> budget false true

--# parallel streams share the cap, but for one chunk a stream
--: rate = 20
--: aborted = 50
local host = require "host"
local budget = llm.budget { tokens = 1000 }
local streams = {}
for i = 1, 50 do streams[i] = i end
local kinds = {}
budget:run(function()
  return llm.flow.map(streams, function()
    local reply, err = client:ask("hi", { headers = count("inf") })
    kinds[err.kind] = (kinds[err.kind] or 0) + 1
    return true
  end, { limit = 50 })
end)
print(kinds.budget, budget.spent) --> 50 true
while host.aborted() < 50 do llm.sleep(0.005) end
-- Each stream begins with an event that holds the role alone.
local deltas = host.events() - 50
print(deltas > 500 and deltas <= 1050 or deltas) --> true
