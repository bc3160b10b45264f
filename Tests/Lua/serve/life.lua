-- The life of a server: start, one at a time, stop, cancellation, and clients that leave.
local llm = require "llm"
local simulator = require "simulator"
local web = require "web"
local client = simulator.client()
local function f() return "moon" end

--# llm.serve returns true after stop
print(llm.serve { port = 0, routes = { ["GET /"] = f }, on_start = function(server)
  print(server.url == "http://127.0.0.1:" .. math.tointeger(server.port) .. "/") --> true
  server.stop()
  server.stop()
end }) --> true

--# a server may follow another
for _ = 1, 3 do
  print(web.serve({ routes = { ["GET /"] = f } }, function(server) print(select(2, web.get(server, "/"))) end))
  --> moon table: ...
  --> true
  --> moon table: ...
  --> true
  --> moon table: ...
  --> true
end

--# two servers at a time are refused
web.serve({ routes = { ["GET /"] = f } }, function(server)
  print(pcall(llm.serve, { port = 0, routes = { ["GET /"] = f } })) --> false @here: llm.serve: the script serves already; one server has all routes and models
  print((web.get(server, "/"))) --> 200
end)

--# an address in use is an error
local host = require "host"
local port = math.tointeger(host.url():match ":(%d+)")
local ok, err = llm.serve { port = port, routes = { ["GET /"] = f } }
print(ok, err.kind, err.code, err.message:find(tostring(port), 1, true) ~= nil) --> nil config address_in_use true
-- The script may try another one.
print(web.serve({ routes = { ["GET /"] = f } }, function() end)) --> true

--# an exposed address needs a token or open
local ok, err = llm.serve { host = "0.0.0.0", port = 0, routes = { ["GET /"] = f } }
print(ok, err.kind, err.message:find("token_env", 1, true) ~= nil) --> nil config true

--# a token that is not set is an error
local ok, err = llm.serve { token_env = "NO_SUCH_TOKEN", port = 0, routes = { ["GET /"] = f } }
print(ok, err.kind, err.message:find("NO_SUCH_TOKEN", 1, true) ~= nil) --> nil config true

--# an error in on_start ends the server
print(pcall(llm.serve, { port = 0, routes = { ["GET /"] = f }, on_start = function() error("no", 0) end })) --> false no

--# a cancelled task ends its server
local task, port = nil, nil
task = llm.spawn(function()
  local closing <close> = setmetatable({}, { __close = function() print "closed" end })
  llm.serve { port = 0, routes = { ["GET /"] = f }, on_start = function(server) port = server.port end }
end)
while not port do llm.sleep(0) end
print((web.get({ port = port }, "/"))) --> 200
task:cancel()
local ok, err = task:wait() --> closed
print(ok, err.kind) --> nil cancelled
print((web.get({ port = port }, "/"))) --> 0

--# a flow that is left ends its server
local port
local first = llm.flow.race {
  function() llm.serve { port = 0, routes = { ["GET /"] = f }, on_start = function(server) port = server.port end } end,
  function()
    while not port do llm.sleep(0) end
    return web.get({ port = port }, "/")
  end,
}
print((first("x"))) --> 200
print((web.get({ port = port }, "/"))) --> 0

--# handlers run at the same time
local inside, most = 0, 0
web.serve({ models = {
  m = function()
    inside = inside + 1
    most = math.max(most, inside)
    while most < 5 do llm.sleep(0) end
    inside = inside - 1
    return "moon"
  end,
} }, function(server)
  local own = web.client(server, "m")
  local calls = {}
  for i = 1, 5 do calls[i] = llm.spawn(function() return own:ask("hi").text end) end
  for i = 1, 5 do print(calls[i]:wait()) end
  --> moon
  --> moon
  --> moon
  --> moon
  --> moon
end)

--# a caller that leaves cancels the handler and its request
--: aborted = 1
local host = require "host"
local closed = false
local endless = llm.client { headers = simulator.count "inf" }
web.serve({ models = {
  m = function(request)
    local closing <close> = setmetatable({}, { __close = function() closed = true end })
    return endless:stream(request.messages)
  end,
} }, function(server)
  for event in web.client(server, "m"):stream("hi") do
    if event.type == "token" then break end
  end
  while host.aborted() == 0 do llm.sleep(0.001) end
  print(closed) --> true
end)

--# stop lets running handlers end
local began, task = false, nil
print(llm.serve { port = 0, models = { m = function()
  began = true
  llm.sleep(0.05)
  return "late"
end }, on_start = function(server)
  local own = web.client(server, "m")
  task = llm.spawn(function() return own:ask("hi").text end)
  while not began do llm.sleep(0) end
  server.stop()
end }) --> true
print(task:wait()) --> late

--# after the drain handlers are cut
local began, task, closed = false, nil, false
print(llm.serve { port = 0, drain = 0, models = { m = function()
  local closing <close> = setmetatable({}, { __close = function() closed = true end })
  began = true
  llm.sleep(60)
end }, on_start = function(server)
  local own = web.client(server, "m")
  task = llm.spawn(function() return own:ask "hi" end)
  while not began do llm.sleep(0) end
  server.stop()
end }) --> true
local reply, err = task:wait()
print(reply, err.kind, closed) --> nil network true
