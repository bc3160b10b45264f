-- llm.serve: the script behind HTTP. Handlers answer requests, models answer the chat endpoints. Loaded on first use.
local host, llm, internal, _ENV = ...
local check, describe, Failure, Reply, scope = internal.check, internal.describe, internal.Failure, internal.Reply, internal.scope
local misuse = host.misuse

local OPTIONS, LIMIT, BUDGET = host.options "serve", host.options "serve.limit", host.options "serve.budget"
local PAGE, RESPONSE = host.options "serve.page", host.options "serve.answer"

-- Routes without a handler ------------------------------------------------------------------------------------------

local Page = { __name = "llm.serve.page" }
local Files = { __name = "llm.serve.files" }

local function page(options)
  options = options or {}
  check("llm.serve.page", options, PAGE)
  return setmetatable({ title = options.title }, Page)
end

local function files(directory)
  if type(directory) ~= "string" or directory == "" then
    misuse("llm.serve.files takes the path of a folder, not " .. describe(directory))
  end
  return setmetatable({ directory = directory }, Files)
end

-- Requests and responses as handlers see them -----------------------------------------------------------------------

-- Raised where a handler reads a body that is not what it needs; answered with 400.
local BadRequest = { __name = "llm.serve.bad_request", __tostring = function(self) return self.message end }

