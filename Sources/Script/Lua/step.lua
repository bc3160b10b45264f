-- Used by flow.lua and parallel.lua: the step name of a failure, checks of arguments, and the errors that map keeps.
local host, _, internal, _ENV = ...
local check, describe, Failure, fail = internal.check, internal.describe, internal.Failure, host.misuse
local steps = {}

-- The first error, with its step and the other errors.
function steps.blame(err, step, others)
  if getmetatable(err) == Failure then
    if step then err.step = err.step and step .. " > " .. err.step or step end
    if others and #others > 0 then err.others = others end
  end
  return err
end

function steps.is_callable(value)
  return type(value) == "function" or (getmetatable(value) and getmetatable(value).__call) ~= nil
end

function steps.need(where, what, value)
  if not steps.is_callable(value) then fail(where .. ": " .. what .. " must be a function, not " .. describe(value)) end
  return value
end

-- Checks an array of steps. A hole is an undefined name; every place up to the last is checked, because #array may stop before.
function steps.need_steps(where, array)
  if type(array) ~= "table" or next(array) == nil then fail(where .. " takes an array of steps, not " .. describe(array)) end
  local last = 0
  for place in next, array do
    if math.type(place) ~= "integer" or place < 1 then
      fail(where .. " takes an array of steps; there is a value at " .. describe(place))
    end
    last = math.max(last, place)
  end
  for place = 1, last do steps.need(where, "step " .. place, array[place]) end
  return array
end

-- Checks steps given as arguments. An undefined name counts as one, also in the last place.
function steps.need_arguments(where, ...)
  local count = select("#", ...)
  if count == 0 then fail(where .. " takes one step or more") end
  for place = 1, count do steps.need(where, "step " .. place, (select(place, ...))) end
  return count
end

function steps.options_of(where, options)
  options = options or {}
  check(where, options, host.options(where))
  return options
end

-- The number of items, up to the last place: #items may stop before a hole, and the rest would be skipped silently. A table
-- with names (a reply, for example) is no array; `n` is from table.pack.
function steps.count_items(where, items)
  if type(items) ~= "table" then fail(where .. " takes an array of items, not " .. describe(items)) end
  local last = 0
  for place in next, items do
    if math.type(place) == "integer" and place > 0 then
      last = math.max(last, place)
    elseif place ~= "n" then
      fail(where .. " takes an array of items; there is a value at " .. describe(place))
    end
  end
  return last
end

-- The result if no branch succeeded: the first error, with the others.
function steps.all_failed(errors) return nil, steps.blame(errors[1], nil, table.move(errors, 2, #errors, 1, {})) end

-- The errors of map { keep_going } by index. The metatable distinguishes them from any other second result.
local Errors = { __name = "llm.errors" }
function Errors.__tostring(self)
  local lines = {}
  for place, err in next, self do lines[#lines + 1] = "[" .. tostring(place) .. "] " .. tostring(err) end
  table.sort(lines)
  return table.concat(lines, "\n")
end

-- The number of items of the map, if its results are in their order.
local sizes = setmetatable({}, { __mode = "k" })

function steps.errors(size)
  local errors = setmetatable({}, Errors)
  sizes[errors] = size
  return errors
end

-- Whether the second result of a step is a table of such errors with at least one.
function steps.has_errors(value) return getmetatable(value) == Errors and next(value) ~= nil end

-- The results that such errors belong to, with false for a failed item, as a map used as a step returns them.
function steps.filled(results, errors)
  if getmetatable(errors) ~= Errors or type(results) ~= "table" then return results end
  local filled = {}
  for place, result in next, results do filled[place] = steps.filled(result, errors[place]) end
  for place = 1, sizes[errors] or 0 do if filled[place] == nil then filled[place] = false end end
  return next(filled) ~= nil and filled or results
end

return steps
