-- The combinators of llm.flow over many items or answers: map, vote and judge. Loaded with flow.lua, which says what a step
-- and a failure is, and takes these in.
local host, llm, shared, _ENV = ...
local Failure, fail = shared.Failure, host.misuse
local scoped, begin, next_branch, failed = shared.scope.run, shared.scope.begin, shared.scope.next, shared.scope.failed
local blame, all_failed, options_of = shared.steps.blame, shared.steps.all_failed, shared.steps.options_of
local is_callable, need, need_items = shared.steps.is_callable, shared.steps.need, shared.steps.need_items
local many = {}

local MAP = { limit = "count", on_progress = "function", ordered = "boolean", keep_going = "boolean" }

-- map(items, fn, { limit = 8, on_progress = f, ordered = true, keep_going = false }): fn(item, index) for every item, at
-- most `limit` at once. ordered = false gives the results as they come. The first failure ends the rest, unless
-- keep_going: then the errors come as a second table, by index. map(fn, options) is the same as a step.
function many.map(items, fn, options)
  if is_callable(items) then
    local step, given = items, fn
    return function(value) return many.map(value, step, given) end
  end
  need_items("flow.map", items)
  need("flow.map", "the step", fn)
  options = options_of("flow.map", options, MAP)
  local limit, progress, ordered = options.limit or 8, options.on_progress, options.ordered ~= false
  if limit < 1 then fail("flow.map: option 'limit' must be 1 or more") end
  local total, at, done, results, errors = #items, 0, 0, {}, {}
  local busy, running = {}, {}

  -- One of `limit` tasks that take items as they get to them: a task an item would cost more than most items.
  local function work(worker)
    while at < total do
      at = at + 1
      local index = at
      busy[worker] = index
      local result, err = fn(items[index], index)
      if failed(result, err) then
        if not options.keep_going then return nil, blame(err, "map[" .. index .. "]") end
        errors[index] = blame(err, "map[" .. index .. "]")
      elseif ordered then
        results[index] = result
      else
        results[#results + 1] = result
      end
      done = done + 1
      if progress then progress(done, total) end
    end
    return true
  end

  local function where() return "item " .. tostring(busy[running.last]) .. " of llm.flow.map" end
  return scoped(where, function(scope)
    for worker = 1, math.min(limit, total) do begin(running, worker, work, worker) end
    while (running.count or 0) > 0 do
      local _, ok, err = next_branch(scope, running)
      if not ok then return nil, err end
    end
    if options.keep_going then return results, errors end
    return results
  end)
end

local VOTE = { n = "count", key = "function", early = "boolean" }

-- vote(fn, { n = 5, key = f, early = true }): asks n times and returns the answer that most agree on, by key(answer).
-- early stops when the majority is decided; no more are begun than might still be needed for it, so nothing is paid in
-- vain. Returns also nil and the tally: key -> votes.
function many.vote(fn, options)
  need("flow.vote", "the step", fn)
  options = options_of("flow.vote", options, VOTE)
  local n, key, early = options.n or 5, options.key or function(answer)
    local text = type(answer) == "table" and answer.text or answer
    return type(text) == "string" and text:match("^%s*(.-)%s*$"):lower() or text
  end, options.early ~= false
  if n < 1 then fail("flow.vote: option 'n' must be 1 or more") end
  local majority = n // 1 // 2 + 1
  return function(value)
    local running, errors, tally, first, best, begun = {}, {}, {}, {}, nil, 0
    local function leader() return best and tally[best] or 0 end
    return scoped(function() return tostring(running.last) .. " of llm.flow.vote" end, function(scope)
      running.count = 0
      while true do
        while begun < n and (not early or leader() + running.count < majority) do
          begun = begun + 1
          begin(running, "vote[" .. begun .. "]", fn, value, begun)
        end
        if running.count == 0 or (early and leader() >= majority) then break end
        local name, answer, err = next_branch(scope, running)
        if failed(answer, err) then
          errors[#errors + 1] = blame(err, name)
        else
          local ballot = key(answer)
          tally[ballot] = (tally[ballot] or 0) + 1
          if first[ballot] == nil then first[ballot] = answer end
          if not best or tally[ballot] > tally[best] then best = ballot end
        end
      end
      if best == nil then return all_failed(errors) end
      return first[best], nil, tally
    end)
  end
end

local JUDGE = { client = "any", rubric = "string", options = "table" }

-- judge(items, { client = c, rubric = "...", options = {} }): the item that the model finds best by the rubric. Returns also
-- nil and what it said: { best = n, reason = "..." }.
function many.judge(items, options)
  need_items("flow.judge", items)
  options = options_of("flow.judge", options, JUDGE)
  local client, rubric = options.client, options.rubric or "Which is best?"
  if #items == 0 then fail("flow.judge takes at least one item") end
  if client == nil then fail("flow.judge needs a client: the model that judges") end
  if #items == 1 then return items[1], nil, { best = 1, reason = "there is no other" } end
  local lines, numbers = {}, {}
  for index, item in ipairs(items) do
    lines[index] = "[" .. index .. "]\n" .. tostring(item)
    numbers[index] = index
  end
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
        kind = "protocol", message = "the judge named no item: " .. reply.text:sub(1, 200), retryable = true, step = "judge",
      }, Failure)
    end
    return items[best], nil, verdict
  end)
end

return many
