-- Routes of llm.serve: what handlers get and return, which route wins, files, the page, streams.
local llm = require "llm"
local simulator = require "simulator"
local web = require "web"
local host = require "host"
local client = simulator.client()

--# a request as its handler sees it
web.serve({ routes = {
  ["POST /notes/:id/*"] = function(request)
    print(request.method, request.path, request.params.id, request.params["*"]) --> POST /notes/a b/x/y a b x/y
    print(request.query.q, request.query.r, request.headers["x-a"], request.client) --> 1 nil v 127.0.0.1
    print(request.body, request.json.n, request.prompt, #request.id) --> {"n":1} 1 nil 16
    print(request.messages, request.model) --> nil nil
  end,
} }, function(server)
  local status, body, headers = web.fetch(
    server, "POST", "/notes/a%20b/x/y?q=1&q=2", { ["X-A"] = "v" }, '{"n":1}')
  print(status, body == "", #headers["x-request-id"]) --> 204 true 16
end)

--# what a handler returns
web.serve({ routes = {
  ["GET /text"] = function() return "moon" end,
  ["GET /json"] = function() return { status = 201, json = { a = { 1, 2 } }, headers = { ["X-B"] = "c" } } end,
  ["GET /html"] = function() return { html = "<p>" } end,
  ["GET /bytes"] = function() return { body = "\1\2", headers = { ["Content-Type"] = "image/x" } } end,
  ["GET /none"] = function() end,
  ["GET /reply"] = function() return client:ask "hi" end,
} }, function(server)
  for _, path in ipairs { "text", "json", "html", "bytes", "none", "reply" } do
    local status, body, headers = web.get(server, "/" .. path)
    print(status, headers["content-type"], headers["x-b"], path == "bytes" and #body or body)
  end
  --> 200 text/plain; charset=utf-8 nil moon
  --> 201 application/json c {"a":[1,2]}
  --> 200 text/html; charset=utf-8 nil <p>
  --> 200 image/x nil 2
  --> 204 nil nil\s
  --> 200 text/plain; charset=utf-8 nil tok1 tok2 tok3\s
end)

--# the most specific route wins
web.serve({ routes = {
  ["GET /*"] = function(request) return "rest " .. request.params["*"] end,
  ["GET /notes/:id"] = function(request) return "id " .. request.params.id end,
  ["GET /notes/new"] = function() return "new" end,
} }, function(server)
  for _, path in ipairs { "/notes/new", "/notes/5", "/notes/5/6", "/", "/healthz" } do
    print((select(2, web.get(server, path)):gsub("\n", ""))) end
  --> new
  --> id 5
  --> rest notes/5/6
  --> rest\s
  --> ok
end)

--# errors in handlers
--: log = the handler of GET /boom failed (request
--: log = the handler's answer: status must be an integer from 200 to 599, not 1000
--: log = the header Content-Length is set by the server
web.serve({ routes = {
  ["GET /boom"] = function() error("secret detail") end,
  ["GET /status"] = function() return { status = 1000 } end,
  ["GET /length"] = function() return { text = "x", headers = { ["Content-Length"] = "9" } } end,
  ["GET /failure"] = function() return client:ask("hi", { headers = simulator.fault "400:1", retry = { max = 0 } }) end,
  ["POST /json"] = function(request) return { json = request.json.n } end,
} }, function(server)
  for _, path in ipairs { "/boom", "/status", "/length" } do
    local status, body, headers = web.get(server, path)
    print(status, body:find("secret", 1, true), body:find(headers["x-request-id"], 1, true) ~= nil) --> 500 nil true
    --> 500 nil true
    --> 500 nil true
  end
  print((web.get(server, "/failure"))) --> 400
  local status, body = web.fetch(server, "POST", "/json", nil, '{"n":')
  print(status, llm.json.decode(body).error.type) --> 400 invalid_request_error
  print((web.get(server, "/nope")), (web.fetch(server, "PUT", "/json"))) --> 404 405
end)

--# a traceback of the handler is in the log
--: log = routes.lua:
web.serve({ routes = { ["GET /boom"] = function() local x = nil; return x.y end } }, function(server)
  print((web.get(server, "/boom"))) --> 500
end)

--# a stream of a handler
web.serve({ routes = { ["GET /poem"] = function(request) return client:stream(request.query.prompt) end } },
  function(server)
    local _, text, headers = web.get(server, "/poem?prompt=hi")
    print(headers["content-type"]) --> text/event-stream; charset=utf-8
    for _, event in ipairs(web.events(text)) do print((event:gsub('"stream":".-"', "STREAM"))) end
    --> start {STREAM}
    --> message {"content":"tok1 "}
    --> message {"content":"tok2 "}
    --> message {"content":"tok3 "}
    --> usage {...
    --> finish {"finish_reason":"stop",...
  end)

--# events of a handler's own
web.serve({ routes = {
  ["GET /steps"] = function(_, response)
    response:event("step", { n = 1 })
    response:event("message", "text")
    llm.sleep(0)
    response:event("step")
    response:token "tok"
  end,
} }, function(server)
  local _, text = web.get(server, "/steps")
  local events = web.events(text)
  print(table.concat(events, " | ", 2)) --> step {"n":1} | message {"content":"text"} | step {} | message {"content":"tok"} | finish {"finish_reason":"stop"}
end)

--# an iterator over a stream keeps its tool calls
web.serve({ models = {
  m = function()
    local events = { { type = "token", text = "hm" }, { type = "finish", reply = {
      text = "hm", tool_calls = { { id = "c1", name = "f", arguments = { a = 1 } } }, finish_reason = "tool_calls" } } }
    local n = 0
    return function()
      n = n + 1
      return events[n]
    end
  end,
} }, function(server)
  local _, text = web.get(server, "/stream?prompt=x")
  local events = web.events(text)
  print(events[2], events[3]) --> message {"content":"hm"} tool_call {"id":"c1","name":"f","arguments":{"a":1}}
  local reply = web.client(server, "m"):ask "hi"
  print(reply.text, #reply.tool_calls, reply.tool_calls[1].name) --> hm 1 f
end)

--# budgets of clients are apart
--: ignores_warnings = true
web.serve({ models = { m = client }, trust_proxy = true, budget = { per_client_tokens = 20 } }, function(server)
  local function last(address)
    local err
    for _ = 1, 40 do
      local own = web.client(server, "m", { headers = { ["X-Forwarded-For"] = address } })
      err = select(2, own:ask "hi")
      if err then return err.status end
    end
  end
  print(last "1.1.1.1") --> 429
  local other = web.client(server, "m", { headers = { ["X-Forwarded-For"] = "2.2.2.2" } })
  print(other:ask "hi" ~= nil) --> true
end)

--# an ended stream is resumed without its handler
local runs = 0
web.serve({ routes = {
  ["GET /steps"] = function(_, response)
    runs = runs + 1
    for i = 1, 5 do response:event("step", { n = i }) end
  end,
} }, function(server)
  local _, text, headers = web.get(server, "/steps")
  local whole = web.events(text)
  local same = 0
  for last = 1, #whole - 1 do
    local _, rest = web.get(server, "/steps", { ["Last-Event-ID"] = headers["x-moonrill-stream"] .. "-" .. last })
    if table.concat(web.events(rest), "|") == table.concat(whole, "|", last + 1) then same = same + 1 end
  end
  local status = web.get(server, "/steps?last_event_id=" .. headers["x-moonrill-stream"] .. "-" .. #whole)
  print(#whole, same, runs, status) --> 7 6 1 204
end)

--# a budget of the server
--: ignores_warnings = true
web.serve({ models = { m = client }, budget = { tokens = 40 } }, function(server)
  local own = web.client(server, "m")
  print(own:ask "hi" ~= nil) --> true
  local _, err
  for _ = 1, 40 do
    _, err = own:ask "hi"
    if err then break end
  end
  print(err.status, err.message:find("budget", 1, true) ~= nil) --> 429 true
  local before = host.requests()
  own:ask "hi"
  print(host.requests() == before) --> true
end)

--# limits
web.serve({ models = { m = client }, limit = { per_client_rpm = 2 } }, function(server)
  local own = web.client(server, "m")
  for _ = 1, 2 do own:ask "hi" end
  local _, err = own:ask "hi"
  print(err.kind, err.status, err.retry_after) --> rate_limit 429 30.0
end)

--# a large body is refused
web.serve({ routes = { ["POST /a"] = function(request) return tostring(#request.body) end }, limit = { body_bytes = 10 } },
  function(server)
    print(web.fetch(server, "POST", "/a", nil, "0123456789")) --> 200 10 table: ...
    print((web.fetch(server, "POST", "/a", nil, "0123456789a"))) --> 413
  end)

--# files and the page
local folder = host.folder()
local file <close> = io.open(folder .. "/a.txt", "w")
file:write "moon"
file:flush()
web.serve({ models = { moon = client }, routes = {
  ["GET /files/*"] = llm.serve.files(folder),
  ["GET /"] = llm.serve.page { title = "A & B" },
} }, function(server)
  print(select(2, web.get(server, "/files/a.txt"))) --> moon table: ...
  print((web.get(server, "/files/../a.txt")), (web.get(server, "/files/b.txt"))) --> 400 404
  local status, body, headers = web.get(server, "/")
  print(status, body:match "<title>(.-)</title>", headers["x-frame-options"]) --> 200 A &amp; B DENY
  print(body:match '"models":(%b[])') --> ["moon"]
end)

--# a token
--: key = TOKEN=sesame
web.serve({ routes = {
  ["GET /a"] = function(request) return tostring(request.headers.authorization) end }, token_env = "TOKEN" },
  function(server)
    print((web.get(server, "/a")), (web.get(server, "/healthz"))) --> 401 200
    print(select(2, web.get(server, "/a", { Authorization = "Bearer sesame" }))) --> nil table: ...
    print(os.getenv "TOKEN") --> nil
  end)
