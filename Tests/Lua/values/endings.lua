-- How a script ends, what its errors are, and what it receives of its host.
local llm = require "llm"

--# an error of any type ends the script
--: each_line = true
error({ code = 1 })
--! table
error(setmetatable({}, { __tostring = function() return "mine" end }))
--! mine
error()
--! nil
error("plain", 0)
--! plain
local function f() return f() + 1 end f()
--! stack overflow

--# a script that needs more memory than its limit fails
--: memory_limit = 20971520
local t = {} while true do t[#t + 1] = ("x"):rep(100000) .. #t end
--! memory

--# os.exit ends the script with its code, inside pcall too
--: each_line = true
--> out
print("out") pcall(function() os.exit() end) print("never")
--: ends = exit 0
print("out") pcall(function() os.exit(7) end) print("never")
--: ends = exit 7
print("out") pcall(function() os.exit(true) end) print("never")
--: ends = exit 0
print("out") pcall(function() os.exit(false) end) print("never")
--: ends = exit 1
print("out") pcall(function() os.exit(256 + 3) end) print("never")
--: ends = exit 3

--# a script receives its arguments
--: args = one, two words
print(arg[0], arg[1], arg[2], #arg, ...) --> endings.lua one two words 2 one two words

--# functions of the host take and return values
local host = require "host"
print(llm.json.encode { host.echo(1, "x", { a = { true } }) }) --> [1,"x",{"a":[true]}]
print(pcall(host.fail)) --> false @here: fail: odd thing

--# no global is set
print(_G.llm, _G.host, _G.client) --> nil nil nil
