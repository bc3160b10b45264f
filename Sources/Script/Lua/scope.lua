-- Scopes of flow.lua and budget.lua: everything started inside is over when the scope is left.
local host, _, internal, _ENV = ...
local Failure = internal.Failure
local scope = {}

-- Whether a step failed.
local function failed(value, err) return value == nil and err ~= nil end
scope.failed = failed

-- Runs body(inner) inside a new scope. `budget` counts its requests; `hold` holds first tokens back; both may be nil.
-- `where()` names the running step, for tracebacks. An llm error that body raises is returned as nil, err.
function scope.run(where, body, budget, hold)
  local inner = host.scope_enter(budget, hold and (hold.chars or math.maxinteger), hold and hold.seconds)
  local result = table.pack(xpcall(body, function(err) host.trace(err, where()) return err end, inner))
  host.scope_leave(inner)
  if not result[1] then
    if getmetatable(result[2]) == Failure and result[2].kind ~= "cancelled" then return nil, result[2] end
    error(result[2], 0)
  end
  return table.unpack(result, 2, result.n)
end

-- Starts a branch; `next` returns it when it is over.
function scope.begin(running, name, step, ...)
  local task, id = host.branch(step, ...)
  running[id] = { name = name, task = task }
  running.count = (running.count or 0) + 1
end

-- Waits for the next branch: its name and table.pack of its results; nil if `deadline` comes first. Raises what a branch
-- raised; failures are results.
function scope.next(inner, running, deadline)
  local id = host.scope_next(inner, deadline and math.max(0, deadline - host.now()))
  if not id then return nil end
  local name, task <close> = running[id].name, running[id].task
  running[id], running.count, running.last = nil, running.count - 1, name
  local results = table.pack(pcall(host.task_wait, task))
  if results[1] then return name, table.pack(table.unpack(results, 2, results.n)) end
  if getmetatable(results[2]) ~= Failure then error(results[2], 0) end
  return name, { nil, results[2], n = 2 }
end

-- All results of a step, from table.pack.
function scope.unpack(results) return table.unpack(results, 1, results.n) end

-- Sets `partial` and `errors` of an error to the results so far of a map inside the scope.
function scope.with_partial(err, inner)
  local partial = host.scope_partial(inner)
  if partial then
    err.partial = partial[1]
    -- false for items that are not done, so that there are no holes.
    for index = 1, partial[3] or 0 do if err.partial[index] == nil then err.partial[index] = false end end
    if partial[2] and next(partial[2]) ~= nil then err.errors = partial[2] end
  end
  return err
end

return scope
