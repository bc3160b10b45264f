-- Models of llm.serve: what a handler may be and may return, asked through llm.client.
local llm = require "llm"
local simulator = require "simulator"
local web = require "web"
local client = simulator.client()

--# a client is a model
--: requests = 1
web.serve({ models = { moon = client } }, function(server)
  local reply = web.client(server, "moon"):ask("hi")
  print(reply.text, reply.finish_reason, reply.model) --> tok1 tok2 tok3  stop moon
end)

--# a client streams as it comes
web.serve({ models = { moon = client } }, function(server)
  for event in web.client(server, "moon"):stream("hi") do
    if event.type == "token" then print(event.text) end
    --> tok1\s
    --> tok2\s
    --> tok3\s
  end
end)

--# a handler relays a stream with the options of the request
--: requests = 1
web.serve({ models = {
  moon = function(request)
    print(request.model, request.prompt, request.options.temperature, request.options.lenient)
    --> moon hi 0.5 true
    return client:stream(request.messages, request.options)
  end,
} }, function(server)
  print(web.client(server, "moon"):ask("hi", { temperature = 0.5 }).text) --> tok1 tok2 tok3\s
  print(simulator.body(1).temperature) --> 0.5
end)

--# a handler returns a reply, a string, a table or an error
--: ignores_warnings = true
web.serve({ models = {
  reply = function(request) return client:ask(request.messages) end,
  text = function(request) return "you said " .. request.prompt end,
  made = function()
    return {
      text = "by hand", reasoning = "why", finish_reason = "length", usage = { input_tokens = 3, output_tokens = 4 },
    }
  end,
  calls = function()
    return { tool_calls = { { id = "c1", name = "f", arguments = { a = 1 } } }, finish_reason = "tool_calls" }
  end,
  fails = function(request) return client:ask(request.messages, { headers = simulator.fault "400" }) end,
} }, function(server)
  local function ask(model) return web.client(server, model):ask("hi") end
  print(ask "reply".text) --> tok1 tok2 tok3\s
  print(ask "text".text) --> you said hi
  local made = ask "made"
  print(made.text, made.reasoning, made.finish_reason, made.usage.input_tokens, made.usage.output_tokens)
  --> by hand why length 3 4
  local call = ask "calls".tool_calls[1]
  print(call.id, call.name, call.arguments.a) --> c1 f 1
  local reply, err = ask "fails"
  print(reply, err.kind, err.status) --> nil invalid_request 400
end)

--# a handler sends pieces itself
web.serve({ models = {
  own = function(_, response)
    response:reasoning "hm"
    for i = 1, 3 do
      response:token("t" .. i .. " ")
      llm.sleep(0)
    end
  end,
} }, function(server)
  local reply = web.client(server, "own"):ask("hi")
  print(reply.text, reply.reasoning, reply.finish_reason) --> t1 t2 t3  hm stop
end)

--# pieces and a reply that ends them
web.serve({ models = {
  own = function(_, response)
    response:token "moon"
    return { text = "ignored, for the text was sent", finish_reason = "length" }
  end,
} }, function(server)
  local reply = web.client(server, "own"):ask("hi")
  print(reply.text, reply.finish_reason) --> moon length
end)

--# a handler may give an iterator of strings
web.serve({ models = {
  own = function()
    local n = 0
    return function()
      n = n + 1
      return n <= 3 and "t" .. n or nil
    end
  end,
} }, function(server)
  print(web.client(server, "own"):ask("hi").text) --> t1t2t3
end)

