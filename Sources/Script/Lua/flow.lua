-- llm.flow: combinators of prompt chains. A step is any function value -> value | nil, err. Every combinator is a scope:
-- however it is left, everything started inside is cancelled and waited for. Loaded on first use, with the host's primitives,
-- the module and the internals of llm.lua.
--
-- A failure is nil, err, or an llm error that a step raises (as the loop of a stream does). Any other error is a defect of the
-- script: it leaves every combinator, with the traceback of its place.
--
-- A combinator returns all results of the step that made its value: the errors of map { keep_going } and the tally of vote
-- are second and third results.
local host, llm, internal, _ENV = ...
local describe, Failure, fail = internal.describe, internal.Failure, host.misuse
local scoped, begin, next_branch, failed = internal.scope.run, internal.scope.begin, internal.scope.next, internal.scope.failed
local unpacked = internal.scope.unpack
local blame, all_failed, options_of = internal.step.blame, internal.step.all_failed, internal.step.options_of
local need, need_steps, count_items = internal.step.need, internal.step.need_steps, internal.step.count_items
local need_arguments, has_errors = internal.step.need_arguments, internal.step.has_errors
local flow = {}

local function has_failed(results) return failed(results[1], results[2]) end

-- Sequential -------------------------------------------------------------------------------------------------------

-- seq(a, b, ...): each step gets all results of the one before.
function flow.seq(...)
  local steps, count = { ... }, need_arguments("flow.seq", ...)
  return function(...)
    local at, values = 1, table.pack(...)
    local function where() return "step " .. at .. " of llm.flow.seq" end
    local results = table.pack(scoped(where, function(_)
      for index = 1, count do
        at = index
        values = table.pack(steps[index](unpacked(values)))
        if has_failed(values) then return nil, values[2] end
      end
      return unpacked(values)
    end))
    if has_failed(results) then return nil, blame(results[2], "seq[" .. at .. "]") end
    return unpacked(results)
  end
end

-- branch(pred, a, b): a if pred(value) is true, else b; without b the value is returned unchanged.
function flow.branch(pred, a, ...)
  need("flow.branch", "the condition", pred)
  need("flow.branch", "the step for true", a)
  local b = ...
  if select("#", ...) > 0 then need("flow.branch", "the step for false", b) end
  return function(...)
    local at, values = "the condition", table.pack(...)
    return scoped(function() return at .. " of llm.flow.branch" end, function()
      local holds, err = pred(unpacked(values))
      if holds == nil and err ~= nil then return nil, err end
      at = holds and "the first step" or "the second step"
      if holds then return a(unpacked(values)) end
      if b then return b(unpacked(values)) end
      return unpacked(values)
    end)
  end
end

