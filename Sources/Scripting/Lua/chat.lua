-- client:chat: a conversation that remembers. Loaded when a script first begins one.
local host, llm, shared, _ENV = ...
local describe, Failure = shared.describe, shared.Failure

local Chat = { __name = "llm.chat" }
local methods = {}
Chat.__index = methods
Chat.__tostring = function(self) return "chat (" .. #self._messages .. " messages)" end

local FORMAT, VERSION = "moonrill-chat", 1

local function self_of(self, where)
  if getmetatable(self) ~= Chat then host.misuse(where .. " is a method: write " .. where .. "(...)") end
  return self
end

local function failure(message) return setmetatable({ kind = "config", message = message, retryable = false }, Failure) end

local function copied(messages)
  local result = {}
  for index, message in ipairs(messages) do
    local copy = setmetatable({}, getmetatable(message))
    for name, value in next, message do copy[name] = value end
    result[index] = copy
  end
  return result
end

local function message_of(prompt)
  if type(prompt) == "string" then return { role = "user", content = prompt } end
  if type(prompt) ~= "table" then
    host.misuse("chat:send takes a string, a message or an array of parts, not " .. describe(prompt))
  end
  return prompt.role and prompt or { role = "user", content = prompt }
end

-- Asks with all that was said before. What was asked and answered is remembered once the answer is whole.
function methods:send(prompt, options)
  self_of(self, "chat:send")
  if self._busy then host.misuse("chat:send: this chat waits for an answer; fork() it to ask side by side") end
  self._busy = true
  local guard <close> = setmetatable({}, { __close = function() self._busy = false end })
  local messages = table.move(self._messages, 1, #self._messages, 1, {})
  messages[#messages + 1] = message_of(prompt)
  local request = {}
  for name, value in next, self._options do request[name] = value end
  for name, value in next, options or {} do request[name] = value end
  local reply, err = self._client:ask(messages, request)
  if not reply then return nil, err end
  if reply.messages then
    messages = table.move(reply.messages, 1, #reply.messages, 1, {})
  else
    messages[#messages + 1] = reply.message
  end
  self._messages, self._usage, self._counted = messages, reply.usage, #messages
  return reply
end

-- A conversation of its own that begins with what was said so far.
function methods:fork()
  self_of(self, "chat:fork")
  return setmetatable({
    _client = self._client, _options = self._options, _messages = copied(self._messages), _busy = false,
  }, Chat)
end

function methods:messages() return copied(self_of(self, "chat:messages")._messages) end

-- Writes the conversation to a file, whole or not at all: true, or nil and an error.
function methods:save(path)
  self_of(self, "chat:save")
  local text = llm.json.encode({
    format = FORMAT, version = VERSION, model = self._client.model, system = self._options.system,
    messages = llm.json.array(self._messages),
  }, { pretty = true })
  local draft = path .. ".tmp"
  local file, why = io.open(draft, "wb")
  if not file then return nil, failure("the chat cannot be saved: " .. why) end
  local ok
  ok, why = file:write(text, "\n")
  local closed, why_not = file:close()
  if ok and closed then
    ok, why = os.rename(draft, path)
    if ok then return true end
  end
  os.remove(draft)
  return nil, failure("the chat cannot be saved: " .. tostring(why or why_not))
end

local function loaded(path)
  local file, why = io.open(path, "rb")
  if not file then return nil, failure("the chat cannot be loaded: " .. why) end
  local text = file:read("a")
  file:close()
  local saved, problem = llm.json.decode(text)
  if type(saved) ~= "table" or saved.format ~= FORMAT or type(saved.messages) ~= "table" then
    return nil, failure(path .. " holds no chat" .. (problem and ": " .. tostring(problem) or ""))
  end
  if math.type(saved.version) ~= "integer" or saved.version > VERSION then
    return nil, failure(path .. " was saved by a later moonrill (version " .. tostring(saved.version) .. ")")
  end
  return saved
end

-- Goes on with what another wrote with save, in place of what was said here: true, or nil and an error, and nothing changed.
function methods:load(path)
  self_of(self, "chat:load")
  if self._busy then host.misuse("chat:load: this chat waits for an answer") end
  local saved, err = loaded(path)
  if not saved then return nil, err end
  self._messages = copied(saved.messages)
  if self._options.system == nil then self._options.system = saved.system end
  return true
end

-- Tokens of all that a message holds, about; an image's bytes do not count.
local function tokens_of(value)
  if type(value) == "string" then return host.estimated_tokens(value) end
  local sum = 0
  if type(value) == "table" then
    for name, part in next, value do if name ~= "data" then sum = sum + tokens_of(part) end end
  end
  return sum
end

-- Forgets the oldest exchanges until the rest has at most max_tokens, by estimate. An exchange is a message of the user's
-- and all that follows it, calls and results included; the last one stays. Returns how many messages went.
function methods:trim(options)
  self_of(self, "chat:trim")
  shared.check("chat:trim", options, { max_tokens = "count" })
  if not options.max_tokens then host.misuse("chat:trim needs max_tokens") end
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
  self._messages = table.move(messages, first, #messages, 1, {})
  return first - 1
end

-- client:chat{ system =, messages =, load = path, ... }: further options are those of every send.
return function(client, options)
  local own = {}
  for name, value in next, options or {} do own[name] = value end
  local messages, path = own.messages or {}, own.load
  own.messages, own.load = nil, nil
  local chat = setmetatable({ _client = client, _options = own, _messages = copied(messages), _busy = false }, Chat)
  if path == nil then return chat end
  local ok, err = chat:load(path)
  if not ok then return nil, err end
  return chat
end
