-- Errors raised inside combinators, and wrong arguments of combinators.
local llm = require "llm"
local function id(value) return value end
local function slow() llm.sleep(60) end
local function boom()
  llm.sleep(0.001)
  error("broken") --@ boom
end

--# an error raised in a step leaves every combinator, and the traceback names the steps
--: each_line = true
--: time_limit = 20
--! @boom: broken
--! @boom: in\s
llm.flow.seq(id, boom)(1)
--! in step 2 of llm.flow.seq
llm.flow.race { slow, boom }()
--! in race[2] of llm.flow.race
llm.flow.all { x = slow, y = boom }()
--! in y of llm.flow.all
llm.flow.fallback { boom, id }()
--! in fallback[1]
llm.flow.retry(boom)()
--! in try 1 of llm.flow.retry
llm.flow.timeout(30, boom)()
--! in llm.flow.timeout
llm.flow.map({ 1, 2, 3 }, function(n) if n == 2 then boom() end llm.sleep(30) end)
--! in item 2 of llm.flow.map
llm.flow.vote(boom)()
--! llm.flow.vote
llm.flow.seq(id, llm.flow.all { x = llm.flow.race { slow, boom } })()
--! in race[2] of llm.flow.race
--! in x of llm.flow.all
--! in step 2 of llm.flow.seq

--# wrong arguments
--: each_line = true
llm.flow.seq() --! flow.seq takes one step or more
llm.flow.seq(1) --! step 1 must be a function, not 1
llm.flow.all {} --! flow.all takes a table of steps
llm.flow.race { x = print } --! flow.race takes an array
llm.flow.map({}, print, { limt = 3 }) --! did you mean 'limit'?
llm.flow.map(1, print) --! array of items
llm.flow.timeout(0, print) --! above 0
llm.flow.loop(print) --! stop_when or max
llm.flow.refine(print) --! critic must be a function, not nil
llm.flow.hedge(print) --! the second step
llm.flow.seq(print, missing) --! step 2 must be a function, not nil
llm.flow.seq(print, missing, print) --! step 2 must be a function, not nil
llm.flow.seq(missing) --! step 1 must be a function, not nil
llm.flow.race { missing, print } --! step 1 must be a function, not nil
llm.flow.race { print, missing, print } --! step 2 must be a function, not nil
llm.flow.race { print, x = print } --! flow.race takes an array of steps; there is a value at "x"
llm.flow.fallback { print, missing, print } --! step 2 must be a function, not nil
llm.flow.all { print, missing, print } --! step 2 must be a function, not nil
llm.flow.hedge(missing, print) --! the first step must be a function, not nil
llm.flow.branch(print, print, missing) --! the step for false must be a function, not nil
llm.flow.timeout(1, missing) --! the step must be a function, not nil
llm.flow.timeout(1, print, print) --! one step, not 2
llm.flow.map(missing) --! array of items, not nil
llm.flow.map({ text = 'x' }, print) --! array of items; there is a value at "text"
llm.flow.reduce({ text = 'x' }, print) --! array of items; there is a value at "text"
llm.flow.map(print, { limt = 3 }) --! did you mean 'limit'?
llm.flow.timout(1, print) --! llm.flow has no 'timout' (did you mean 'timeout'?)
llm.budgt { tokens = 1 } --! llm has no 'budgt' (did you mean 'budget'?)
llm.json.encod {} --! llm.json has no 'encod' (did you mean 'encode'?)
llm.flow.retry(print, { max = -1 }) --! 0 or more
llm.flow.vote(print, { n = 0 }) --! 1 or more
