-- llm.budget: a cap on the tokens, dollars and seconds of a scope. Loaded on first use.
local host, llm, internal, _ENV = ...
local check, describe, Failure, scope = internal.check, internal.describe, internal.Failure, internal.scope

local Budget = { __name = "llm.budget" }
local methods = {}
local OPTIONS = host.options "budget"

local function failure(message)
  return setmetatable({ kind = "budget", message = message, retryable = false }, Failure)
end

-- The results of run: those of fn, or the error of the budget if the cap was reached, whatever fn did with the errors.
-- The results of fn are then err.partial and err.errors, or err.others.
local function outcome(self, results)
  local value, err = results[1], results[2]
  local why = select(3, host.budget_spent(self._handle))
  local has_failed = scope.failed(value, err)
  if not why or (has_failed and getmetatable(err) == Failure and err.kind == "budget") then return scope.unpack(results) end
  local spent = failure(why)
  if has_failed then spent.others = { err } else spent.partial, spent.errors = value, err end
  return nil, spent
end

-- Runs fn(...) inside the budget. Every request inside counts, also those of tasks and combinators. Returns the results of
-- fn, or nil and an error of kind "budget" once the cap is reached. Reaching it ends every request inside.
function methods:run(fn, ...)
  if getmetatable(self) ~= Budget then host.misuse("budget:run is a method: write budget:run(fn, ...)") end
  if not internal.step.is_callable(fn) then host.misuse("budget:run takes a function, not " .. describe(fn)) end
  local arguments = table.pack(...)
  return scope.run(function() return "llm.budget" end, function(inner)
    local running = {}
    scope.begin(running, "budget", function() return fn(scope.unpack(arguments)) end)
    local name, results = scope.next(inner, running, self._deadline)
    if name then return outcome(self, results) end
    host.budget_expire(self._handle, self._seconds)
    return nil, scope.with_partial(failure(select(3, host.budget_spent(self._handle))), inner)
  end, self._handle)
end

Budget.__call = methods.run
Budget.__index = function(self, name)
  if methods[name] then return methods[name] end
  local tokens, usd, exhausted = host.budget_spent(self._handle)
  if name == "tokens" then return math.ceil(tokens) end
  if name == "usd" then return usd end
  if name == "spent" then return exhausted ~= nil end
end

-- Warns once a script about default models without a price, for providers whose key is set: a request to one inside a
-- budget in dollars raises.
local is_told = false
local function tell_missing_prices()
  if is_told then return end
  is_told = true
  local missing = {}
  for _, provider in ipairs(host.providers()) do
    if provider.key_env and provider.has_key and provider.model and not llm.prices[provider.model] then
      missing[#missing + 1] = provider.model .. " (" .. provider.name .. ")"
    end
  end
  if #missing > 0 then
    llm.log.warning("llm.budget: no price is known of " .. table.concat(missing, ", ")
      .. "; to ask one of these, write llm.prices[\"MODEL\"] = { input = ..., output = ... }, in dollars for a million tokens")
  end
end

-- llm.budget{ tokens =, usd =, seconds = }: the time starts here.
return function(options)
  check("llm.budget", options, OPTIONS)
  if next(options) == nil then host.misuse("llm.budget needs tokens, usd or seconds") end
  if options.usd then tell_missing_prices() end
  local seconds = options.seconds
  return setmetatable({
    _handle = host.budget(options.tokens, options.usd), _seconds = seconds, _deadline = seconds and host.now() + seconds,
  }, Budget)
end
