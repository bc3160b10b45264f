-- Modules of Lua's ecosystem, in Lua and in C: as in stock Lua.
--: as = lua5.4
--: native = true
local json, lpeg, lfs, socket = require "cjson", require "lpeg", require "lfs", require "socket"
print(json.encode { 1, "two", json.null }, json.decode('{"a":[1,2]}').a[2])
print(lpeg.match(lpeg.Ct((lpeg.C(lpeg.R "az" ^ 1) * lpeg.P "," ^ -1) ^ 0), "ab,cd")[2], require "re".find("hello", "'ll'"))
print(lfs.attributes("/", "mode"), pcall(lfs.dir, "/nowhere"))
local server = assert(socket.bind("127.0.0.1", 0))
local address, port = server:getsockname()
local client = assert(socket.connect(address, port))
assert(client:send("line\n"))
print(server:accept():receive())
print(require "mime".b64("moon"), require "ltn12".source ~= nil)

print(require "pl.template".substitute("hi $(x)\n# for i = 1, 2 do\n- $(i)\n# end\n", { x = "you", _escape = "#" }))
print(require "pl.List" { 1, 2, 3 }:map(function(x) return x * 2 end), require "pl.pretty".write({ a = 1 }, ""))
for _, name in ipairs { "app", "class", "compat", "data", "dir", "func", "lapp", "path", "seq", "strict", "stringx", "test", "types", "xml" } do
  print(name, (pcall(require, "pl." .. name)))
end

local assert, spy = require "luassert", require "luassert.spy"
assert.same({ a = { 1 } }, { a = { 1 } })
print(select(2, pcall(assert.is_true, false)))
local seen = spy.new(function() return 1 end)
seen("x")
print(pcall(function() assert.spy(seen).was.called_with("x") end), (pcall(function() assert.spy(seen).was.called_with("y") end)))

-- What etlua does to render, and what Fennel does to show an error.
local function with_environment(f, environment)
  local index = 1
  while true do
    local name = debug.getupvalue(f, index)
    if not name then return f end
    if name == "_ENV" then break end
    index = index + 1
  end
  debug.upvaluejoin(f, index, function() return environment end, 1)
  return f
end
print(with_environment(load "return greeting", { greeting = "hello" })())
print(package.searchpath("cjson", package.cpath) ~= nil, package.loadlib("/nowhere.so", "luaopen_x"))
