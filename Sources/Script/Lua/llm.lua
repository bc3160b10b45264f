-- The module `llm`: checks and merges options; the host does everything that waits or sends. Run once a state, with the
-- host's primitives as its argument; returns the module. Every function of the module has an entry here; parts that few
-- scripts need are loaded later (internal.NAME is the value that NAME.lua returns).
local host = ...
local llm = { version = host.version }
-- A script may overwrite globals and their members; the module and its parts use the originals. Methods of strings are
-- looked up in the script's table, so they are called as functions here.
local originals = {}
for name, value in next, _G do
  if type(value) == "table" and value ~= _G then
    local copy = {}
    for member, it in next, value do copy[member] = it end
    value = copy
  end
  originals[name] = value
end
local _ENV = originals

-- Misuse -----------------------------------------------------------------------------------------------------------

-- Raises with the position of the script's line, which the host finds.
local fail = host.misuse

local function describe(value)
  local kind = type(value)
  if kind == "string" then return string.format("%q", #value > 40 and string.sub(value, 1, 40) .. "..." or value) end
  if kind == "number" or kind == "boolean" then return tostring(value) end
  return kind == "nil" and "nil" or "a " .. kind
end

-- Replies and errors ------------------------------------------------------------------------------------------------

local Reply = { __name = "llm.reply", __tostring = function(self) return self.text end }
local Failure = { __name = "llm.error", __tostring = function(self) return self._display or self.message end }
host.metatables { reply = Reply, error = Failure }

-- "A: " .. reply and "failed: " .. err use the text of tostring.
local function joined(a, b)
  local function text(value)
    local kind = type(value)
    if kind == "string" or kind == "number" then return value end
    local metatable = getmetatable(value)
    if metatable == Reply or metatable == Failure or (type(metatable) == "table" and metatable.__tostring) then
      return tostring(value)
    end
    local other = (getmetatable(a) == Failure or getmetatable(b) == Failure) and "an error" or "a reply"
    return fail("attempt to concatenate a " .. kind .. " value with " .. other)
  end
  return text(a) .. text(b)
end
Reply.__concat, Failure.__concat = joined, joined

-- Checks -----------------------------------------------------------------------------------------------------------

-- Schemas: option name -> kind of value, as the host declares them (OptionCatalog).
local CALLBACKS, SAMPLING, SHARED = host.options "callbacks", host.options "sampling", host.options "shared"
local TIMEOUT, RETRY, PROVIDER, ENCODE =
  host.options "timeout", host.options "retry", host.options "provider", host.options "json.encode"

local function union(...)
  local all = {}
  for _, schema in ipairs { ... } do for name, kind in pairs(schema) do all[name] = kind end end
  return all
end

local REQUEST = union(SHARED, CALLBACKS, SAMPLING)
local CLIENT = union(SHARED, CALLBACKS, host.options "client")

-- Kinds that are no Lua type. host.expectations has the end of each kind's message.
local CHECKS = {
  any = function() return true end,
  number = function(v) return type(v) == "number" and v == v end,
  integer = function(v) return math.type(v) == "integer" or (type(v) == "number" and v % 1 == 0) end,
  seconds = function(v) return type(v) == "number" and v > 0 end,
  span = function(v) return type(v) == "number" and v >= 0 end,
  count = function(v) return type(v) == "number" and v >= 0 and v % 1 == 0 end,
  form = function(v) return type(v) == "string" or type(v) == "table" end,
  tags = function(v) return type(v) == "boolean" or v == "open" end,
}

local function names(schema)
  local list = {}
  for name in pairs(schema) do list[#list + 1] = name end
  table.sort(list)
  return list
end

-- Reading an unknown name raises and suggests the nearest one; rawget does not raise.
local function named(where, exports, also)
  return setmetatable(exports, {
    __index = function(_, name)
      if type(name) ~= "string" then return nil end
      local known = names(exports)
      for _, other in next, also or {} do known[#known + 1] = other end
      local near = host.nearest(name, known)
      fail(where .. " has no '" .. name .. "'" .. (near and " (did you mean '" .. near .. "'?)" or ""))
    end,
  })
end

-- Names of the key option in other libraries.
local KEYS = {
  api_key = true, apikey = true, apiKey = true, key = true, token = true, api_token = true, access_token = true,
  auth_token = true, auth = true, authorization = true, bearer = true, secret = true, secret_key = true, password = true,
}
local KEY_HINT = "; a key's value never enters Lua: key_env = \"NAME\" on the client names the environment variable that holds it"

local function check(where, options, schema, hint)
  if type(options) ~= "table" then fail(where .. " takes a table of options, not " .. describe(options)) end
  for name, value in next, options do
    local kind = schema[name]
    if kind == nil then
      if type(name) ~= "string" then fail(where .. ": options are named; there is a value at " .. describe(name)) end
      local near = host.nearest(name, names(schema))
      if schema.on_token and KEYS[name] then near, hint = nil, KEY_HINT end
      fail(where .. ": unknown option '" .. name .. "'"
        .. (near and " (did you mean '" .. near .. "'?)" or "") .. (hint or ""))
    end
    local valid = CHECKS[kind]
    local good
    if valid then good = valid(value) else good = type(value) == kind end
    if not good then fail(where .. ": option '" .. name .. "' must be " .. host.expectations[kind] .. ", not " .. describe(value)) end
  end
end

-- Parts that few scripts need are compiled on first use. Their globals are the originals.
local internal = setmetatable({
  check = check, describe = describe, named = named, names = names, Failure = Failure, Reply = Reply, REQUEST = REQUEST,
}, {
  __index = function(self, name)
    local part = host.part(name)(host, llm, self, originals)
    rawset(self, name, part)
    return part
  end,
})

local function check_timeout(where, timeout)
  if type(timeout) == "number" then timeout = { total = timeout } end
  if timeout ~= nil then check(where .. ": timeout", timeout, TIMEOUT) end
  return timeout
end

local function check_retry(where, retry)
  if retry == nil then return end
  check(where .. ": retry", retry, RETRY)
  local policy, choices, quoted = retry.after_output, host.after_output, {}
  if policy == nil then return end
  for index, choice in ipairs(choices) do
    if policy == choice then return end
    quoted[index] = '"' .. choice .. '"'
  end
  local near = host.nearest(policy, choices)
  fail(where .. ": retry.after_output must be " .. table.concat(quoted, ", ", 1, #quoted - 1) .. " or " .. quoted[#quoted]
    .. ", not " .. describe(policy) .. (near and " (did you mean \"" .. near .. "\"?)" or ""))
end

local function check_headers(where, headers)
  if headers == nil then return end
  for name, value in next, headers do
    local problem = host.header_problem(name, value)
    if problem then fail(where .. ": " .. problem) end
  end
end

local function check_cache(where, cache)
  if type(cache) == "table" then return internal.cache(where, cache) end
  if cache ~= nil and type(cache) ~= "boolean" then
    fail(where .. ": option 'cache' must be true, false or a table of options, not " .. describe(cache))
  end
end

local function check_common(where, options)
  check_retry(where, options.retry)
  check_headers(where, options.headers)
  check_cache(where, options.cache)
  return check_timeout(where, options.timeout)
end

-- Merging ----------------------------------------------------------------------------------------------------------

-- `over` wins; neither table is changed.
local function merged(under, over)
  if not under then return over end
  if not over then return under end
  local result = {}
  for name, value in next, under do result[name] = value end
  for name, value in next, over do result[name] = value end
  return result
end

-- The option `cache` of a request over that of its client. `true` switches on what the client says.
local function cache_of(under, over)
  if over == nil then return under end
  if over and type(under) == "table" then return over == true and under or merged(under, over) end
  return over
end

-- Clients ----------------------------------------------------------------------------------------------------------

-- Empty options, shared by all who have none. Nothing writes to it.
local NONE = {}
-- How often providers were defined: their quirks hold for the next requests of all clients.
local definitions = 0

-- Whether the requests of a client that set no options of their own can share a template. Not with prices, tools and tables
-- that only the host reads: a script may change them later.
local function may_share(options, callbacks)
  return not (options.params or options.headers or options.schema or options.cache or options.limit or callbacks.on_value)
end

-- A copy of the values, and their number.
local function copied(values)
  local copy, count = {}, 0
  for name, value in next, values or NONE do copy[name], count = value, count + 1 end
  return copy, count
end

-- A script may also change the tables `timeout` and `retry` that it gave.
local function is_same(values, copy, count)
  for name, value in next, values or NONE do
    if copy[name] ~= value then return false end
    count = count - 1
  end
  return count == 0
end

local Client = { __name = "llm.client" }
Client.__index = Client
Client.__tostring = function(self) return "client (" .. self.provider .. ", " .. tostring(self.model) .. ")" end

function llm.client(options)
  options = options or {}
  check("llm.client", options, CLIENT, "; fields of the request's body go into params = {...}")
  local timeout = check_common("llm.client", options)
  if options.limit then internal.limit.check("llm.client", options.limit) end
  local endpoint = host.endpoint(options)
  local callbacks = {}
  for name, value in next, options do if CALLBACKS[name] then callbacks[name] = value end end
  return setmetatable({
    provider = endpoint.provider, model = endpoint.model, base_url = endpoint.base_url, dialect = endpoint.dialect,
    _options = merged(options, { timeout = timeout }), _callbacks = callbacks, _endpoint = endpoint,
    _may_share = may_share(options, callbacks), _definitions = definitions,
  }, Client)
end

function llm.limit(options) return internal.limit.make(options) end

-- Returned by the run of a tool to leave the call to the script.
llm.defer = setmetatable({}, { __name = "llm.defer", __tostring = function() return "llm.defer" end })
function llm.tool(options) return internal.tools.make(options) end

local PARAMS_HINT = "; fields that only this provider knows go into params = {...}"

-- The names in the table, or all of them if it may inherit values.
local function given(options, all) return getmetatable(options) and all or options end

local function only_callbacks(options)
  if getmetatable(options) then return false end
  for name in next, options do if not CALLBACKS[name] or name == "on_value" then return false end end
  return true
end

-- Adds the messages and the callbacks.
local function with_callbacks(self, options, specified, where, prompt, history)
  specified.messages, specified.fault = internal.prompt.messages(where, prompt, history and host.history_count(history))
  specified.history = history
  for name, callback in next, self._callbacks do specified[name], specified.has_callbacks = callback, true end
  for name in next, given(options, CALLBACKS) do
    local callback = options[name]
    if CALLBACKS[name] and callback then specified[name], specified.has_callbacks = callback, true end
  end
  return specified
end

-- `history`: the first messages of a conversation in the form in which they are sent.
local function specification(where, self, prompt, options, history)
  if getmetatable(self) ~= Client then fail(where .. " is a method: write client:" .. string.match(where, "[^:]+$") .. "(...)") end
  local timeout
  if not options then
    options = NONE
  else
    check(where, options, REQUEST, PARAMS_HINT)
    timeout = check_common(where, options)
    if options.limit then internal.limit.check(where, options.limit) end
  end
  local model = options.model or self.model
  if model == nil then
    fail(where .. ": no model is named; write llm.client { model = \"...\" } or pass model = \"...\"")
  end
  if self._definitions ~= definitions then
    host.endpoint_refresh(self._endpoint)
    self._shared, self._definitions = nil, definitions
  end
  local defaults = self._options
  local shares = self._may_share and only_callbacks(options) and not host.counts_dollars() and not host.records_costs
  local shared = shares and self._shared
  if shared and shared.model == model and is_same(defaults.timeout, shared.timeout, shared.timeout_count)
    and is_same(defaults.retry, shared.retry, shared.retry_count) then
    local specified = {
      template = shared.template, endpoint = self._endpoint, params = NONE, max_rounds = defaults.max_rounds,
    }
    return with_callbacks(self, options, specified, where, prompt, history)
  end
  local params = merged(defaults.params, options.params) or NONE
  local own
  for name in next, given(options, SAMPLING) do
    local value = options[name]
    if SAMPLING[name] and value ~= nil then
      if not own then own = merged({}, params) end
      own[name] = value
    end
  end
  local specified = {
    endpoint = self._endpoint, model = model, system = options.system or defaults.system, params = own or params,
    headers = merged(defaults.headers, options.headers),
    timeout = merged(defaults.timeout, timeout), retry = merged(defaults.retry, options.retry),
    coalesce = options.coalesce or defaults.coalesce, lenient = options.lenient, think_tags = options.think_tags,
    limit = options.limit, cache = cache_of(defaults.cache, options.cache),
  }
  if specified.limit == nil then specified.limit = defaults.limit end
  if specified.lenient == nil then specified.lenient = defaults.lenient end
  if specified.think_tags == nil then specified.think_tags = defaults.think_tags end
  if shares then
    shared = { template = host.template(specified), model = model }
    shared.timeout, shared.timeout_count = copied(defaults.timeout)
    shared.retry, shared.retry_count = copied(defaults.retry)
    self._shared = shared
  end
  with_callbacks(self, options, specified, where, prompt, history)
  local form = options.schema or defaults.schema
  if form then
    specified.params, specified.schema = internal.structured.params(where, specified.params, form)
  elseif specified.on_value then
    fail(where .. ": on_value needs the option schema")
  end
  local tools = specified.params.tools
  if tools then specified.params, specified.known_tools = internal.tools.params(specified.params, tools) end
  specified.max_rounds = options.max_rounds or defaults.max_rounds
  if host.counts_dollars() then
    specified.price = llm.prices[model]
    if type(specified.price) ~= "table" then
      fail(where .. ": the price of " .. model .. " is not known, and a budget of dollars counts here; write llm.prices[\""
        .. model .. "\"] = { input = ..., output = ... }, in dollars for a million tokens")
    end
  elseif host.records_costs or specified.cache then
    -- For the store; a model without a price has no cost there.
    local price = llm.prices[model]
    if type(price) == "table" then specified.price = price end
  end
  return specified
end

-- Calls: requests that run in the background -----------------------------------------------------------------------

local Call = { __name = "llm.call" }
local call_methods = {}
Call.__index = function(self, name)
  if name == "status" then return host.call_status(self._handle) end
  return call_methods[name]
end
Call.__tostring = function(self) return "call (" .. host.call_status(self._handle) .. ")" end
Call.__close = function(self) host.call_leave(self._handle) end

local function handle_of(self, class, where)
  if getmetatable(self) ~= class then fail(where .. " is a method: write " .. where .. "()") end
  return self._handle
end

function call_methods:wait() return host.call_wait(handle_of(self, Call, "call:wait"), false) end
function call_methods:cancel() host.call_cancel(handle_of(self, Call, "call:cancel")) end
function call_methods:pause() host.call_pause(handle_of(self, Call, "call:pause")) end
function call_methods:resume() host.call_resume(handle_of(self, Call, "call:resume")) end

local function ask_once(specified) return host.call_wait(host.call_start(specified, "ask"), true) end

local function ask(where, client, prompt, options, history)
  local specified = specification(where, client, prompt, options, history)
  local once = ask_once
  if specified.known_tools then
    once = function(request) return internal.tools.ask(request, request.known_tools, ask_once) end
  end
  if specified.schema then return internal.structured.ask(specified, once) end
  return once(specified)
end
internal.ask = ask

-- Checks the options of a conversation before its first request.
function internal.check_request(where, options, schema)
  check(where, options, schema, PARAMS_HINT)
  check_common(where, options)
  if options.limit then internal.limit.check(where, options.limit) end
  if options.schema then internal.structured.params(where, {}, options.schema) end
  if options.tools then internal.tools.params({}, options.tools) end
end

function Client:ask(prompt, options) return ask("client:ask", self, prompt, options) end

function Client:chat(options)
  if getmetatable(self) ~= Client then fail("client:chat is a method: write client:chat(...)") end
  return internal.chat(self, options)
end

function Client:start(prompt, options)
  return setmetatable({ _handle = host.call_start(specification("client:start", self, prompt, options), "start") }, Call)
end

function Client:stream(prompt, options)
  local handle = host.call_start(specification("client:stream", self, prompt, options), "stream")
  -- The generic for closes its fourth value however the loop is left; closing it cancels the request.
  local call = setmetatable({ _handle = handle, _model = options and options.model or self.model }, Call)
  return function() return host.call_next(handle) end, nil, nil, call
end
internal.Call, internal.Client = Call, Client

-- Tasks ------------------------------------------------------------------------------------------------------------

local Task = { __name = "llm.task" }
local task_methods = {}
Task.__index = function(self, name)
  if name == "status" then return host.task_status(self._handle) end
  return task_methods[name]
end
Task.__tostring = function(self) return "task (" .. host.task_status(self._handle) .. ")" end

function task_methods:wait() return host.task_wait(handle_of(self, Task, "task:wait")) end
function task_methods:cancel() host.task_cancel(handle_of(self, Task, "task:cancel")) end

function llm.spawn(body, ...)
  if type(body) ~= "function" then fail("llm.spawn takes a function, not " .. describe(body)) end
  return setmetatable({ _handle = host.spawn(body, ...) }, Task)
end

function llm.sleep(seconds)
  if type(seconds) ~= "number" or seconds ~= seconds or seconds < 0 then
    fail("llm.sleep takes a number of seconds of 0 or more, not " .. describe(seconds))
  end
  return host.sleep(seconds)
end

local SHIELD = { __close = function(self)
  host.shield(-1)
  host.scope_leave(self[1])
end }

-- Runs fn(...) to its end even if the task is cancelled: its waits continue, and the cancellation is raised at the first
-- wait after it. Everything started inside is over when it ends, as in llm.flow.
function llm.shield(fn, ...)
  if type(fn) ~= "function" then fail("llm.shield takes a function, not " .. describe(fn)) end
  local scope = host.scope_enter()
  host.shield(1)
  local guard <close> = setmetatable({ scope }, SHIELD)
  return fn(...)
end

llm.now = host.now
llm.time = host.time

-- Values -----------------------------------------------------------------------------------------------------------

llm.json = host.json
local encode = host.json.encode
named("llm.json", llm.json)
function llm.json.encode(value, options)
  if options ~= nil then check("llm.json.encode", options, ENCODE) end
  return encode(value, options and options.pretty or false)
end

-- Other ------------------------------------------------------------------------------------------------------------

llm.log = {}
for _, level in ipairs { "trace", "debug", "info", "warning", "error" } do
  llm.log[level] = function(...)
    local parts = table.pack(...)
    for index = 1, parts.n do parts[index] = tostring(parts[index]) end
    host.log(level, table.concat(parts, " "))
  end
end
llm.log.warn = llm.log.warning
named("llm.log", llm.log)

-- The string with U+FFFD for each invalid sequence, and the number of bytes replaced.
function llm.utf8(text)
  if type(text) ~= "string" then fail("llm.utf8 takes a string, not " .. describe(text)) end
  local repaired, replaced = host.utf8(text)
  return repaired, replaced
end

function llm.providers() return host.providers() end

function llm.provider(definition)
  check("llm.provider", definition, PROVIDER)
  host.define_provider(definition)
  definitions = definitions + 1
end

-- Members that are loaded on first use, and the parts that they are.
local LATER = { flow = "flow", budget = "budget", prices = "prices", serve = "serve", step = "journal", jsonl = "jsonl" }
named("llm", llm, { "flow", "budget", "prices", "serve", "step", "jsonl" })
local unknown = getmetatable(llm).__index
getmetatable(llm).__index = function(self, name)
  if not LATER[name] then return unknown(self, name) end
  rawset(self, name, internal[LATER[name]])
  return rawget(self, name)
end
return llm
