-- What the combinators of flow.lua and many.lua share: how a failure names the step it came from, and the checks of what a
-- script gives them.
local host, _, shared, _ENV = ...
local check, describe, Failure, fail = shared.check, shared.describe, shared.Failure, host.misuse
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

function steps.need_steps(where, array)
  if type(array) ~= "table" or #array == 0 then fail(where .. " takes an array of steps, not " .. describe(array)) end
  for index, step in ipairs(array) do steps.need(where, "step " .. index, step) end
  return array
end

function steps.options_of(where, options, schema)
  options = options or {}
  check(where, options, schema)
  return options
end

function steps.need_items(where, items)
  if type(items) ~= "table" then fail(where .. " takes an array of items, not " .. describe(items)) end
  return items
end

-- No branch has succeeded: the first error, with the others.
function steps.all_failed(errors) return nil, steps.blame(errors[1], nil, table.move(errors, 2, #errors, 1, {})) end

return steps
