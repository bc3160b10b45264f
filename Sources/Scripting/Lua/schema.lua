-- Schemas as scripts write them: a JSON Schema, or a short form that is turned into one. Used by tools and by answers.
local host, _, shared, _ENV = ...
local describe = shared.describe

local TYPES = { string = true, number = true, integer = true, boolean = true, object = true, array = true }
-- Members that only a JSON Schema has at its root.
local MARKS = { "type", "properties", "$ref", "anyOf", "oneOf", "allOf", "enum", "const" }

local function is_schema(form)
  for _, mark in ipairs(MARKS) do
    local value = form[mark]
    -- { type = "string" } is a schema, and also an object with a member "type" in the short form; only the first is used.
    if value ~= nil and (mark ~= "type" or TYPES[value] or type(value) == "table") then return true end
  end
  return false
end

local expand

-- A type's name, as "string", "string?" or "string[]": its schema, and whether it may be absent.
local function named(where, text)
  local name, array, mark = text:match("^(%a+)(%[?%]?)(%??)$")
  if not TYPES[name] or array == "[" or array == "]" then
    host.misuse(where .. " must be \"string\", \"number\", \"integer\", \"boolean\", \"array\" or \"object\", with [] for an "
      .. "array of them and a ? where it may be absent, not " .. describe(text))
  end
  local schema = { type = name }
  if array == "[]" then schema = { type = "array", items = schema } end
  return schema, mark == "?"
end

-- One member of the short form: its schema, and whether it may be absent.
local function member(where, value)
  if type(value) == "string" then return named(where, value) end
  if type(value) ~= "table" then host.misuse(where .. " must be a type's name or a table, not " .. describe(value)) end
  if type(value[1]) == "table" then
    for key in next, value do
      if key ~= 1 then host.misuse(where .. " is an array, and takes one form: that of its items") end
    end
    return { type = "array", items = (member(where .. "[]", value[1])) }, false
  end
  if #value > 0 then return { type = "string", enum = host.json.array(table.move(value, 1, #value, 1, {})) }, false end
  if not is_schema(value) then return expand(where, value), false end
  local schema = {}
  for name, part in next, value do if name ~= "optional" then schema[name] = part end end
  return schema, value.optional == true
end

-- { city = "string", days = "integer[]?", unit = { "c", "f" }, to = { name = "string" }, stops = { { name = "string" } } }
-- -> a JSON Schema.
function expand(where, form)
  if is_schema(form) then return form end
  local properties, required = {}, {}
  for name, value in next, form do
    if type(name) ~= "string" then host.misuse(where .. ": members are named; there is a value at " .. describe(name)) end
    local optional
    properties[name], optional = member(where .. "." .. name, value)
    if not optional then required[#required + 1] = name end
  end
  table.sort(required)
  return { type = "object", properties = properties, required = host.json.array(required), additionalProperties = false }
end

-- The JSON Schema that `form` means. Raises where it cannot be used.
return function(where, form)
  local schema = expand(where, form)
  local problem = host.schema_problem(schema)
  if problem then host.misuse(where .. ": " .. problem) end
  return schema
end
