-- llm.budget: a cap on what a scope may cost. Loaded when a script first says llm.budget.
local host, llm, shared, _ENV = ...
local check, describe, Failure, scope = shared.check, shared.describe, shared.Failure, shared.scope

local Budget = { __name = "llm.budget" }
local methods = {}
local OPTIONS = { tokens = "count", usd = "span", seconds = "seconds" }

local function failure(message)
  return setmetatable({ kind = "budget", message = message, retryable = false }, Failure)
end

-- Runs fn(...) inside the budget: whatever is asked there, by tasks and combinators too, counts. Returns what fn returns;
-- nil and an error of kind "budget" once the cap is reached, at which every request inside is ended.
function methods:run(fn, ...)
  if getmetatable(self) ~= Budget then host.misuse("budget:run is a method: write budget:run(fn, ...)") end
  if type(fn) ~= "function" then host.misuse("budget:run takes a function, not " .. describe(fn)) end
  local arguments = table.pack(...)
  return scope.run(function() return "llm.budget" end, function(inner)
    local running = {}
    scope.begin(running, "budget", fn, table.unpack(arguments, 1, arguments.n))
    local name, value, err = scope.next(inner, running, self._deadline)
    if name then
      if value == nil and err ~= nil then return nil, err end
      return value
    end
    host.budget_expire(self._id, self._seconds)
    return nil, failure(select(3, host.budget_spent(self._id)))
  end, self._id)
end

Budget.__call = methods.run
Budget.__gc = function(self) host.budget_release(self._id) end
Budget.__index = function(self, name)
  if methods[name] then return methods[name] end
  local tokens, usd, exhausted = host.budget_spent(self._id)
  if name == "tokens" then return math.ceil(tokens) end
  if name == "usd" then return usd end
  if name == "spent" then return exhausted ~= nil end
end

-- llm.budget{ tokens =, usd =, seconds = }: the time runs from here.
return function(options)
  check("llm.budget", options, OPTIONS)
  if next(options) == nil then host.misuse("llm.budget needs tokens, usd or seconds") end
  local seconds = options.seconds
  return setmetatable({
    _id = host.budget(options.tokens, options.usd), _seconds = seconds, _deadline = seconds and host.now() + seconds,
  }, Budget)
end
