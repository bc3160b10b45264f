-- An error that Lua raises inside a chunk of the host has the position of the line of the script that called it.
local llm = require "llm"
local client = require "simulator".client()
-- Chunks of the host have such names.
local inner = load("local t, n = ... if n then error('no ' .. n) end return t.x", "=[llm.part]")
local function first(message) return (message:match("^[^\n]*")) end

--# in pcall and xpcall
print(pcall(function()
  inner(nil) --@ index
end)) --> false @index: attempt to index a nil value...
print(pcall(function()
  inner(1, 2) --@ error
end)) --> false @error: no 2
print(xpcall(function()
  inner(nil) --@ handler
end, function(m) return m end)) --> false @handler: attempt to index a nil value...
print(first(select(2, xpcall(function()
  inner(nil) --@ traceback
end, debug.traceback)))) --> @traceback: attempt to index a nil value...

--# in coroutines
print(coroutine.resume(coroutine.create(function()
  inner(nil) --@ coroutine
end))) --> false @coroutine: attempt to index a nil value...
print(pcall(coroutine.wrap(function()
  inner(nil) --@ wrap
end))) --> false @wrap: attempt to index a nil value...
print(
  pcall(coroutine.wrap(inner), nil)) --> false @here: attempt to index a nil value...

--# in a function called by the string library
print(pcall(string.gsub, "a", "a", function()
  inner(nil) --@ gsub
end)) --> false @gsub: attempt to index a nil value...

--# in __close
print(pcall(function() local x <close> = setmetatable({}, { __close = function()
  inner(nil) --@ close
end }) end)) --> false @close: attempt to index a nil value...
local co = coroutine.create(function() local x <close> = setmetatable({}, { __close = function() inner(nil) end }) coroutine.yield() end)
coroutine.resume(co)
print(
  coroutine.close(co)) --> false @here: attempt to index a nil value...

--# in a task that is waited for
print(pcall(function(t) return t:wait() end, llm.spawn(function()
  inner(nil) --@ task
end))) --> false @task: attempt to index a nil value...

--# in the main chunk
inner(nil) --! attempt to index a nil value

--# in a task
--: log = @task
llm.spawn(function()
  inner(nil) --@ task
end)
--! @task: attempt to index a nil value

--# in a callback
client:ask("x", { on_token = function()
  inner(nil) --! attempt to index a nil value
end })
