-- load, loadfile and dofile with text: as in stock Lua.
--: as = lua5.4
--: native = true
print(load("return 1", "x", "b"))
print(load("return ...", "x", "t")(7), load("return ...", "x", "bt")(8))
print(load(string.dump(function() end), "x", "t"))
print(pcall(load)) print(pcall(load, "x", "y", {})) print(pcall(load, {}))

local function reader(...)
  local pieces, next_piece = { ... }, 0
  return function() next_piece = next_piece + 1 return pieces[next_piece] end
end
print(load(reader("return ", "1", " + 1"))())
print(load(reader("return 1"), "r", "b"))
print(load(reader(string.dump(print and function() end)), "r", "t"))
print(load(reader()) ~= nil, load(reader("")) ~= nil, load(reader(12)))
print(pcall(load, function() return {} end)) print(pcall(load, function() error("reader") end))
print(select("#", load("x x", "=name")), load("x x", "=name"))

local environment = {}
load("x = 1", "c", nil, environment)()
print(environment.x, x, pcall(load("return x", "c", "t", nil)))

local path = os.tmpname()
local file = assert(io.open(path, "w"))
file:write("#!first line\nreturn y, ...") file:close()
print(select(2, loadfile(path, "b"))) print(loadfile(path, "t", { y = 2 })(3)) print(dofile(path))
file = assert(io.open(path, "wb"))
file:write(string.dump(function() end)) file:close()
print(select(2, loadfile(path, "t")))
os.remove(path)
