-- The combinators of llm.flow over several items or answers: map, vote and judge. Loaded by flow.lua, which defines steps
-- and failures.
local host, llm, internal, _ENV = ...
local Failure, fail = internal.Failure, host.misuse
local scoped, begin, next_branch, failed = internal.scope.run, internal.scope.begin, internal.scope.next, internal.scope.failed
local blame, all_failed, options_of = internal.step.blame, internal.step.all_failed, internal.step.options_of
local is_callable, need, count_items = internal.step.is_callable, internal.step.need, internal.step.count_items
local has_errors = internal.step.has_errors
local parallel = {}

-- The error of a step whose items all failed: the first error, made an llm error if it is none, with the others.
local function every_item_failed(errors, total)
  local list = {}
  for index = 1, total do
    local err = errors[index]
    if getmetatable(err) ~= Failure then
      local said = type(err) == "table" and err or {}
      err = setmetatable({
        kind = type(said.kind) == "string" and said.kind or "provider",
        message = type(said.message) == "string" and said.message or tostring(err),
        retryable = true, step = "map[" .. index .. "]",
      }, Failure)
    end
    list[index] = err
  end
  return all_failed(list)
end

local function mapped(items, fn, options, is_step)
  local total = count_items("flow.map", items)
  need("flow.map", "the step", fn)
  options = options_of("flow.map", options)
  local limit, progress, ordered = options.limit or 8, options.on_progress, options.ordered ~= false
  if limit < 1 then fail("flow.map: option 'limit' must be 1 or more") end
  local at, done, failures = 0, 0, 0
  local results, errors = llm.json.array {}, internal.step.errors(ordered and total or nil)
  -- The results go to another step: false for a failed item, because ipairs and JSON stop at a hole.
  if ordered and is_step then for index = 1, total do results[index] = false end end
  local busy, running = {}, {}

  -- With keep_going, an llm error that the step raises (as the loop of a stream does) fails only its item.
  local function step(index)
    if not options.keep_going then return fn(items[index], index) end
    local ok, result, err = xpcall(fn, function(problem)
      if getmetatable(problem) ~= Failure then host.trace(problem, "the step of llm.flow.map") end
      return problem
    end, items[index], index)
    if ok then return result, err end
    if getmetatable(result) ~= Failure or result.kind == "cancelled" then error(result, 0) end
    return nil, result
  end

  -- One of `limit` tasks, each of which takes the next item. One task an item would cost more than most items.
  local function work(worker)
    while at < total do
      at = at + 1
      local index = at
      busy[worker] = index
      local result, err = step(index)
      if failed(result, err) then
        err = blame(err, "map[" .. index .. "]")
        if not options.keep_going then return nil, err end
        errors[index], failures = err, failures + 1
      else
        if has_errors(err) then errors[index] = err end
        if not ordered then
          results[#results + 1] = result
        elseif result ~= nil then
          results[index] = result
        end
      end
      done = done + 1
      if progress then progress(done, total) end
    end
    return true
  end

  local function where() return "item " .. tostring(busy[running.last]) .. " of llm.flow.map" end
  return scoped(where, function(scope)
    host.scope_partial(scope, { results, errors, ordered and total or 0 })
    for worker = 1, math.min(limit, total) do begin(running, worker, work, worker) end
    while (running.count or 0) > 0 do
      local _, branch = next_branch(scope, running)
      if not branch[1] then
        local err = branch[2]
        if getmetatable(err) == Failure and err.kind == "budget" then internal.scope.with_partial(err, scope) end
        return nil, err
      end
    end
    if is_step and total > 0 and failures == total then return every_item_failed(errors, total) end
    if options.keep_going or has_errors(errors) then return results, errors end
    return results
  end)
end

-- map(items, fn, { limit = 8, on_progress = f, ordered = true, keep_going = false }): fn(item, index) for every item, at
-- most `limit` concurrently. ordered = false: results in the order of completion. The first failure ends the rest, unless
-- keep_going is set: then the errors are a second table, by index. map(fn, options) is a step: results[index] is false for a
-- failed item, and the step fails if every item failed.
function parallel.map(items, fn, options)
  if not is_callable(items) then return mapped(items, fn, options, false) end
  local step = items
  options_of("flow.map", fn)
  return function(value) return mapped(value, step, fn, true) end
end

-- vote(fn, { n = 5, key = f, early = true }): asks n times and returns the most frequent answer by key(answer). early stops
-- when the majority is decided; no more answers are started than may still be needed. The second result is nil, or the
-- errors of a map { keep_going } that the answer comes from; the third is the tally: key -> votes.
function parallel.vote(fn, options)
  need("flow.vote", "the step", fn)
  options = options_of("flow.vote", options)
  local n, key, early = options.n or 5, options.key or function(answer)
    local text = type(answer) == "table" and answer.text or answer
    return type(text) == "string" and string.lower(string.match(text, "^%s*(.-)%s*$")) or text
  end, options.early ~= false
  if n < 1 then fail("flow.vote: option 'n' must be 1 or more") end
  local majority = n // 1 // 2 + 1
  return function(value)
    local running, errors, tally, first, best, begun = {}, {}, {}, {}, nil, 0
    local kept = {}
    local function leader() return best and tally[best] or 0 end
    return scoped(function() return tostring(running.last) .. " of llm.flow.vote" end, function(scope)
      running.count = 0
      while true do
        while begun < n and (not early or leader() + running.count < majority) do
          begun = begun + 1
          begin(running, "vote[" .. begun .. "]", fn, value, begun)
        end
        if running.count == 0 or (early and leader() >= majority) then break end
        local name, branch = next_branch(scope, running)
        local answer, err = branch[1], branch[2]
        if failed(answer, err) then
          errors[#errors + 1] = blame(err, name)
        else
          local ballot = key(answer)
          tally[ballot] = (tally[ballot] or 0) + 1
          if first[ballot] == nil then
            first[ballot] = answer
            if has_errors(err) then kept[ballot] = err end
          end
          if not best or tally[ballot] > tally[best] then best = ballot end
        end
      end
      if best == nil then return all_failed(errors) end
      return first[best], kept[best], tally
    end)
  end
end

-- judge(items, { client = c, rubric = "...", options = {} }): the best item by the rubric, in the model's judgement. The
-- second result is nil, the third is the verdict: { best = n, reason = "..." }.
function parallel.judge(items, options)
  local total = count_items("flow.judge", items)
  options = options_of("flow.judge", options)
  local client, rubric = options.client, options.rubric or "Which is best?"
  if total == 0 then fail("flow.judge takes at least one item") end
  if client == nil then fail("flow.judge needs a client: the model that judges") end
  local lines, numbers = {}, {}
  for index = 1, total do
    -- A failed item of map { keep_going } is no candidate.
    local item = items[index]
    if item then
      lines[#lines + 1] = "[" .. index .. "]\n" .. tostring(item)
      numbers[#numbers + 1] = index
    end
  end
  if #numbers == 0 then
    return nil, setmetatable({
      kind = "invalid_request", message = "flow.judge: every item is false or nil, as failed items of map are", retryable = false,
      step = "judge",
    }, Failure)
  end
  if #numbers == 1 then return items[numbers[1]], nil, { best = numbers[1], reason = "there is no other" } end
  local request = {}
  for name, value in next, options.options or {} do request[name] = value end
  request.response_format = { type = "json_schema", name = "verdict", schema = {
    type = "object", required = { "best", "reason" }, additionalProperties = false,
    properties = { best = { type = "integer", enum = numbers }, reason = { type = "string" } },
  } }
  return scoped(function() return "llm.flow.judge" end, function()
    local reply, err = client:ask(rubric .. "\n\nAnswer with the number of the best and the reason.\n\n"
      .. table.concat(lines, "\n\n"), request)
    if not reply then return nil, blame(err, "judge") end
    local verdict = llm.json.decode(reply.text)
    local best = type(verdict) == "table" and math.tointeger(verdict.best)
    if not best or not items[best] then
      return nil, setmetatable({
        kind = "protocol", message = "the judge named no item: " .. string.sub(reply.text, 1, 200), retryable = true, step = "judge",
        provider = reply.provider, model = reply.model, attempts = reply.attempts,
      }, Failure)
    end
    return items[best], nil, verdict
  end)
end

return parallel
