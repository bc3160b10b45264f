-- llm.flow: the combinators that prompt chains are built from. A step is any function value -> value | nil, err. Every
-- combinator is a scope: however it is left, what was begun inside is cancelled and waited for. Loaded when a script
-- first says llm.flow, with the host's primitives, the module and what llm.lua shares.
--
-- A failure is what a step returns as nil, err, or an llm error that it raises (a stream's loop does). Whatever else it
-- raises is a defect of the script: it leaves every combinator at once, with the traceback of where it happened.
local host, llm, shared, _ENV = ...
local describe, Failure, fail = shared.describe, shared.Failure, host.misuse
local scoped, begin, next_branch, failed = shared.scope.run, shared.scope.begin, shared.scope.next, shared.scope.failed
local blame, all_failed, options_of = shared.steps.blame, shared.steps.all_failed, shared.steps.options_of
local need, need_steps, need_items = shared.steps.need, shared.steps.need_steps, shared.steps.need_items
local flow = {}

-- One after the other ----------------------------------------------------------------------------------------------

-- seq(a, b, ...): each step gets what the one before it returned.
function flow.seq(...)
  local steps = need_steps("flow.seq", { ... })
  return function(value)
    local at = 1
    local function where() return "step " .. at .. " of llm.flow.seq" end
    local result, err = scoped(where, function(_)
      for index = 1, #steps do
        at = index
        local given, failure = steps[index](value)
        if failed(given, failure) then return nil, failure end
        value = given
      end
      return value
    end)
    if failed(result, err) then return nil, blame(err, "seq[" .. at .. "]") end
    return result
  end
end

-- branch(pred, a, b): a where pred(value) holds, else b; without b the value passes.
function flow.branch(pred, a, b)
  need("flow.branch", "the condition", pred)
  need("flow.branch", "the step for true", a)
  if b ~= nil then need("flow.branch", "the step for false", b) end
  return function(value)
    local at = "the condition"
    return scoped(function() return at .. " of llm.flow.branch" end, function()
      local holds, err = pred(value)
      if holds == nil and err ~= nil then return nil, err end
      at = holds and "the first step" or "the second step"
      if holds then return a(value) end
      if b then return b(value) end
      return value
    end)
  end
end

local function folded(where, items, fn, start, each)
  need_items(where, items)
  need(where, "the step", fn)
  local at, value = 0, start
  local result, err = scoped(function() return "item " .. at .. " of llm." .. where end, function()
    for index, item in ipairs(items) do
      at = index
      local given, failure = fn(value, item, index)
      if failed(given, failure) then return nil, failure end
      value = given
      each(value)
    end
    return true
  end)
  if not result then return nil, blame(err, where:sub(6) .. "[" .. at .. "]") end
  return value
end

-- reduce(items, fn, start): fn(value so far, item, index), one after the other.
function flow.reduce(items, fn, start) return folded("flow.reduce", items, fn, start, function() end) end

-- scan(items, fn, start): as reduce; returns every value on the way.
function flow.scan(items, fn, start)
  local all = {}
  local _, err = folded("flow.scan", items, fn, start, function(value) all[#all + 1] = value end)
  if err ~= nil then return nil, err end
  return all
end

-- loop(fn, { stop_when = f, max = n }): fn(value, round) again and again, until stop_when(value, round) holds.
function flow.loop(fn, options)
  need("flow.loop", "the step", fn)
  options = options_of("flow.loop", options, { stop_when = "function", max = "count" })
  local stop_when, max = options.stop_when, options.max or math.huge
  if not stop_when and max == math.huge then fail("flow.loop needs stop_when or max, or it would never end") end
  return function(value)
    local at = 0
    local result, err = scoped(function() return "round " .. at .. " of llm.flow.loop" end, function()
      while at < max do
        at = at + 1
        local given, failure = fn(value, at)
        if failed(given, failure) then return nil, failure end
        value = given
        if stop_when and stop_when(value, at) then break end
      end
      return value
    end)
    if failed(result, err) then return nil, blame(err, "loop[" .. at .. "]") end
    return result
  end
end

-- refine(fn, { critic = f, rounds = 2 }): fn(input), then critic(draft, input); what the critic says goes back as
-- fn(input, draft, critique). A critic that has nothing more to say returns nil, true or "".
function flow.refine(fn, options)
  need("flow.refine", "the step", fn)
  options = options_of("flow.refine", options, { critic = "any", rounds = "count" })
  local critic, rounds = need("flow.refine", "critic", options.critic), options.rounds or 2
  return function(input)
    local at = "the draft"
    local result, err = scoped(function() return at .. " of llm.flow.refine" end, function()
      local draft, failure = fn(input)
      for round = 1, rounds do
        if failed(draft, failure) then return nil, failure end
        at = "critique " .. round
        local critique, problem = critic(draft, input)
        if failed(critique, problem) then return nil, problem end
        if critique == nil or critique == true or critique == "" then break end
        at = "revision " .. round
        draft, failure = fn(input, draft, critique)
      end
      return draft, failure
    end)
    if failed(result, err) then return nil, blame(err, "refine: " .. at) end
    return result
  end
end

-- Side by side -----------------------------------------------------------------------------------------------------

-- all{ x = a, y = b }: every step gets the value; the results by the same names. The first failure ends the others.
function flow.all(steps)
  if type(steps) ~= "table" or next(steps) == nil then fail("flow.all takes a table of steps, not " .. describe(steps)) end
  for name, step in next, steps do need("flow.all", "step " .. tostring(name), step) end
  return function(value)
    local running = {}
    return scoped(function() return tostring(running.last) .. " of llm.flow.all" end, function(scope)
      for name, step in next, steps do begin(running, name, step, value) end
      local results = {}
      while running.count > 0 do
        local name, result, err = next_branch(scope, running)
        if failed(result, err) then return nil, blame(err, "all." .. tostring(name)) end
        results[name] = result
      end
      return results
    end)
  end
end

-- The branches of a race: the first success, or all errors.
local function first_success(scope, running, errors)
  while running.count > 0 do
    local name, value, err = next_branch(scope, running)
    if not failed(value, err) then return true, value end
    errors[#errors + 1] = blame(err, name)
  end
  return false
end

-- race{ a, b }: all at once; the first success wins, and the others are cancelled in the same turn.
function flow.race(steps)
  need_steps("flow.race", steps)
  return function(value)
    local running, errors = {}, {}
    return scoped(function() return tostring(running.last) .. " of llm.flow.race" end, function(scope)
      for index, step in ipairs(steps) do begin(running, "race[" .. index .. "]", step, value) end
      local won, result = first_success(scope, running, errors)
      if won then return result end
      return all_failed(errors)
    end)
  end
end

-- hedge(a, b, { after = 2 }): begins b too if a has failed, or brought no first token, after so many seconds.
function flow.hedge(a, b, options)
  need("flow.hedge", "the first step", a)
  need("flow.hedge", "the second step", b)
  local after = options_of("flow.hedge", options, { after = "span" }).after or 2
  return function(value)
    local running, errors = {}, {}
    return scoped(function() return tostring(running.last) .. " of llm.flow.hedge" end, function(scope)
      begin(running, "hedge[1]", a, value)
      local name, result, err = next_branch(scope, running, host.now() + after)
      if name and not failed(result, err) then return result end
      if name then errors[1] = blame(err, name) end
      if name or not host.scope_has_output(scope) then begin(running, "hedge[2]", b, value) end
      local won
      won, result = first_success(scope, running, errors)
      if won then return result end
      -- The first step had begun to speak, and failed after that.
      if #errors == 1 and errors[1] ~= err then
        begin(running, "hedge[2]", b, value)
        won, result = first_success(scope, running, errors)
        if won then return result end
      end
      return all_failed(errors)
    end)
  end
end

-- fallback({ a, b }, { chars = n, seconds = s }): the next step where one fails. With chars or seconds, the first tokens of
-- every step but the last are held back until so many characters have come, or so many seconds have passed since the
-- first: a step that fails before is replaced unseen.
function flow.fallback(steps, options)
  need_steps("flow.fallback", steps)
  options = options_of("flow.fallback", options, { chars = "count", seconds = "span" })
  local hold = next(options) and options
  return function(value)
    local errors = {}
    for index, step in ipairs(steps) do
      local name = "fallback[" .. index .. "]"
      local result, err = scoped(function() return name end, function() return step(value) end, nil,
        index < #steps and hold or nil)
      if not failed(result, err) then return result end
      errors[index] = blame(err, name)
    end
    return all_failed(errors)
  end
end

-- Kinds of failures that another try does not heal.
local FINAL = { config = true, auth = true, permission = true, quota = true, invalid_request = true, budget = true }

-- retry(fn, { max = 3, base = 0.5, on = f }): again after a failure, up to max times more, each after a longer wait.
-- on(err, try) says whether; without it, every failure but those that another try does not heal.
function flow.retry(fn, options)
  need("flow.retry", "the step", fn)
  options = options_of("flow.retry", options, { max = "count", base = "span", cap = "span", on = "function" })
  local max, base, cap = options.max or 3, options.base or 0.5, options.cap or 30
  local on = options.on or function(err) return getmetatable(err) ~= Failure or not FINAL[err.kind] end
  return function(value)
    local try = 0
    while true do
      try = try + 1
      local result, err = scoped(function() return "try " .. try .. " of llm.flow.retry" end, function()
        return fn(value, try)
      end)
      if not failed(result, err) then return result end
      if try > max or not on(err, try) then return nil, blame(err, "retry[" .. try .. "]") end
      -- Half of the wait is chance, so that many that failed together do not come back together.
      local wait = math.min(cap, base * 2 ^ (try - 1))
      llm.sleep(wait / 2 + math.random() * wait / 2)
    end
  end
end

-- timeout(seconds, fn): nil and an error of kind "timeout" where fn takes longer.
function flow.timeout(seconds, fn)
  if type(seconds) ~= "number" or not (seconds > 0) then
    fail("flow.timeout takes a number of seconds above 0, not " .. describe(seconds))
  end
  need("flow.timeout", "the step", fn)
  return function(value)
    local running = {}
    return scoped(function() return "llm.flow.timeout" end, function(scope)
      begin(running, "timeout", fn, value)
      local name, result, err = next_branch(scope, running, host.now() + seconds)
      if name and failed(result, err) then return nil, err end
      if name then return result end
      return nil, setmetatable({
        kind = "timeout", message = "the step took longer than " .. seconds .. " s", retryable = true, step = "timeout",
      }, Failure)
    end)
  end
end

for name, combinator in next, shared.many do flow[name] = combinator end
return flow
