-- Checks the option `cache` if it is a table. Loaded on first use.
local host, _, internal, _ENV = ...
local describe, fail = internal.describe, host.misuse
local OPTIONS, SCOPES = host.options "cache", { "job", "store" }

return function(where, cache)
  internal.check(where .. ": cache", cache, OPTIONS)
  local scope, pace = cache.scope, cache.pace
  if scope ~= nil and scope ~= SCOPES[1] and scope ~= SCOPES[2] then
    local near = host.nearest(scope, SCOPES)
    fail(where .. ": cache.scope must be \"job\" or \"store\", not " .. describe(scope)
      .. (near and " (did you mean \"" .. near .. "\"?)" or ""))
  end
  if pace ~= nil and pace <= 0 then
    fail(where .. ": cache.pace must be a number above 0, not " .. describe(pace) .. "; without it, replies come at once")
  end
end
