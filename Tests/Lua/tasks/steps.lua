-- llm.step without a job: the work runs, and its results are those that a record would give back.
local llm = require "llm"
local simulator = require "simulator"
local client = simulator.client()

--# the work gets the arguments, and the script its results
print(llm.step("add", function(a, b) return a + b, a * b end, 2, 3)) --> 5 6
print(select("#", llm.step("nothing", function() end))) --> 0
print(llm.step("nil inside", function() return 1, nil, 3 end)) --> 1 nil 3

--# results are copies without metatables
local original = { 1, { deep = true } }
local copy = llm.step("copy", function() return original end)
print(copy ~= original, copy[2].deep) --> true true
local reply = llm.step("ask", function() return client:ask("hi") end)
print(getmetatable(reply), reply.text) --> nil tok1 tok2 tok3\s

--# a failed request is not recorded, and keeps its error
local reply, err = llm.step("ask", function() return client:ask("hi", { headers = simulator.fault("401") }) end)
print(reply, err.kind, tostring(err) ~= "") --> nil auth true

--# the work may send requests and begin tasks
print(llm.step("outer", function()
  local task = llm.spawn(function() return client:ask("hi").text end)
  return llm.step("outer", function() return task:wait() end)
end)) --> tok1 tok2 tok3\s

--# steps run in tasks and combinators
local results = llm.flow.map({ 1, 2, 3 }, function(item) return llm.step("item", function() return item * 2 end) end)
print(table.concat(results, " ")) --> 2 4 6

--# an error passes with its traceback
local function work() error("broken") end --@ work
llm.step("load", work)
--! @work: broken
--! in llm.step "load"

--# misuse is raised with the line of the script
--: each_line = true
llm.step() --! llm.step takes the step's name, not nil
llm.step("a") --! llm.step: what "a" does must be a function, not nil
llm.step("a", function() return print end) --! llm.step "a": result 1: a function cannot be written as JSON; a step returns what JSON can hold
llm.stepp("a", print) --! did you mean 'step'