-- The text of a message's content.
local function text_of(content)
  if type(content) == "string" then return content end
  local texts = {}
  for _, part in ipairs(type(content) == "table" and content or {}) do
    if type(part) == "table" and type(part.text) == "string" then texts[#texts + 1] = part.text end
  end
  return table.concat(texts, "\n")
end

-- Members of a request that are made when they are read.
local LATER = {
  json = function(request)
    local value, err = llm.json.decode(request.body)
    if err ~= nil then error(setmetatable({ message = "the body is not JSON: " .. tostring(err) }, BadRequest), 0) end
    return value
  end,
  -- The last message of the user, or the parameter of the query.
  prompt = function(request)
    local messages = rawget(request, "messages")
    if not messages then return request.query.prompt end
    for index = #messages, 1, -1 do
      if messages[index].role == "user" then return text_of(messages[index].content) end
    end
    return ""
  end,
}
local Request = {
  __name = "llm.serve.request",
  __index = function(self, name)
    local make = LATER[name]
    if not make then return nil end
    local value = make(self)
    rawset(self, name, value)
    return value
  end,
}

local Response = { __name = "llm.serve.response" }
local response_methods = {}
Response.__index = response_methods

local function exchange_of(self, where)
  if getmetatable(self) ~= Response then misuse(where .. " is a method: write " .. where .. "(...)") end
  return self._exchange
end

-- Names that browsers, or the events of a stream, use.
local RESERVED = {
  error = true, open = true, start = true, finish = true, failure = true, lost = true, reset = true, retry = true,
}

function response_methods:event(name, value)
  local exchange = exchange_of(self, "response:event")
  if type(name) ~= "string" or name == "" or #name > 100 or string.find(name, "[%c]") or not utf8.len(name) then
    misuse("response:event takes a name of at most 100 bytes of UTF-8 without line breaks, not " .. describe(name))
  end
  if RESERVED[name] then misuse("response:event: the name '" .. name .. "' is taken; choose another") end
  if value == nil then value = {} end
  if name == "message" then name = nil end
  host.serve_emit(exchange, name, value)
end

function response_methods:token(text)
  local exchange = exchange_of(self, "response:token")
  if type(text) ~= "string" then misuse("response:token takes a string, not " .. describe(text)) end
  self._has_text = true
  host.serve_text(exchange, text, false)
end

function response_methods:reasoning(text)
  local exchange = exchange_of(self, "response:reasoning")
  if type(text) ~= "string" then misuse("response:reasoning takes a string, not " .. describe(text)) end
  self._has_text = true
  host.serve_text(exchange, text, true)
end

-- Answers -----------------------------------------------------------------------------------------------------------

local FRAMING = {
  ["content-length"] = true, ["transfer-encoding"] = true, connection = true, upgrade = true, te = true, trailer = true,
  ["keep-alive"] = true, ["proxy-connection"] = true,
}

-- Sends what a handler returned as a table.
local function send_table(exchange, answer)
  check("the handler's answer", answer, RESPONSE)
  local status = answer.status or 200
  if math.type(status) ~= "integer" or status < 200 or status > 599 then
    misuse("the handler's answer: status must be an integer from 200 to 599, not " .. describe(status))
  end
  local headers, body, kind = {}, "", nil
  if answer.json ~= nil then body, kind = host.json_body(answer.json), "application/json" end
  if answer.text ~= nil then body, kind = answer.text, "text/plain; charset=utf-8" end
  if answer.html ~= nil then body, kind = answer.html, "text/html; charset=utf-8" end
  if answer.body ~= nil then body, kind = answer.body, "application/octet-stream" end
  if kind then headers["content-type"] = kind end
  for name, value in next, answer.headers or {} do
    local problem = host.header_problem(name, value)
    if problem then misuse("the handler's answer: " .. problem) end
    local lower = string.lower(name)
    if FRAMING[lower] then misuse("the handler's answer: the header " .. name .. " is set by the server") end
    headers[lower] = tostring(value)
  end
  host.serve_respond(exchange, status, headers, body)
end

-- Events of a stream that are passed on beside text.
local PROGRESS = { reset = true, retry = true, wait = true, usage = true, native = true }

-- Passes on what any iterator gives: pieces of text, or events as those of client:stream.
local function send_events(exchange, response, iterate, state, control)
  for event in iterate, state, control do
    if type(event) == "string" then
      response:token(event)
    elseif type(event) ~= "table" then
      misuse("a handler's iterator must give strings or events, not " .. describe(event))
    elseif event.type == "token" then
      response:token(event.text)
    elseif event.type == "reasoning" then
      response:reasoning(event.text)
    elseif PROGRESS[event.type] then
      host.serve_progress(exchange, event)
    elseif event.type == "finish" and event.reply == nil then
      return host.serve_end(exchange)
    elseif event.type == "finish" then
      return host.serve_reply(exchange, event.reply, true, llm.prices[event.reply.model])
    end
  end
  host.serve_end(exchange)
end

-- Sends what a handler returned: a stream, a reply, a string, a table, nil and an error, or nothing.
local function answer(exchange, is_model, response, first, second, third, fourth)
  if type(first) == "function" then
    if getmetatable(fourth) == internal.Call then
      return host.serve_relay(exchange, fourth._handle, llm.prices[fourth._model])
    end
    local guard <close> = fourth
    return send_events(exchange, response, first, second, third)
  end
  if first == nil and second ~= nil then
    if getmetatable(second) ~= Failure then error(second, 0) end
    return host.serve_fail(exchange, second)
  end
  if first == nil then return host.serve_end(exchange) end
  local kind, has_text = type(first), response._has_text or false
  if getmetatable(first) == Reply then
    if is_model or has_text then return host.serve_reply(exchange, first, has_text, llm.prices[first.model]) end
    return host.serve_respond(exchange, 200, { ["content-type"] = "text/plain; charset=utf-8" }, first.text)
  end
  if kind == "string" then
    if is_model then return host.serve_reply(exchange, first, has_text) end
    return host.serve_respond(exchange, 200, { ["content-type"] = "text/plain; charset=utf-8" }, first)
  end
  if kind ~= "table" then
    misuse("a handler returns a string, a stream, a reply, a table or nothing, not " .. describe(first))
  end
  if is_model then return host.serve_reply(exchange, first, has_text) end
  return send_table(exchange, first)
end

-- Handlers ----------------------------------------------------------------------------------------------------------

-- Runs body inside the budgets, the outer one first.
local function inside(where, budgets, place, body)
  if place > #budgets then return scope.run(where, body) end
  return scope.run(where, function() return inside(where, budgets, place + 1, body) end, budgets[place]._handle)
end

-- The function that runs in the task of each request.
local function dispatcher(handlers, names, model_count, budgets_of)
  local first_model = #handlers - model_count + 1
  return function(exchange, number, request)
    local guard <close> = setmetatable({}, { __close = function() host.serve_over(exchange) end })
    setmetatable(request, Request)
    local response = setmetatable({ _exchange = exchange }, Response)
    local traceback
    local function where() return "the handler of " .. names[number] end
    local ok, done, err = pcall(inside, where, budgets_of(request.client), 1, function()
      local results = table.pack(xpcall(handlers[number], function(problem)
        traceback = host.traceback()
        return problem
      end, request, response))
      if not results[1] then error(results[2], 0) end
      answer(exchange, number >= first_model, response, table.unpack(results, 2, results.n))
      return true
    end)
    if ok and done then return end
    if ok then return host.serve_fail(exchange, err) end
    local problem = done
    if getmetatable(problem) == BadRequest then
      return host.serve_respond(exchange, 400, { ["content-type"] = "application/json" },
        host.json_body { error = {
          message = problem.message, type = "invalid_request_error", request_id = request.id } })
    end
    -- The client is gone, or the server ends.
    if getmetatable(problem) == Failure and problem.kind == "cancelled" then return end
    host.serve_raised(exchange)
    local is_text, text = pcall(tostring, problem)
    host.log("error", where() .. " failed (request " .. request.id .. "): "
      .. (is_text and text or "an error whose __tostring raises") .. (traceback and "\n" .. traceback or ""))
  end
end

-- A client as a model: it answers with its own model, or, under "*", with the one that was asked for.
local function relay_to(client, name)
  return function(request)
    local options = {}
    for option, value in next, request.options do options[option] = value end
    if name == "*" then options.model = request.model end
    return client:stream(request.messages, options)
  end
end

-- Server ------------------------------------------------------------------------------------------------------------

local function sorted(map)
  local keys = {}
  for key in next, map do
    if type(key) ~= "string" then misuse("llm.serve: routes and models are named; there is a value at " .. describe(key)) end
    keys[#keys + 1] = key
  end
  table.sort(keys)
  return keys
end

-- The routes as data, and their handlers.
local function read_routes(given, handlers, names)
  local routes = {}
  for _, pattern in ipairs(sorted(given)) do
    local target = given[pattern]
    local route = { pattern = pattern, kind = "handler" }
    if getmetatable(target) == Page then
      route.kind, route.title = "page", target.title
    elseif getmetatable(target) == Files then
      route.kind, route.directory = "files", target.directory
    elseif not internal.step.is_callable(target) then
      misuse("llm.serve: the route \"" .. pattern .. "\" needs a function, llm.serve.page or llm.serve.files, not "
        .. describe(target))
    end
    routes[#routes + 1], handlers[#handlers + 1], names[#names + 1] = route, target, pattern
  end
  return routes
end

-- The names of the models, the default first, and their handlers.
local function read_models(given, default, handlers, names)
  local models = sorted(given)
  if default ~= nil then
    if given[default] == nil then misuse("llm.serve: default_model = \"" .. default .. "\" is none of the models") end
    table.sort(models, function(a, b) return (a == default and "" or a) < (b == default and "" or b) end)
  end
  for _, name in ipairs(models) do
    local target = given[name]
    if getmetatable(target) == internal.Client then
      target = relay_to(target, name)
    elseif not internal.step.is_callable(target) then
      misuse("llm.serve: the model '" .. name .. "' needs a function or a client, not " .. describe(target))
    end
    handlers[#handlers + 1], names[#names + 1] = target, "the model " .. name
  end
  return models
end

-- Maximum number of client budgets in memory. One client more clears the table, and all budgets start at zero.
local MAX_CLIENTS = 100000

-- A function that gives the budgets of a client: that of the server, and its own.
local function budgets(given)
  if not given then return function() return {} end end
  check("llm.serve: budget", given, BUDGET)
  local all = (given.usd or given.tokens) and llm.budget { usd = given.usd, tokens = given.tokens }
  local function own()
    return llm.budget { usd = given.per_client_usd, tokens = given.per_client_tokens }
  end
  local clients, count, has_own = {}, 0, given.per_client_usd or given.per_client_tokens
  return function(client)
    local list = {}
    if all then list[1] = all end
    if has_own then
      if not clients[client] then
        if count >= MAX_CLIENTS then clients, count = {}, 0 end
        clients[client], count = own(), count + 1
      end
      list[#list + 1] = clients[client]
    end
    return list
  end
end

local function check_texts(name, list)
  for _, text in ipairs(list or {}) do
    if type(text) ~= "string" then misuse("llm.serve: " .. name .. " takes strings, not " .. describe(text)) end
  end
end

local function serve(options)
  check("llm.serve", options, OPTIONS)
  check_texts("origins", options.origins)
  check_texts("hosts", options.hosts)
  if options.limit then check("llm.serve: limit", options.limit, LIMIT) end
  if not (options.routes and next(options.routes)) and not (options.models and next(options.models)) then
    misuse("llm.serve needs routes or models")
  end
  local handlers, names, data = {}, {}, {}
  for name, value in next, options do data[name] = value end
  data.routes = llm.json.array(read_routes(options.routes or {}, handlers, names))
  local count = #handlers
  data.models = llm.json.array(read_models(options.models or {}, options.default_model, handlers, names))
  data.budget, data.on_start = nil, nil
  local dispatch = dispatcher(handlers, names, #handlers - count, budgets(options.budget))
  local url, port, code = host.serve_start(data, dispatch)
  if not url then return nil, setmetatable({ kind = "config", message = port, code = code, retryable = false }, Failure) end
  -- An error in on_start, and a cancellation of this task, end the server at once.
  local is_over = false
  local guard <close> = setmetatable({}, { __close = function()
    if not is_over then host.serve_stop() host.serve_stop() end
  end })
  if options.on_start then options.on_start { url = url, port = port, stop = host.serve_stop } end
  host.serve_wait()
  is_over = true
  return true
end

local module = internal.named("llm.serve", { page = page, files = files })
getmetatable(module).__call = function(_, options) return serve(options) end
return module