local function folded(where, items, fn, start, each, errors)
  local total = count_items(where, items)
  need(where, "the step", fn)
  local at, values = 0, { start, n = 1 }
  local result, err = scoped(function() return "item " .. at .. " of llm." .. where end, function(number)
    if each then host.scope_partial(number, { each, errors }) end
    for index = 1, total do
      at = index
      values = table.pack(fn(values[1], items[index], index))
      if has_failed(values) then return nil, values[2] end
      if each then each[#each + 1] = values[1] end
      if errors and has_errors(values[2]) then errors[index] = values[2] end
    end
    return true
  end)
  if not result then return { nil, blame(err, string.sub(where, 6) .. "[" .. at .. "]"), n = 2 } end
  return values
end

-- reduce(items, fn, start): fn(value so far, item, index) for each item in order.
function flow.reduce(items, fn, start) return unpacked(folded("flow.reduce", items, fn, start)) end

-- scan(items, fn, start): like reduce, but returns every intermediate value. The errors of a map { keep_going } among the
-- steps are the second result, by the place of the item.
function flow.scan(items, fn, start)
  local all, errors = llm.json.array {}, internal.step.errors()
  local values = folded("flow.scan", items, fn, start, all, errors)
  if has_failed(values) then return nil, values[2] end
  if has_errors(errors) then return all, errors end
  return all
end

-- loop(fn, { stop_when = f, max = n }): repeats fn(value, round) until stop_when(value, round) is true.
function flow.loop(fn, options)
  need("flow.loop", "the step", fn)
  options = options_of("flow.loop", options)
  local stop_when, max = options.stop_when, options.max or math.huge
  if not stop_when and max == math.huge then fail("flow.loop needs stop_when or max, or it would never end") end
  return function(...)
    local at, values = 0, table.pack(...)
    local results = table.pack(scoped(function() return "round " .. at .. " of llm.flow.loop" end, function()
      while at < max do
        at = at + 1
        values = table.pack(fn(values[1], at))
        if has_failed(values) then return nil, values[2] end
        if stop_when and stop_when(values[1], at) then break end
      end
      return unpacked(values)
    end))
    if has_failed(results) then return nil, blame(results[2], "loop[" .. at .. "]") end
    return unpacked(results)
  end
end

-- refine(fn, { critic = f, rounds = 2 }): fn(input), then critic(draft, input), then fn(input, draft, critique). A critic
-- returns nil, true or "" to end.
function flow.refine(fn, options)
  need("flow.refine", "the step", fn)
  options = options_of("flow.refine", options)
  local critic, rounds = need("flow.refine", "critic", options.critic), options.rounds or 2
  return function(input)
    local at = "the draft"
    local results = table.pack(scoped(function() return at .. " of llm.flow.refine" end, function()
      local draft = table.pack(fn(input))
      for round = 1, rounds do
        if has_failed(draft) then return nil, draft[2] end
        at = "critique " .. round
        local critique, problem = critic(draft[1], input)
        if failed(critique, problem) then return nil, problem end
        if critique == nil or critique == true or critique == "" then break end
        at = "revision " .. round
        draft = table.pack(fn(input, draft[1], critique))
      end
      return unpacked(draft)
    end))
    if has_failed(results) then return nil, blame(results[2], "refine: " .. at) end
    return unpacked(results)
  end
end

-- Concurrent -------------------------------------------------------------------------------------------------------

-- Checks the steps of `all`: an array of steps has no holes.
local function need_named_steps(where, steps)
  if type(steps) ~= "table" or next(steps) == nil then fail(where .. " takes a table of steps, not " .. describe(steps)) end
  local last = 0
  for name, step in next, steps do
    need(where, "step " .. tostring(name), step)
    if math.type(name) == "integer" then last = math.max(last, name) end
  end
  for place = 1, last do need(where, "step " .. place, steps[place]) end
end

-- all{ x = a, y = b }: every step gets the value; the results have the same names. The first failure ends the others. The
-- errors of a map { keep_going } among the steps are the second result, by the name of the step.
function flow.all(steps)
  need_named_steps("flow.all", steps)
  return function(...)
    local running, values = {}, table.pack(...)
    return scoped(function() return tostring(running.last) .. " of llm.flow.all" end, function(scope)
      for name, step in next, steps do begin(running, name, step, unpacked(values)) end
      local results, errors = {}, internal.step.errors()
      while running.count > 0 do
        local name, branch = next_branch(scope, running)
        if has_failed(branch) then return nil, blame(branch[2], "all." .. tostring(name)) end
        results[name] = branch[1]
        if has_errors(branch[2]) then errors[name] = branch[2] end
      end
      if has_errors(errors) then return results, errors end
      return results
    end)
  end
end

-- The results of the first branch that succeeds; nil if all failed.
local function first_success(scope, running, errors)
  while running.count > 0 do
    local name, branch = next_branch(scope, running)
    if not has_failed(branch) then return branch end
    errors[#errors + 1] = blame(branch[2], name)
  end
end

-- race{ a, b }: all run concurrently; the first success wins, and the others are cancelled in the same turn.
function flow.race(steps)
  need_steps("flow.race", steps)
  return function(...)
    local running, errors, values = {}, {}, table.pack(...)
    return scoped(function() return tostring(running.last) .. " of llm.flow.race" end, function(scope)
      for index, step in ipairs(steps) do begin(running, "race[" .. index .. "]", step, unpacked(values)) end
      local winner = first_success(scope, running, errors)
      if winner then return unpacked(winner) end
      return all_failed(errors)
    end)
  end
end

-- hedge(a, b, { after = 2 }): starts b too if a failed, or gave no token, after so many seconds.
function flow.hedge(a, b, options)
  need("flow.hedge", "the first step", a)
  need("flow.hedge", "the second step", b)
  local after = options_of("flow.hedge", options).after or 2
  return function(...)
    local running, errors, values = {}, {}, table.pack(...)
    return scoped(function() return tostring(running.last) .. " of llm.flow.hedge" end, function(scope)
      begin(running, "hedge[1]", a, unpacked(values))
      local name, branch = next_branch(scope, running, host.now() + after)
      if name and not has_failed(branch) then return unpacked(branch) end
      if name then errors[1] = blame(branch[2], name) end
      local is_second_begun = name ~= nil or not host.scope_has_output(scope)
      if is_second_begun then begin(running, "hedge[2]", b, unpacked(values)) end
      local winner = first_success(scope, running, errors)
      -- The first step failed after its first token.
      if not winner and not is_second_begun then
        begin(running, "hedge[2]", b, unpacked(values))
        winner = first_success(scope, running, errors)
      end
      if winner then return unpacked(winner) end
      return all_failed(errors)
    end)
  end
end

-- fallback({ a, b }, { chars = n, seconds = s }): runs the next step if one fails. With chars or seconds, the first tokens of
-- every step but the last are held back until so many characters have come, or so many seconds have passed since the
-- first. A step that fails before is replaced and nothing of it is shown.
function flow.fallback(steps, options)
  need_steps("flow.fallback", steps)
  options = options_of("flow.fallback", options)
  local hold = next(options) and options
  return function(...)
    local errors, values = {}, table.pack(...)
    for index, step in ipairs(steps) do
      local name = "fallback[" .. index .. "]"
      local results = table.pack(scoped(function() return name end, function() return step(unpacked(values)) end, nil,
        index < #steps and hold or nil))
      if not has_failed(results) then return unpacked(results) end
      errors[index] = blame(results[2], name)
    end
    return all_failed(errors)
  end
end

-- Kinds of failures that a retry cannot fix.
local FINAL = {
  config = true, auth = true, permission = true, quota = true, invalid_request = true, budget = true, journal = true,
}

-- retry(fn, { max = 3, base = 0.5, on = f }): repeats fn after a failure, up to max times, with exponential backoff.
-- on(err, try) decides whether; the default retries every failure that a retry can fix.
function flow.retry(fn, options)
  need("flow.retry", "the step", fn)
  options = options_of("flow.retry", options)
  local max, base, cap = options.max or 3, options.base or 0.5, options.cap or 30
  local on = options.on or function(err) return getmetatable(err) ~= Failure or not FINAL[err.kind] end
  return function(value)
    local try = 0
    while true do
      try = try + 1
      local results = table.pack(scoped(function() return "try " .. try .. " of llm.flow.retry" end, function()
        return fn(value, try)
      end))
      if not has_failed(results) then return unpacked(results) end
      local err = results[2]
      if try > max or not on(err, try) then return nil, blame(err, "retry[" .. try .. "]") end
      -- Half of the wait is jitter, so that steps that failed together do not return together.
      local wait = math.min(cap, base * 2 ^ (try - 1))
      llm.sleep(wait / 2 + math.random() * wait / 2)
    end
  end
end

-- timeout(seconds, fn): nil and an error of kind "timeout" if fn takes longer. err.partial has the results of a map that was
-- ended.
function flow.timeout(seconds, ...)
  if type(seconds) ~= "number" or not (seconds > 0) then
    fail("flow.timeout takes a number of seconds above 0, not " .. describe(seconds))
  end
  local fn = ...
  if select("#", ...) ~= 1 then fail("flow.timeout takes one step, not " .. select("#", ...)) end
  need("flow.timeout", "the step", fn)
  return function(...)
    local running, values = {}, table.pack(...)
    return scoped(function() return "llm.flow.timeout" end, function(scope)
      begin(running, "timeout", fn, unpacked(values))
      local name, branch = next_branch(scope, running, host.now() + seconds)
      if name then return unpacked(branch) end
      local err = setmetatable({
        kind = "timeout", message = "the step took longer than " .. seconds .. " s", retryable = true, step = "timeout",
      }, Failure)
      return nil, internal.scope.with_partial(err, scope)
    end)
  end
end

for name, combinator in next, internal.parallel do flow[name] = combinator end
return internal.named("llm.flow", flow)
