-- llm.flow: sequences, branches, loops, retries and fallbacks.
local llm = require "llm"
local simulator = require "simulator"
local client, fault = simulator.client(), simulator.fault

--# seq passes each result to the next step
local flow = llm.flow
print(flow.seq(function(n) return n + 1 end, function(n) return n * 2 end)(5)) --> 12
local step = flow.seq(function() return nil, "late" end, function() error("never") end)
local value, err = step(1)
print(value, err, rawget(llm, "flow") == flow) --> nil late true

--# steps may be requests
local ask = function(prompt) local reply, err = client:ask(prompt) return reply and reply.text, err end
print((ask("hi"))) --> tok1 tok2 tok3\s
print(llm.flow.seq(ask, function(text) return text .. ask(text) end)("hi"))
--> tok1 tok2 tok3 tok1 tok2 tok3\s

--# branch
local small = function(n) return "small " .. n end
local is_small = function(n) return n < 5 end
print(llm.flow.branch(is_small, small)(3)) --> small 3
print(llm.flow.branch(is_small, small)(10)) --> 10
print(llm.flow.branch(is_small, small, function(n) return "big " .. n end)(10)) --> big 10
print(llm.flow.branch(function() return nil, "no" end, small)(1)) --> nil no

--# reduce and scan
local join = function(sum, item) if item == "x" then return nil, "bad" end return sum .. item end
print(llm.flow.reduce({ "a", "b", "c" }, join, "")) --> abc
print(table.concat(llm.flow.scan({ "a", "b", "c" }, join, ""), " ")) --> a ab abc
print(llm.flow.reduce({ "a", "x", "c" }, join, "")) --> nil bad
print(llm.flow.scan({ "a", "x", "c" }, join, "")) --> nil bad

--# loop
local rounds
local double = function(n, round) rounds = round return n * 2 end
print(llm.flow.loop(double, { stop_when = function(n) return n > 5 end })(1), rounds) --> 8 3
print(llm.flow.loop(double, { max = 5 })(1)) --> 32
print(llm.flow.loop(function() return nil, "stuck" end, { max = 5 })(1)) --> nil stuck

--# refine continues until the critic returns nil
local said = { "shorter", "darker" }
local count = 0
local draft = function(input, before, critique) return before and before .. "|" .. critique or input end
local critic = function() count = count + 1 return said[count] end
print(llm.flow.refine(draft, { critic = critic, rounds = 2 })("moon")) --> moon|shorter|darker
print(count) --> 2
count = 0
said = { "shorter" }
print(llm.flow.refine(draft, { critic = critic, rounds = 9 })("moon")) --> moon|shorter
print(llm.flow.refine(draft, { critic = function() return nil, "tired" end })("moon")) --> nil tired

--# retry repeats a failed step, and gives up
local tries = 0
local flaky = function(_, try) tries = try if try < 3 then return nil, "again" end return "ok" end
print(llm.flow.retry(flaky, { base = 0.001 })(1), tries) --> ok 3
print(llm.flow.retry(function(_, try) tries = try return nil, "again" end, { max = 2, base = 0 })(1))
--> nil again
print(tries) --> 3
local ask = function(_, try)
  tries = try
  return client:ask("hi", { headers = fault("401") })
end
local _, err = llm.flow.retry(ask, { base = 0 })(1)
print(nil, err.kind) --> nil auth
print(tries) --> 1
local asked = 0
local on = function(err, try) asked = try return err ~= "x" end
local value, err = llm.flow.retry(function() return nil, "x" end, { base = 0, on = on })(1)
print(value, err, asked) --> nil x 1

--# fallback takes the next step after a failure
local bad = function(name) return function() return nil, name end end
print(llm.flow.fallback { bad("no1"), function() return "two" end, bad("no3") }()) --> two
local count = 0
local value, err = llm.flow.fallback { bad("no1"), function() count = 2 return nil, "no2" end }()
print(value, err, count) --> nil no1 2
local limited = function()
  return client:ask("hi", { headers = fault("429"), retry = { max = 0 } })
end
local _, err = llm.flow.fallback { limited, bad("no") }()
print(err.kind, err.step) --> rate_limit fallback[1]
local stream = function()
  for event in client:stream("hi", { headers = fault("401") }) do end
end
print(llm.flow.fallback { stream, function() return client:ask("hi") end }()) --> tok1 tok2 tok3\s

--# a fallback replaces a failed stream before anything is delivered
--: rate = 400
local shown = {}
local show = function(text) shown[#shown + 1] = text end
local bad = function() return client:ask("hi", { headers = fault("error-frame@20", 100), retry = { max = 0 }, on_token = show }) end
local good = function() return client:ask("hi", { on_token = show }) end
print(llm.flow.fallback({ bad, good }, { chars = 1000 })()) --> tok1 tok2 tok3\s
print(table.concat(shown)) --> tok1 tok2 tok3\s

--# the window of fallback opens by characters, by seconds and at the end
--: rate = 400
local shown, first = {}, nil
local show = function(text) first = first or llm.now() shown[#shown + 1] = text end
local bad = function(after) return function()
  return client:ask("hi", { headers = fault("error-frame@" .. after, 100), retry = { max = 0 }, on_token = show })
end end
llm.flow.fallback({ bad(20), function() return "once" end }, { chars = 20 })()
print(table.concat(shown, "", 1, 4), "| once") --> tok1 tok2 tok3 tok4  | once
local before = llm.now()
first = nil
llm.flow.fallback({ bad(90), function() return "x" end }, { seconds = 0.05 })()
print(first - before >= 0.05) --> true
shown = {}
llm.flow.fallback({ function() return client:ask("hi", { on_token = show }) end, bad(1) }, { chars = 1000 })()
print(#shown, table.concat(shown)) --> 3 tok1 tok2 tok3\s

--# fallback holds a loop over a stream back
--: rate = 400
local tries = 0
local stream = function(faults) return function()
  tries = tries + 1
  local text = ""
  for event in client:stream("hi", { headers = faults, retry = { max = 0 } }) do
    if event.type == "token" then text = text .. event.text end
  end
  return text
end end
print(llm.flow.fallback({ stream(fault("eof@900", 100)), stream() }, { chars = 1000 })()) --> tok1 tok2 tok3\s
print(tries) --> 2

--# judge
local item, err, verdict = llm.flow.judge({ "a", "b" }, { client = llm.client {}, rubric = "Which is shorter?" })
print(item == ({ "a", "b" })[verdict.best], type(verdict.reason) == "string") --> true true
print((llm.flow.judge({ "only" }, { client = client })), nil) --> only nil
