-- What combinators and budgets return: all results of their steps, and no error lost.
local llm = require "llm"
local simulator = require "simulator"
local client, count, fault = simulator.client(), simulator.count, simulator.fault
local flow = llm.flow
local function id(...) return ... end
local function yes() return true end
local function no() return false end
local function fail() return nil, "no" end
local function slow() llm.sleep(5) return "slow" end
local function step(i) if i == 2 then return nil, "bad 2" end return i end
local function map() return flow.map({ 1, 2, 3 }, step, { keep_going = true }) end
local function show(results, errors) print(results[1], not results[2], results[3], errors[2]) end

--# the errors of a map with keep_going pass through every combinator
--: each_line = true
--> 1 true 3 bad 2
show(map())
show(flow.map(step, { keep_going = true })({ 1, 2, 3 }))
show(flow.seq(id, map)(1))
show(flow.seq(map, function(...) return ... end)(1))
show(flow.seq(map, flow.branch(yes, id))(1))
show(flow.seq(map, flow.fallback { id })(1))
show(flow.seq(map, flow.race { id })(1))
show(flow.seq(map, flow.timeout(5, id))(1))
show(flow.seq(map, flow.hedge(id, id))(1))
show(flow.branch(yes, map)(1))
show(flow.branch(no, id, map)(1))
show(flow.fallback { map }(1))
show(flow.fallback { fail, map }(1))
show(flow.fallback({ fail, map }, { chars = 5 })(1))
show(flow.race { map, slow }(1))
show(flow.race { fail, map }(1))
show(flow.hedge(map, slow)(1))
show(flow.hedge(fail, map)(1))
show(flow.timeout(5, map)(1))
show(flow.retry(map)(1))
show(flow.loop(map, { max = 2 })(1))
show(flow.refine(map, { critic = function() end })(1))
show(flow.reduce({ 1 }, map, 0))
show(llm.budget { tokens = 9 }:run(map))
show(llm.budget { tokens = 9 }:run(flow.seq(id, map), 1))
show(flow.vote(map, { n = 1, key = function() return 'k' end })(1))
show(llm.spawn(map):wait())
show(flow.seq(id, flow.retry(flow.timeout(5, flow.race { map })))(1))

