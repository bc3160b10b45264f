-- client:chat: a conversation that keeps its messages. Loaded on first use.
local host, llm, internal, _ENV = ...
local check, describe, Failure, Reply, fail = internal.check, internal.describe, internal.Failure, internal.Reply, host.misuse

local Chat = { __name = "llm.chat" }
local methods = {}
Chat.__index = methods
Chat.__tostring = function(self) return "chat (" .. #self._messages .. " messages)" end

local FORMAT, VERSION = "moonrill-chat", 1
local OPTIONS = host.options "chat"
for name, kind in next, internal.REQUEST do OPTIONS[name] = kind end
local TRIM = host.options "chat.trim"

local function self_of(self, where)
  if getmetatable(self) ~= Chat then fail(where .. " is a method: write " .. where .. "(...)") end
  return self
end

local function path_of(where, path)
  if type(path) ~= "string" or path == "" then fail(where .. " takes a file's name, not " .. describe(path)) end
  return path
end

local function failure(kind, message) return setmetatable({ kind = kind, message = message, retryable = false }, Failure) end

-- A deep copy of data. Tools, null and other objects are shared.
local ARRAY = getmetatable(llm.json.array {})
local function copied(value, seen)
  if type(value) ~= "table" then return value end
  local metatable = getmetatable(value)
  if metatable ~= nil and metatable ~= ARRAY then return value end
  seen = seen or {}
  if seen[value] then return seen[value] end
  local copy = setmetatable({}, metatable)
  seen[value] = copy
  for name, member in next, value do copy[name] = copied(member, seen) end
  return copy
end

-- The messages that a prompt adds to the conversation.
local function prompt_messages(prompt)
  if getmetatable(prompt) == Reply then prompt = prompt.text end
  if type(prompt) == "string" then return { { role = "user", content = prompt } } end
  if type(prompt) ~= "table" or getmetatable(prompt) == Failure or next(prompt) == nil then
    fail("chat:send takes a string, a message or an array of parts, not " .. describe(prompt))
  end
  if prompt.role ~= nil then return { prompt } end
  local first = prompt[1]
  if type(first) == "table" and (first.role ~= nil or getmetatable(first) == Reply) then return prompt end
  return { { role = "user", content = prompt } }
end

