-- Bytecode is never loaded.
local binary = string.dump(print and function() end)
local folder = require "host".folder()
local path = folder .. "/binary.lua"
local file = assert(io.open(path, "wb"))
file:write(binary)
file:close()

--# load, loadfile, dofile and require refuse it
print(load(binary)) --> nil ...bytecode is never loaded...
print(load(binary, "x", "b")) --> nil ...bytecode is never loaded...
local text = binary
print(load(function() local t = text text = nil return t end, "x", "b")) --> nil ...bytecode is never loaded...
print(loadfile(path)) --> nil ...bytecode is never loaded...
print(pcall(dofile, path)) --> false ...bytecode is never loaded...
package.path = folder .. "/?.lua"
local ok, message = pcall(require, "binary")
print(ok, message:match("bytecode is never loaded")) --> false bytecode is never loaded
