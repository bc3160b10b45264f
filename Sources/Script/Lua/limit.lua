-- llm.limit: a rate limit that clients and tasks share by name. Loaded on first use.
local host, _, internal, _ENV = ...
local fail = host.misuse
local limit = {}

local Limit = { __name = "llm.limit" }
Limit.__tostring = function(self) return "limit (" .. self.name .. ")" end
local OPTIONS = host.options "limit"
local unnamed = 0

-- llm.limit{ name =, concurrent =, rpm =, tpm = }. Without a name it is shared with no other.
function limit.make(options)
  internal.check("llm.limit", options, OPTIONS)
  local concurrent, rpm, tpm = options.concurrent, options.rpm, options.tpm
  if not (concurrent or rpm or tpm) then fail("llm.limit needs concurrent, rpm or tpm") end
  if (concurrent or 1) < 1 or (rpm or 1) <= 0 or (tpm or 1) <= 0 then
    fail("llm.limit: a limit of 0 would block every request")
  end
  local name = options.name
  if not name then
    unnamed = unnamed + 1
    name = "#" .. unnamed
  end
  return setmetatable({ name = name, concurrent = concurrent, rpm = rpm, tpm = tpm }, Limit)
end

-- Raises if the option `limit` of a request has another type.
function limit.check(where, value)
  if getmetatable(value) == Limit then return end
  fail(where .. ": option 'limit' takes what llm.limit{...} returns, or false for no rate limiter")
end

return limit
