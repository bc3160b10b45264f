-- Test libraries: as in stock Lua.
--: as = lua5.4
--: native = true
local spy, stub, mock, match = require "luassert.spy", require "luassert.stub", require "luassert.mock", require "luassert.match"
local assert = require "luassert"
local module = { double = function(x) return 2 * x end }
local watched = spy.on(module, "double")
print(module.double(4), watched.calls[1].vals[1], (pcall(function() assert.spy(watched).was.called_with(match.is_number()) end)))
module.double:revert()
stub(module, "double", 9)
print(module.double(1), module.double(2), #module.double.calls)
local copy = mock({ a = { b = function() return "real" end } }, true)
print(copy.a.b(), (pcall(function() assert.stub(copy.a.b).was_called(1) end)))
