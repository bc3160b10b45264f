-- llm.step: work that a job does once. The results are recorded, and returned without the work when the job is resumed.
-- Loaded on first use.
local host, _, internal, _ENV = ...
local describe, fail, is_callable = internal.describe, host.misuse, internal.step.is_callable
local begin, finish, abandon
do
  local steps = host.steps()
  begin, finish, abandon = steps.begin, steps.finish, steps.abandon
end

-- Abandons the step if it is left before its results are recorded.
local GUARD = { __close = function(self) abandon(self[1]) end }

local function run(step, name, fn, ...)
  local guard <close> = setmetatable({ step }, GUARD)
  local results = table.pack(xpcall(fn, function(err)
    host.trace(err, 'llm.step "' .. name .. '"')
    return err
  end, ...))
  if not results[1] then error(results[2], 0) end
  -- A failure is no result: the resumed job does the work again.
  if results[2] == nil and results[3] ~= nil then return table.unpack(results, 2, results.n) end
  return finish(step, table.unpack(results, 2, results.n))
end

-- step(name, fn, ...): the results of fn(...), or those that the job has recorded. The nth call of a name gets the nth record.
return function(name, fn, ...)
  if type(name) ~= "string" or name == "" then fail("llm.step takes the step's name, not " .. describe(name)) end
  if not utf8.len(name) then fail("llm.step takes a name in UTF-8, not " .. describe(name)) end
  if not is_callable(fn) then fail("llm.step: what \"" .. name .. "\" does must be a function, not " .. describe(fn)) end
  local found = table.pack(begin(name))
  if found[1] == nil then return table.unpack(found, 2, found.n) end
  return run(found[1], name, fn, ...)
end