-- The calls without a result, from the message with that number on. Every provider refuses a history that has one.
local function unanswered(messages, first)
  local open, order, nameless = {}, {}, {}
  for index = first, #messages do
    local message = messages[index]
    if message.role == "assistant" and type(message.tool_calls) == "table" then
      for _, call in ipairs(message.tool_calls) do
        local form = type(call) == "table" and call["function"]
        local id = type(call) == "table" and call.id
        local name = type(call) == "table" and (call.name or (type(form) == "table" and form.name)) or "?"
        if type(id) == "string" and id ~= "" then
          if not open[id] then order[#order + 1] = id end
          open[id] = name
        else
          -- Calls of Ollama may have no ids: results are assigned in order.
          nameless[#nameless + 1] = { id = "", name = name }
        end
      end
    elseif message.role == "tool" then
      local id = message.tool_call_id
      if type(id) == "string" and id ~= "" then open[id] = nil else table.remove(nameless, 1) end
    end
  end
  local list = {}
  for _, id in ipairs(order) do if open[id] then list[#list + 1] = { id = id, name = open[id] } end end
  return table.move(nameless, 1, #nameless, #list + 1, list)
end

-- Converts the messages that are new since the last turn. Each turn sends the whole conversation, so a message is converted
-- once and kept. Stops at the first message whose image is read anew for each request.
local function history_of(self)
  local history = self._history or host.history()
  self._history = history
  for index = host.history_count(history) + 1, #self._messages do
    local message = self._messages[index]
    if type(message.content) == "table" then
      local read, problem = internal.images("chat:send", "messages[" .. index .. "]", message)
      if read ~= message or problem then break end
    end
    if not host.history_add(history, message) then break end
  end
  return history
end

-- Replaces the messages and discards their converted form.
local function replace(self, messages) self._messages, self._history, self._answered = messages, nil, 0 end

-- Sends the whole conversation. The question and the reply are kept once the reply is complete.
function methods:send(prompt, options)
  self_of(self, "chat:send")
  if options ~= nil then check("chat:send", options, internal.REQUEST) end
  if self._busy then fail("chat:send: this chat waits for an answer; fork() it to ask side by side") end
  local messages = table.move(self._messages, 1, #self._messages, 1, {})
  for _, message in ipairs(internal.prompt.checked("chat:send", "the prompt", prompt_messages(prompt))) do
    messages[#messages + 1] = copied(message)
  end
  local open = unanswered(messages, self._answered + 1)
  if #open > 0 then
    return nil, failure("invalid_request", "chat:send: the model's call '" .. open[1].name .. "' (id " .. open[1].id
      .. ") has no answer yet; send { role = \"tool\", tool_call_id = id, content = result } for it, or an array of these for "
      .. "several calls")
  end
  self._busy = true
  local guard <close> = setmetatable({}, { __close = function() self._busy = false end })
  local request = {}
  for name, value in next, self._options do request[name] = value end
  for name, value in next, options or {} do request[name] = value end
  local reply, err = internal.ask("chat:send", self._client, messages, request, history_of(self))
  if not reply then
    if err.messages then err.messages = copied(err.messages) end
    return nil, err
  end
  self._answered = #messages
  if reply.messages then
    -- The chat and the reply share no tables: the script may change those of the reply.
    for index = 1, #messages do reply.messages[index] = copied(messages[index]) end
    for index = #messages + 1, #reply.messages do messages[index] = copied(reply.messages[index]) end
  else
    messages[#messages + 1] = copied(reply.message)
  end
  self._messages = messages
  return reply
end

-- An independent copy of the conversation.
function methods:fork()
  self_of(self, "chat:fork")
  return setmetatable({
    _client = self._client, _options = copied(self._options), _messages = copied(self._messages), _busy = false,
    _answered = self._answered,
  }, Chat)
end

function methods:messages() return copied(self_of(self, "chat:messages")._messages) end

-- Writes the conversation to a file, atomically. Returns true, or nil and an error.
function methods:save(path)
  self_of(self, "chat:save")
  path_of("chat:save", path)
  local text, problem = host.json_text({
    format = FORMAT, version = VERSION, model = self._client.model, system = self._options.system,
    messages = llm.json.array(copied(self._messages)),
  }, "the chat", true)
  local why = problem
  if text then
    local is_written
    is_written, why = host.write_file(path, text .. "\n")
    if is_written then return true end
  end
  return nil, failure("config", "the chat cannot be saved: " .. why)
end

-- The content of a saved file: a table, or nil and the reason why it is not a conversation.
local function loaded(path)
  local file, why = io.open(path, "rb")
  if not file then return nil, "the chat cannot be loaded: " .. why end
  local text, problem = file:read("a")
  file:close()
  if not text then return nil, "the chat cannot be loaded: " .. path .. ": " .. tostring(problem) end
  local saved
  saved, problem = llm.json.decode(text)
  if type(saved) ~= "table" or saved.format ~= FORMAT then
    return nil, path .. " holds no chat" .. (problem and ": " .. tostring(problem) or "")
  end
  if math.type(saved.version) ~= "integer" or saved.version > VERSION then
    return nil, path .. " was saved by a later moonrill (version " .. tostring(saved.version) .. ")"
  end
  if saved.system == llm.json.null then saved.system = nil end
  if saved.system ~= nil and type(saved.system) ~= "string" then return nil, path .. " holds no chat: system is no string" end
  if getmetatable(saved.messages) ~= ARRAY then return nil, path .. " holds no chat: messages is no array" end
  for index, message in ipairs(saved.messages) do
    local wrong = internal.prompt.message_problem(message)
    if wrong then return nil, path .. " holds no chat: message " .. index .. wrong end
  end
  return saved
end

-- Replaces the messages with those of a saved file. Returns true, or nil and an error with nothing changed.
function methods:load(path)
  self_of(self, "chat:load")
  path_of("chat:load", path)
  if self._busy then fail("chat:load: this chat waits for an answer") end
  local saved, problem = loaded(path)
  if not saved then return nil, failure("config", problem) end
  replace(self, saved.messages)
  if self._options.system == nil then self._options.system = saved.system end
  return true
end

-- Estimated tokens of a message; the bytes of images do not count.
local function tokens_of(value)
  if type(value) == "string" then return host.estimated_tokens(value) end
  local sum = 0
  if type(value) == "table" then
    for name, part in next, value do if name ~= "data" then sum = sum + tokens_of(part) end end
  end
  return sum
end

-- Removes the oldest exchanges until the rest has at most max_tokens, by estimate. An exchange is a user message and all
-- messages up to the next one; the last exchange stays. Returns the number of messages removed.
function methods:trim(options)
  self_of(self, "chat:trim")
  check("chat:trim", options, TRIM)
  if not options.max_tokens then fail("chat:trim needs max_tokens") end
  if self._busy then fail("chat:trim: this chat waits for an answer") end
  local messages, sum, starts = self._messages, tokens_of(self._options.system), {}
  for index, message in ipairs(messages) do
    sum = sum + 4 + tokens_of(message)
    if message.role == "user" then starts[#starts + 1] = index end
  end
  local first = 1
  for _, start in ipairs(starts) do
    for index = first, start - 1 do sum = sum - 4 - tokens_of(messages[index]) end
    first = start
    if sum <= options.max_tokens then break end
  end
  replace(self, table.move(messages, first, #messages, 1, {}))
  return first - 1
end

-- client:chat{ system =, messages =, load = path, ... }: further options apply to every send. All are checked here.
return function(client, options)
  options = options == nil and {} or options
  internal.check_request("client:chat", options, OPTIONS)
  local messages = internal.prompt.checked("client:chat", "messages", options.messages or {})
  local own = copied(options)
  own.messages, own.load = nil, nil
  local chat = setmetatable({ _client = client, _options = own, _messages = copied(messages), _busy = false, _answered = 0 }, Chat)
  if options.load == nil then return chat end
  local ok, err = chat:load(options.load)
  if not ok then return nil, err end
  return chat
end