--# an error in a handler is in the log, and its id with the client
--: log = the handler of the model bad failed (request
web.serve({ models = { bad = function() error("secret detail") end } }, function(server)
  local reply, err = web.client(server, "bad"):ask("hi")
  print(reply, err.kind, err.status, err.retryable) --> nil provider 500 false
  print(err.message:find("secret", 1, true), err.message:match("under the request's id") ~= nil) --> nil true
end)

--# a wrong result is an error
--: log = a handler returns a string, a stream, a reply, a table or nothing, not
web.serve({ models = { bad = function() return 42 end } }, function(server)
  local _, err = web.client(server, "bad"):ask("hi")
  print(err.status) --> 500
end)

--# the failure of a request that a handler makes keeps its kind
--: faults = 429:9@7
--: ignores_warnings = true
local strict = llm.client { retry = { max = 0 } }
web.serve({ models = { m = function(request) return strict:stream(request.messages) end } }, function(server)
  local _, err = web.client(server, "m"):ask("hi")
  print(err.kind, err.status, err.retry_after) --> rate_limit 429 7.0
end)

--# unknown models are refused, with the one that may be meant
web.serve({ models = { moon = client, sun = client } }, function(server)
  local _, err = web.client(server, "mon"):ask("hi")
  print(err.kind, err.status, err.message:match("Did you mean 'moon'") ~= nil) --> invalid_request 404 true
end)

--# the star answers for every other name
--: requests = 1
web.serve({ models = { ["*"] = client, own = function() return "own" end } }, function(server)
  print(web.client(server, "own"):ask("hi").text) --> own
  print(web.client(server, "any-name"):ask("hi").text) --> tok1 tok2 tok3\s
  print(simulator.body(1).model) --> any-name
end)

--# default_model answers where none is named
web.serve({
  default_model = "b",
  models = { a = function() return "a" end, b = function(request) return "b " .. request.model end },
}, function(server)
  local _, body = web.get(server, "/stream?prompt=x")
  print(body:match('"content":"(.-)"')) --> b b
end)

--# without default_model the first name answers
web.serve({ models = { b = function() return "b" end, a = function() return "a" end } }, function(server)
  local _, body = web.get(server, "/stream?prompt=x")
  print(body:match('"content":"(.-)"')) --> a
end)

--# the list of models
web.serve({ models = { b = client, a = client, ["*"] = client } }, function(server)
  local _, body = web.get(server, "/v1/models")
  for _, model in ipairs(llm.json.decode(body).data) do print(model.id) end
  --> a
  --> b
end)

--# the other formats
web.serve({ models = { m = function(request) return "to " .. request.prompt end } }, function(server)
  for _, dialect in ipairs { "openai", "responses", "anthropic", "ollama" } do
    local base = dialect == "ollama" and server.url:sub(1, -2) or server.url .. "v1"
    local reply, err = llm.client { base_url = base, dialect = dialect, model = "m" }:ask("hi", { max_tokens = 100 })
    print(dialect, reply and reply.text or err)
  end
  --> openai to hi
  --> responses to hi
  --> anthropic to hi
  --> ollama to hi
end)

--# an iterator passes on that the text begins anew
local function anew()
  local events = {
    { type = "token", text = "In sh" }, { type = "reset", attempt = 1, err = { kind = "network", message = "cut" } },
    { type = "token", text = "In short" },
  }
  local index = 0
  return function()
    index = index + 1
    return events[index]
  end
end
web.serve({ models = { anew = anew }, routes = { ["GET /a"] = anew } }, function(server)
  local _, body = web.get(server, "/a")
  print(body:find("event: reset\ndata: {\"attempt\":1", 1, true) ~= nil) --> true
end)

--# numbers of a handler are bounded as those of a provider are
web.serve({ models = { m = function()
  return { text = "x", usage = { input_tokens = math.maxinteger, output_tokens = math.maxinteger } }
end } }, function(server)
  print(llm.client { base_url = server.url .. "v1", model = "m" }:ask("hi")) --> x
end)

--# an error whose __tostring raises is answered too
--: log = an error whose __tostring raises
web.serve({ routes = { ["GET /a"] = function()
  error(setmetatable({}, { __tostring = function() error "no" end }))
end } }, function(server) print((web.get(server, "/a"))) end) --> 500
