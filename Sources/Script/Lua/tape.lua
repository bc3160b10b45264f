-- The standard library in a run that is recorded, or run against a record. The argument is the table of host primitives.
-- Calls to the outside are recorded with their results, and pairs visits keys in an order that is the same in every process.
local host = ...
local next, type, rawget, select, stock_pairs, sort, floor = next, type, rawget, select, pairs, table.sort, math.floor
local os, math = os, math
local stock_time, stock_date, stock_tmpname, stock_seed = os.time, os.date, os.tmpname, math.randomseed

-- `call(...)`, whose result is recorded under that name.
local function outside(name, call, ...)
  local is_recorded, result = host.recorded(name, ...)
  if is_recorded then return result end
  result = call(...)
  host.record(name, result, ...)
  return result
end

function os.clock() return host.reading("cpu") end

-- With a table: the result depends on the time zone.
function os.time(...)
  if (...) == nil then return floor(host.reading("time")) end
  if type((...)) ~= "table" then return stock_time(...) end
  -- The fields as they were given: os.time normalizes them in the table.
  local given = {}
  for key, value in next, (...) do given[key] = value end
  local is_recorded, result = host.recorded("os.time", given)
  local time = stock_time(...)
  if is_recorded then return result end
  host.record("os.time", time, given)
  return time
end

function os.date(format, time, ...)
  if time == nil then time = floor(host.reading("time")) end
  return outside("os.date", stock_date, format == nil and "%c" or format, time, ...)
end

function os.tmpname() return outside("os.tmpname", stock_tmpname) end

function math.randomseed(...)
  if select("#", ...) == 0 then return stock_seed(host.seeds()) end
  return stock_seed(...)
end
stock_seed(host.seeds())

-- The keys of a table: numbers and strings in ascending order, then booleans, then all others as they come. Strings are
-- otherwise visited in the order of their hashes, whose seed is new in each process.
local function keys_of(t)
  local numbers, strings, rest, is_ascending, last = {}, {}, {}, true, nil
  for key in next, t do
    local kind = type(key)
    if kind == "number" then
      if last and last > key then is_ascending = false end
      last = key
      numbers[#numbers + 1] = key
    elseif kind == "string" then strings[#strings + 1] = key
    elseif kind ~= "boolean" then rest[#rest + 1] = key end
  end
  if not is_ascending then sort(numbers) end
  sort(strings)
  local count = #numbers
  for index = 1, #strings do
    count = count + 1
    numbers[count] = strings[index]
  end
  for _, key in next, { false, true } do
    if rawget(t, key) ~= nil then
      count = count + 1
      numbers[count] = key
    end
  end
  for index = 1, #rest do numbers[count + index] = rest[index] end
  return numbers
end

-- pairs as in Lua 5.4, also with `__pairs` and with fields that are set to nil on the way.
function pairs(...)
  local step, t, first, closing = stock_pairs(...)
  if step ~= next or type(t) ~= "table" or first ~= nil then return step, t, first, closing end
  local keys, place = keys_of(t), 0
  return function(_, key)
    if key == nil then place = 0 end
    while true do
      place = place + 1
      local at = keys[place]
      if at == nil then return nil end
      local value = rawget(t, at)
      if value ~= nil then return at, value end
    end
  end, t, nil
end