--# nested maps and all keep the errors of each step apart
local flow = llm.flow
local step = flow.map(function(i) if i == 2 then return nil, "bad2" end return i end, { keep_going = true })
local results, errors = flow.all { a = step, b = function() return 1 end } { 1, 2 }
print(errors.a[2], errors.b) --> bad2 nil
local results, errors = flow.map({ { 1, 2 }, { 3 } }, step)
print(errors[1][2], errors[2]) --> bad2 nil
local results, errors = flow.map({ { 1, 2 }, { 3 } }, step, { keep_going = true })
print(#errors, errors[1][2]) --> 1 bad2
print(select("#", flow.map({ { 1 }, { 3 } }, step))) --> 1
print(select(2, flow.scan({ { 1, 2 } }, function(_, items) return step(items) end, 0))[1][2]) --> bad2

--# a step of map fails if every item failed
local flow = llm.flow
local function no(i) return nil, "no" .. i end
local value, err = flow.map(no, { keep_going = true }) { 1, 2 }
print(value, err.kind, err.message, #err.others, err.step) --> nil provider no1 1 map[1]
local value, err = flow.map(function() return nil, { kind = "own", message = "words" } end,
  { keep_going = true }) { 1 }
print(value, err.kind, err.message) --> nil own words
local refused = function() return client:ask("hi", { headers = fault("401"), retry = { max = 0 } }) end
local value, err = flow.map(refused, { keep_going = true }) { 1, 2 }
print(value, err.kind, #err.others, err.step) --> nil auth 1 map[1]
print(flow.fallback { flow.map(no, { keep_going = true }), function() return "other" end } { 1 }) --> other
local results, errors = flow.map({ 1, 2 }, no, { keep_going = true })
print(results[1], #errors - 1) --> nil 1
print(#errors, false, false, errors[2]) --> 2 false false no2
print(#flow.map(no, { keep_going = true }) {}) --> 0
local results, errors = flow.map(function(i) if i == 2 then return no(i) end return i end, { keep_going = true })
  { 1, 2, 3 }
local seen = {}
for _, result in ipairs(results) do seen[#seen + 1] = tostring(result) end
print(table.concat(seen, " "), "|", errors[2]) --> 1 false 3 | no2

--# an error raised by a loop over a stream fails only its item
local results, errors = llm.flow.map({ "200", "401", "200" }, function(status)
  local options = { retry = { max = 0 }, headers = status == "401" and fault("401") or count(1) }
  for event in client:stream("hi", options) do if event.type == "token" then return event.text end end
end, { keep_going = true })
print(results[1], errors[2].kind, results[3]) --> tok1  auth tok1\s

--# results are arrays, empty ones too
local flow, encode = llm.flow, llm.json.encode
local function id(value) return value end
print(encode((flow.map({}, id))), encode((flow.map(id) {})), encode((flow.map({}, id, { keep_going = true }))),
  encode((flow.map({}, id, { ordered = false }))), encode((flow.scan({}, id, 0))), encode((flow.map({ 1 }, id))))
--> [] [] [] [] [] [1]

--# a spent budget is the result, whatever the function returns
local flow = llm.flow
local function ask() return client:ask("hi", { headers = count(20) }) end
local function budget() return llm.budget { tokens = 60 } end
local value, err = budget():run(function() ask() ask() ask() ask() return "done" end)
print(value, err.kind, err.partial == "done") --> nil budget true
local value, err = budget():run(function() return flow.map({ 1, 2, 3, 4, 5 }, ask, { keep_going = true, limit = 1 }) end)
print(value, err.kind, 3, err.partial[1].text ~= nil, err.errors[5].kind) --> nil budget 3 true budget
local value, err = budget():run(function() return flow.map({ 1, 2, 3, 4, 5 }, ask, { limit = 1 }) end)
print(value, err.kind, #err.partial, #llm.json.decode(llm.json.encode(err.partial))) --> nil budget 5 5
local value, err = flow.seq(function() return budget():run(flow.map(ask, { keep_going = true, limit = 1 }), { 1, 2, 3, 4, 5 }) end)()
print(value, err.kind, #err.partial == 5) --> nil budget true
local value, err = budget():run(flow.retry(flow.timeout(20, function() ask() ask() ask() ask() return 1 end)))
print(value, err.kind) --> nil budget
local value, err = budget():run(function() ask() ask() ask() ask() return nil, "no" end)
print(value, err.kind, err.others[1]) --> nil budget no
print(budget():run(function() return 1, nil, 3 end)) --> 1 nil 3

--# a budget of seconds and a timeout keep the finished items of a map
local function slow(i) if i == 2 then llm.sleep(60) end return i end
local function map() return llm.flow.map({ 1, 2, 3 }, slow) end
local value, err = llm.budget { seconds = 0.2 }:run(llm.flow.seq(map))
print(value, err.kind, table.unpack(err.partial)) --> nil budget 1 false 3
local value, err = llm.flow.timeout(0.2, llm.flow.race { map })()
print(value, err.kind, table.unpack(err.partial)) --> nil timeout 1 false 3

--# replies and errors are joined as text, and are prompts
local reply = client:ask("hi")
local _, err = client:ask("hi", { headers = fault("401"), retry = { max = 0 } })
print("A: " .. reply .. "!") --> A: tok1 tok2 tok3 !
print(reply .. 1 .. reply) --> tok1 tok2 tok3 1tok1 tok2 tok3\s
print("failed: " .. err == "failed: " .. tostring(err) and #(err .. err) == 2 * #tostring(err)) --> true
print(pcall(function() return reply .. nil end)) --> false @here: attempt to concatenate a nil value with a reply
print(pcall(function() return {} .. err end)) --> false @here: attempt to concatenate a table value with an error

--# text that is not UTF-8 fails only its own request
local results, errors = llm.flow.map({ "one", "caf\xe9", "three" }, function(text) return client:ask(text) end,
  { keep_going = true })
print(results[1], results[2], results[3]) --> tok1 tok2 tok3  nil tok1 tok2 tok3\s
print(errors[2].kind, errors[2].message)
--> invalid_request messages[1].content: not UTF-8 at byte 4; llm.utf8 repairs it
local function says(...) local reply, err = client:ask(...) print(reply, err.message) end
says("x", { system = "\xff" }) --> nil system: not UTF-8 at byte 1; llm.utf8 repairs it
says({ { role = "user", content = "a" }, { role = "user", content = { { type = "text", text = "a\xff" } } } })
--> nil messages[2].content[1].text: not UTF-8 at byte 2; llm.utf8 repairs it
says("x", { user = "\xff" }) --> nil params.user: not UTF-8 at byte 1; llm.utf8 repairs it
client:ask("\xff", { on_error = function(err) print(err.kind) end, on_finish = function() print("finish") end })
--> invalid_request
local call = client:start("\xff")
local reply, err = call:wait()
print(reply, err.kind, err.attempts) --> nil invalid_request 0
local ok, err = pcall(function() for event in client:stream("\xff") do print(event.type) end end)
print(ok, err.kind) --> false invalid_request
says { { role = "user", content = { { type = "x", x = 0/0 } } } }
--> nil messages[1].content[1].x: JSON has no NaN
