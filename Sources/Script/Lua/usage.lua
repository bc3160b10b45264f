-- Sums the token counts of several requests. Used by tool loops and by answers that are requested again.
local _, _, _, _ENV = ...
local usage = {}

-- The largest count that a server may report (2^53 - 1); sums stop there.
local GREATEST = (1 << 53) - 1

-- The sum of both; neither table is changed.
function usage.add(sum, more)
  if not more then return sum end
  if not sum then return more end
  local result = {}
  for name, count in pairs(sum) do result[name] = count end
  for name, count in pairs(more) do
    if type(count) == "number" then result[name] = math.min((result[name] or 0) + count, GREATEST) end
  end
  result.estimated = sum.estimated or more.estimated
  return result
end

return usage
