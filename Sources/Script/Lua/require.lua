-- `require` over the stock `package`. It is written in Lua so that a module may wait while it loads (a C function cannot).
-- The argument is the table of host primitives.
local host = ...
local loaded, searchpath, getenv = host.loaded, package.searchpath, os.getenv
local type, ipairs, loadfile, setmetatable = type, ipairs, loadfile, setmetatable
local package = package
if host.is_line_buffered then io.stdout:setvbuf("line") end

-- The value of LUA_PATH or LUA_CPATH, with ";;" replaced by `default` as in stock Lua.
local function path_from(variable, default)
  local path = getenv(variable .. "_5_4") or getenv(variable)
  if not path then return default end
  local first, last = path:find(";;", 1, true)
  if not first then return path end
  local before, behind = path:sub(1, first - 1), path:sub(last + 1)
  return (before ~= "" and before .. ";" or "") .. default .. (behind ~= "" and ";" .. behind or "")
end

-- The tree of `luarocks install --local`; `luarocks path` puts it first too.
local home, rocks = getenv("HOME"), ""
if home and home ~= "" and not home:find("[;?!]") then rocks = home .. "/.luarocks" end
local function with_rocks(default, templates)
  return rocks ~= "" and templates:gsub("~", (rocks:gsub("%%", "%%%%"))) .. ";" .. default or default
end

package.path = host.module_path .. ";"
  .. path_from("LUA_PATH", with_rocks(package.path, "~/share/lua/5.4/?.lua;~/share/lua/5.4/?/init.lua"))

-- Replaces the stock searcher for Lua files, which accepts bytecode.
package.searchers[2] = function(name)
  local path = package.path
  if type(path) ~= "string" then host.misuse("'package.path' must be a string") end
  local file, tried = searchpath(name, path)
  if not file then return tried end
  local chunk, message = loadfile(file)
  if not chunk then
    host.misuse("error loading module '" .. name .. "' from file '" .. file .. "':\n\t" .. message)
  end
  return chunk, file
end

if host.allows_native_modules then
  package.cpath = path_from("LUA_CPATH", with_rocks(package.cpath, "~/lib/lua/5.4/?.so"))
else
  local refusal = "C modules are turned off"
  package.cpath = ""
  package.searchers[3], package.searchers[4] = function() return refusal end, nil
  package.loadlib = function() return nil, refusal, "absent" end
end

-- In a run with a tape, the text of a module is recorded, and taken from the record.
if host.has_tape then
  package.searchers[2] = function(name)
    local file, source = host.recorded_module(name, false)
    if not file then
      local tried
      file, tried = searchpath(name, package.path)
      if not file then
        file, source = host.recorded_module(name, true)
        if not file then return tried end
      else
        source, tried = host.record_module(name, file)
        if not source then host.misuse("error loading module '" .. name .. "': " .. tried) end
      end
    end
    local chunk, message = host.compile(source, file)
    if not chunk then
      host.misuse("error loading module '" .. name .. "' from file '" .. file .. "':\n\t" .. message)
    end
    return chunk, file
  end
end

-- The loader of a module, and its origin.
local function find(name)
  local searchers = package.searchers
  if type(searchers) ~= "table" then host.misuse("'package.searchers' must be a table") end
  local tried = ""
  for _, searcher in ipairs(searchers) do
    local loader, place = searcher(name)
    if type(loader) == "function" then return loader, place end
    if type(loader) == "string" then tried = tried .. "\n\t" .. loader end
  end
  host.misuse("module '" .. name .. "' not found:" .. tried)
end

local loading = {}

function require(name)
  if type(name) ~= "string" then host.misuse("require takes the name of a module, not a " .. type(name)) end
  if loaded[name] then return loaded[name] end
  if loading[name] then
    host.misuse("module '" .. name .. "' is being loaded already (a loop of requires, or another task loads it)")
  end
  local loader, place = find(name)
  loading[name] = true
  -- Closed after an error too, so that the next require tries again.
  local guard <close> = setmetatable({}, { __close = function() loading[name] = nil end })
  local result = loader(name, place)
  if result ~= nil then loaded[name] = result
  elseif loaded[name] == nil then loaded[name] = true end
  return loaded[name], place
end
