-- Tasks and requests that fail while nobody waits for them: each is logged, and fails the script.
local llm = require "llm"
local simulator = require "simulator"
local client, count, fault = simulator.client(), simulator.count, simulator.fault

--# each failure is logged and counted
--: unwatched = 4
--: log = lost 1
--: log = lost 2
--: log = lost 3
--: log = a request in the background failed
local host = require "host"
local failing = client:start("x", { headers = fault("400") })
repeat llm.sleep(0.001) until host.logged("a request in the background failed")
for i = 1, 3 do llm.spawn(function() llm.sleep(0.001 * i) error("lost " .. i) end) end
repeat llm.sleep(0.001) until host.logged("lost 3")
--! (400)

--# nil and the error of a request, or a stream that fails unread, is a failure
--: each_line = true
--: unwatched = 1
--! 400
llm.spawn(function() return client:ask('x', { headers = fault('400') }) end)
--: log = a task failed
llm.spawn(function() llm.sleep(0.01) return client:ask('x', { headers = fault('400') }) end) llm.sleep(0.3)
--: log = a task failed
local s = client:stream('x', { headers = fault('400') }) llm.sleep(0.5)
--: log = a stream failed and nobody read it
client:stream('x', { headers = fault('400') }) llm.sleep(0.5) collectgarbage() llm.sleep(0.01)
--: log = a stream failed and nobody read it

--# other results are no failures
--: each_line = true
--: ends = finished
llm.spawn(function() return nil, 'not found' end)
llm.spawn(function() return nil, { kind = 'mine' } end)
llm.spawn(function() return 1, select(2, client:ask('x', { headers = fault('400') })) end)
local t = llm.spawn(function() return nil, select(2, pcall(llm.sleep, 60)) end) llm.sleep(0.01) t:cancel()
local t = llm.spawn(function() return client:ask('x', { headers = fault('400') }) end) llm.sleep(0.01) t:wait()
local s = client:stream('x', { headers = count('inf') }) llm.sleep(0.05)
pcall(function() for _ in client:stream('x', { headers = fault('400') }) do end end)

--# os.exit in a task or callback is no failure
--: each_line = true
--: ends = exit 7
llm.spawn(os.exit, 7) llm.sleep(60)
llm.spawn(function() os.exit(7) end) llm.sleep(60)
llm.spawn(function() coroutine.wrap(os.exit)(7) end) llm.sleep(60)
client:start('x', { on_token = function() os.exit(7) end }) llm.sleep(60)
llm.spawn(os.exit, 7, true) llm.sleep(60)
local t = llm.spawn(function() local g <close> = setmetatable({}, { __close = function() os.exit(7) end }) llm.sleep(60) end) llm.sleep(0.01) t:cancel() t:wait()

--# a failure is logged at once, while the script continues
--: log = worker died
local host = require "host"
local task = llm.spawn(function() error("worker died") end) --@ worker
for i = 1, 2000 do
  llm.sleep(0.01)
  if host.logged("worker died") then print("logged") break end
end
--> logged
--! @worker: worker died

--# a failure that is waited for is not logged
--: each_line = true
--: ends = finished
local t = llm.spawn(function() error('mine') end) print(pcall(t.wait, t))
--> false @here: mine
local t = llm.spawn(function() error('mine') end) llm.sleep(0.01) print(pcall(t.wait, t))
--> false @here: mine
local c = client:start('x', { headers = fault('400') }) llm.sleep(0.01) print(c:wait())
--> nil ...(400)...
local c = client:start('x', { headers = fault('400'), on_error = print }) llm.sleep(0.01)
--> ...(400)...
local c = client:start('x', { headers = count('inf') }) llm.sleep(0.01) c:cancel()

--# a failure that is waited for later is logged, and does not fail the script
--: log = mine
local host = require "host"
local task = llm.spawn(function() error("mine") end) --@ mine
repeat llm.sleep(0.01) until host.logged("mine")
print(pcall(task.wait, task)) --> false @mine: mine
