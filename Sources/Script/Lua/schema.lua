-- Schemas of scripts: a JSON Schema, or a short form that is turned into one. Used by tools and by answers.
local host, _, internal, _ENV = ...
local describe = internal.describe

local TYPES = { string = true, number = true, integer = true, boolean = true, object = true, array = true }
-- Members that only a JSON Schema has at its root.
local MARKS = { "type", "properties", "$ref", "anyOf", "oneOf", "allOf", "enum", "const" }

local function is_schema(form)
  for _, mark in ipairs(MARKS) do
    local value = form[mark]
    -- { type = "string" } could also be an object with a member "type" in the short form; it is read as a schema.
    if value ~= nil and (mark ~= "type" or TYPES[value] or type(value) == "table") then return true end
  end
  return false
end

-- Maximum depth, as in JSON encoding, and maximum number of members: a table that is used twice is written twice.
local MOST_LEVELS, MOST_MEMBERS = 200, 10000

local expand

-- The schema of a type name ("string", "string?", "string[]"), and whether the member is optional.
local function named(where, text)
  local name, array, mark = string.match(text, "^(%a+)(%[?%]?)(%??)$")
  if not TYPES[name] or array == "[" or array == "]" then
    host.misuse(where .. " must be \"string\", \"number\", \"integer\", \"boolean\", \"array\" or \"object\", with [] for an "
      .. "array of them and a ? where it may be absent, not " .. describe(text))
  end
  local schema = { type = name }
  if array == "[]" then schema = { type = "array", items = schema } end
  return schema, mark == "?"
end

-- The schema of one member of the short form, and whether it is optional. `met` counts all members.
local function member(where, value, depth, met)
  met.count = met.count + 1
  if depth > MOST_LEVELS or met.count > MOST_MEMBERS then
    if #where > 120 then where = string.sub(where, 1, 80) .. "..." end
    host.misuse(where .. (depth > MOST_LEVELS and ": tables nest deeper than " .. MOST_LEVELS .. " levels; does one hold itself?"
      or ": there are more than " .. MOST_MEMBERS .. " members; does one table stand in many places?"))
  end
  if type(value) == "string" then return named(where, value) end
  if type(value) ~= "table" then host.misuse(where .. " must be a type's name or a table, not " .. describe(value)) end
  if type(value[1]) == "table" then
    for key in next, value do
      if key ~= 1 then host.misuse(where .. " is an array, and takes one form: that of its items") end
    end
    return { type = "array", items = (member(where .. "[]", value[1], depth + 1, met)) }, false
  end
  if #value > 0 then return { type = "string", enum = host.json.array(table.move(value, 1, #value, 1, {})) }, false end
  if not is_schema(value) then return expand(where, value, depth, met), false end
  local schema = {}
  for name, part in next, value do if name ~= "optional" then schema[name] = part end end
  return schema, value.optional == true
end

-- { city = "string", days = "integer[]?", unit = { "c", "f" }, to = { name = "string" }, stops = { { name = "string" } } }
-- -> a JSON Schema.
function expand(where, form, depth, met)
  if is_schema(form) then return form end
  local properties, required = {}, {}
  for name, value in next, form do
    if type(name) ~= "string" then host.misuse(where .. ": members are named; there is a value at " .. describe(name)) end
    local optional
    properties[name], optional = member(where .. "." .. name, value, depth + 1, met)
    if not optional then required[#required + 1] = name end
  end
  table.sort(required)
  return { type = "object", properties = properties, required = host.json.array(required), additionalProperties = false }
end

-- The JSON Schema of `form`. Raises if it is not usable.
return function(where, form)
  local schema = expand(where, form, 0, { count = 0 })
  local problem = host.schema_problem(schema)
  if problem then host.misuse(where .. ": " .. problem) end
  return schema
end
