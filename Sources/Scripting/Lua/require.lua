-- `require` and `package`, written in Lua so that a module may wait while it loads (the stock `require` is a C function
-- that cannot). Looks in the script's directory first; C modules are not loaded. Gets the host's primitives as its
-- argument and sets the two globals.
local host = ...
local loaded = host.loaded
if host.is_line_buffered then io.stdout:setvbuf("line") end
package = { loaded = loaded, preload = {}, path = host.module_path, cpath = "", config = "/\n;\n?\n!\n-\n" }

function package.searchpath(name, path, separator, replacement)
  separator, replacement = separator or ".", replacement or "/"
  if separator ~= "" then name = name:gsub("%" .. separator, (replacement:gsub("%%", "%%%%"))) end
  local tried = {}
  for template in path:gmatch("[^;]+") do
    local candidate = template:gsub("%?", (name:gsub("%%", "%%%%")))
    local file = io.open(candidate, "r")
    if file then
      file:close()
      return candidate
    end
    tried[#tried + 1] = "no file '" .. candidate .. "'"
  end
  return nil, table.concat(tried, "\n\t")
end

local LOADING = {}

function require(name)
  if type(name) ~= "string" then host.misuse("require takes the name of a module, not a " .. type(name)) end
  local value = loaded[name]
  if value == LOADING then host.misuse("module '" .. name .. "' is being loaded already (a loop of requires)") end
  if value ~= nil then return value end
  local loader, place = package.preload[name], ":preload:"
  if not loader then
    local path, tried = package.searchpath(name, package.path)
    if not path then host.misuse("module '" .. name .. "' not found:\n\tno field package.preload['" .. name .. "']\n\t" .. tried) end
    local chunk, message = loadfile(path)
    if not chunk then host.misuse("error loading module '" .. name .. "' from file '" .. path .. "':\n\t" .. message) end
    loader, place = chunk, path
  end
  loaded[name] = LOADING
  -- Closed on the way out by an error: the next require may try again.
  local guard <close> = setmetatable({}, { __close = function()
    if loaded[name] == LOADING then loaded[name] = nil end
  end })
  local result = loader(name, place)
  if result ~= nil then loaded[name] = result
  elseif loaded[name] == LOADING then loaded[name] = true end
  return loaded[name], place
end
