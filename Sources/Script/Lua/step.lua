-- Shared by flow.lua and parallel.lua: how a failure names its step, checks of arguments, and the errors that map keeps.
local host, _, internal, _ENV = ...
local check, describe, Failure, fail = internal.check, internal.describe, internal.Failure, host.misuse
local steps = {}

-- The first error, with the others attached and the step that it came from.
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

-- An array of steps. A hole is an undefined name: every place up to the last is looked at, since #array may stop before.
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

-- Steps given as arguments: an undefined name counts as one, also in the last place.
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

-- How many items there are. Places up to the last count: #items may stop before a hole, and the rest would be left out
-- unsaid. A table with names is no array: a reply, say. `n` is what table.pack adds.
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

-- No branch has succeeded: the first error, with the others.
function steps.all_failed(errors) return nil, steps.blame(errors[1], nil, table.move(errors, 2, #errors, 1, {})) end

-- The errors of map { keep_going } by index. The metatable distinguishes them from any other second result.
local Errors = { __name = "llm.errors" }
function Errors.__tostring(self)
  local lines = {}
  for place, err in next, self do lines[#lines + 1] = "[" .. tostring(place) .. "] " .. tostring(err) end
  table.sort(lines)
  return table.concat(lines, "\n")
end

-- How many items the map had, where its results are in their order.
local sizes = setmetatable({}, { __mode = "k" })

function steps.errors(size)
  local errors = setmetatable({}, Errors)
  sizes[errors] = size
  return errors
end

-- Whether a step's second result is a table of such errors that holds any.
function steps.has_errors(value) return getmetatable(value) == Errors and next(value) ~= nil end

-- The results of maps that such errors belong to, with false for a failed item, as a map that is a step has it.
function steps.filled(results, errors)
  if getmetatable(errors) ~= Errors or type(results) ~= "table" then return results end
  local filled = {}
  for place, result in next, results do filled[place] = steps.filled(result, errors[place]) end
  for place = 1, sizes[errors] or 0 do if filled[place] == nil then filled[place] = false end end
  return next(filled) ~= nil and filled or results
end

return steps
