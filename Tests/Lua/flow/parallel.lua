-- llm.flow: steps that run at the same time.
local llm = require "llm"
local simulator = require "simulator"
local client, fault = simulator.client(), simulator.fault

--# all returns results by name
local before = llm.now()
local step = function(n) return function(value) llm.sleep(0.1) return value * n end end
local both = llm.flow.all { x = step(1), y = step(2) }(3)
print(both.x, both.y, llm.now() - before < 0.19) --> 3 6 true

--# all ends with the first failure
local slow = function()
  local guard <close> = setmetatable({}, { __close = function() print("closed") end }) --> closed
  llm.sleep(30)
end
print(llm.flow.all { slow = slow, bad = function() llm.sleep(0.001) return nil, "bad" end }()) --> nil bad

--# race returns the first success
local after = function(seconds, ...)
  local given = table.pack(...)
  return function() llm.sleep(seconds) return table.unpack(given, 1, given.n) end
end
print(llm.flow.race { after(20, "slow"), after(0.001, "fast") }()) --> fast
local failing = function(kind) return function() return client:ask("hi", { headers = fault(kind), retry = { max = 0 } }) end end
local _, err = llm.flow.race { failing("401"), failing("429") }()
print(nil, err.kind and "no1", #err.others) --> nil no1 1
print(llm.flow.race { after(0, nil, "no"), after(0.002, "survivor") }()) --> survivor

--# hedge starts the second step if the first is silent
--: rate = 200
local silent = function() return client:ask("hi", { headers = fault("slow-head:30") }) end
local b = function() return "b" end
print(llm.flow.hedge(silent, b, { after = 0.01 })()) --> b
local begun = 0
local counted = function() begun = begun + 1 return "b" end
-- It speaks at once, but takes longer than the hedge waits.
local talking = function()
  local reply, err = client:ask("hi", { headers = { ["X-Moonrill-Deltas"] = "40" } })
  return reply and "a1", err
end
print(llm.flow.hedge(talking, counted, { after = 0.1 })()) --> a1 nil
print(begun) --> 0
print(llm.flow.hedge(function() return nil, "no" end, b, { after = 30 })()) --> b
local bad = function(kind) return function() return client:ask("hi", { headers = fault(kind), retry = { max = 0 } }) end end
local _, err = llm.flow.hedge(bad("401"), bad("429"), { after = 30 })()
print(nil, err.kind == "auth" and "first", #err.others) --> nil first 1

--# timeout
local value, err = llm.flow.timeout(0.01, function() llm.sleep(30) end)()
print(value, err.kind, err.message:find("0.01") ~= nil) --> nil timeout true
print(llm.flow.timeout(30, function() llm.sleep(0.001) return "in time" end)()) --> in time
print(llm.flow.timeout(30, function() return nil, "own" end)()) --> nil own

--# map keeps the order and the limit
local now, most, seen = 0, 0, {}
local squares = llm.flow.map({ 1, 2, 3, 4, 5 }, function(n)
  now = now + 1
  most = math.max(most, now)
  llm.sleep((6 - n) * 0.002)
  now = now - 1
  return n * n
end, { limit = 2, on_progress = function(done, total) seen[#seen + 1] = done .. "/" .. total end })
print(table.concat(squares, " ")) --> 1 4 9 16 25
print(most) --> 2
print(table.concat(seen, " ")) --> 1/5 2/5 3/5 4/5 5/5

--# items behind a hole are not skipped
local seen = ""
local function note(item) seen = seen .. tostring(item) .. " " return item end
local items = {}
items[2] = 2
llm.flow.map(items, note, { limit = 1 })
seen = seen .. "| "
llm.flow.reduce(items, function(_, item) return note(item) end, 0)
print(seen .. "| ") --> nil 2 | nil 2 |\s
print(#llm.flow.map(table.pack(1, 2, 3), note)) --> 3

--# map in order of completion, as a step, and of an empty array
local wait = function(n) llm.sleep(n * 0.03) return n end
print(table.concat(llm.flow.map({ 3, 2, 1 }, function(n) return wait(4 - n) and n end, { ordered = false }), " "))
--> 3 2 1
local double = llm.flow.map(function(n) return n * 2 end)
print(table.concat(llm.flow.seq(double)({ 1, 2 }), " ")) --> 2 4
print(#llm.flow.map({}, wait)) --> 0

--# map ends with the first failure, or continues with keep_going
local begun = 0
local even = function(n) begun = begun + 1 if n % 2 == 1 then return nil, "odd" .. n end return n end
local value, err = llm.flow.map({ 2, 1, 2, 3, 4 }, function(n)
  local v, e = even(n)
  return v, e and "odd"
end, { limit = 1 })
print(value, err) --> nil odd
print(begun) --> 2
local results, errors = llm.flow.map({ 1, 2, 3, 4 }, even, { keep_going = true })
print(results[2], results[4]) --> 2 4
print(errors[1], errors[3]) --> odd1 odd3

--# vote stops when the majority is decided
local asked = 0
local yes = function() asked = asked + 1 return "yes" end
local winner, _, tally = llm.flow.vote(yes, { n = 9 })()
print(winner, tally.yes, asked) --> yes 5 5
local answers = { "yes", "no", " NO", "yes", "no" }
asked = 0
local winner, _, tally = llm.flow.vote(function(_, n) asked = asked + 1 return answers[n] end, { n = 5 })()
print(winner, tally.no) --> no 3
print(asked) --> 5
answers = { "a", "b", "b" }
asked = 0
local winner, _, tally = llm.flow.vote(function(_, n) asked = asked + 1 return answers[n] end, { n = 3, early = false })()
print(winner, tally.b, asked) --> b 2 3

--# the steps of vote may be requests
print((llm.flow.vote(function(q) return client:ask(q) end, { n = 9 })("hi"))) --> tok1 tok2 tok3\s
local _, err = llm.flow.vote(function(q) return client:ask(q, { headers = fault("401") }) end, { n = 3 })("hi")
print(nil, err.kind, #err.others) --> nil auth 2

--# a decided vote sends no more requests
--: rate = 500
--: requests = 5
--: aborted = 0
print(llm.flow.vote(function(q) return client:ask(q) end, { n = 9 })("hi").text) --> tok1 tok2 tok3\s
