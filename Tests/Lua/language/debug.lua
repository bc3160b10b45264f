-- The reading part of debug, and pcall and xpcall: as in stock Lua.
--: as = lua5.4
--: native = true
local function f(a, b, ...)
  local c, names = 3, {}
  for i = 1, 3 do names[i] = table.concat({ tostring((debug.getlocal(1, i))), type(select(2, debug.getlocal(1, i))) }, "=") end
  return c, table.concat(names, " "), debug.getlocal(1, -1)
end
print(f(1, 2, 3))
print(debug.getlocal(f, 1), debug.getlocal(f, 2), debug.getlocal(f, 3))
print(pcall(debug.getlocal, 100, 1)) print(pcall(debug.getlocal, "x", 1))

local up, other = 5, 6
local function g() return up end
local function h() return other end
print(debug.getupvalue(g, 1)) print(debug.getupvalue(g, 2)) print(pcall(debug.getupvalue, 1, 1))
print(debug.upvalueid(g, 1) ~= debug.upvalueid(h, 1), debug.upvalueid(g, 2))
debug.upvaluejoin(g, 1, h, 1)
print(g(), debug.upvalueid(g, 1) == debug.upvalueid(h, 1))
print(pcall(debug.upvaluejoin, g, 2, h, 1)) print(pcall(debug.upvaluejoin, print, 1, h, 1))
print(debug.setupvalue(h, 1, 7), h(), g(), debug.setupvalue(h, 2, 7), pcall(debug.setupvalue, 1, 1, 1))
local mark = { __metatable = "closed" }
print(getmetatable(debug.setmetatable(setmetatable({}, mark), { __name = "n" })).__name, pcall(debug.setmetatable, {}, 1))
print(debug.getmetatable("").__index == string, debug.getmetatable({}), debug.getmetatable(nil))
print(type(debug.gethook), debug.getuservalue({}), debug.getuservalue(io.stdout, 1))

local info = debug.getinfo(1)
print(info.currentline, info.what, info.func ~= nil, info.nups > 0)
print(debug.getinfo(print).func == print, debug.getinfo(f, "L").activelines ~= nil)
print(debug.getinfo(0, "n").name, debug.getinfo(99), pcall(debug.getinfo, 1, "x")) print(pcall(debug.getinfo, 1, ">S"))

local co = coroutine.create(function(a) local b = a + 1 coroutine.yield(b) end)
coroutine.resume(co, 1)
print(debug.getlocal(co, 1, 1)) print(debug.getlocal(co, 1, 2)) print(debug.getinfo(co, 1, "l").currentline)
print(debug.traceback(co)) print(debug.traceback(co, "m", 1)) print(debug.traceback({}) ~= nil, debug.traceback(nil) ~= nil)

-- A handler sees the same levels.
local function handler(message)
  return message, debug.getinfo(1, "l").currentline, debug.getinfo(2, "n").name, debug.getinfo(3, "l").currentline
end
print(xpcall(function() error("x") end, handler))
print(xpcall(function() error("x") end, function() return (debug.getlocal(3, 1)) end))
print(select(2, xpcall(function() error("x") end, debug.traceback)):match("^[^\n]*\n[^\n]*\n[^\n]*\n[^\n]*"))
print(xpcall(string.rep, print)) print(pcall(xpcall)) print(pcall(pcall)) print(pcall(pcall, error, 1))
print(xpcall(function(...) return select("#", ...) end, print, 1, nil, nil)) print(pcall(select, "#", nil, nil))
print(xpcall(error, function() error("again") end, "z"))
print(pcall(coroutine.wrap(function() return pcall(coroutine.yield) end)))

local function overflow() local x = overflow() return x end
print((select(2, pcall(overflow)):sub(1, 60)))
local function deep() assert(pcall(deep)) end
print(select(2, pcall(deep)):match("C stack overflow"))

-- coroutine.close
local function closing(err) return setmetatable({}, { __close = function() if err then error(err) end end }) end
local function held(err) local co = coroutine.create(function() local x <close> = closing(err) coroutine.yield() end) coroutine.resume(co) return co end
print(coroutine.close(held())) print(coroutine.close(held("no"))) print(coroutine.close(held({})) == false)
print(pcall(coroutine.close, coroutine.running())) print(pcall(coroutine.close, 1)) print(coroutine.close(coroutine.create(print)))
local outer
outer = coroutine.create(function() return coroutine.wrap(function() return pcall(function() coroutine.close(outer) end) end)() end)
print(coroutine.resume(outer)) print(coroutine.close(outer), coroutine.status(outer))
