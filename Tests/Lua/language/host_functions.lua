-- The debug library shows no variables of functions of the host and of C functions, and does not return such functions.
local llm = require "llm"

--# upvalues
for _, f in ipairs { llm.client, require, os.getenv, load, coroutine.wrap(print), package.searchers[2] } do
  for i = 1, 20 do assert(debug.getupvalue(f, i) == nil) end
end
print(pcall(debug.upvaluejoin, function() return llm end, 1, llm.client, 1)) --> false ...belong to the host...
print(pcall(debug.setupvalue, llm.client, 1, print)) --> false ...belong to the host...
print((debug.setupvalue(os.getenv, 1, print))) --> nil

--# locals and functions by level
local co = coroutine.create(function() llm.sleep(0.05) end)
llm.spawn(coroutine.resume, co)
llm.sleep(0)
print(debug.getinfo(co, 1, "S").short_src) --> [llm]
for level = 0, 1 do
  assert(debug.getinfo(co, level, "f").func == nil)
  for i = -5, 20 do assert(debug.getlocal(co, level, i) == nil) end
end

--# metatables of types
for _, value in ipairs { "text", 1, print, io.stdout, true } do print((pcall(debug.setmetatable, value, {}))) end
--> false
--> false
--> false
--> false
--> false

--# functions that are absent
print(debug.debug, debug.getregistry, debug.sethook, debug.setlocal, debug.setuservalue) --> nil nil nil nil nil
