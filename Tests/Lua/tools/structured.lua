-- The option `schema`: replies as values, delivered while they arrive, and asked for once more if they do not fit.
local llm = require "llm"
local simulator = require "simulator"
local host = require "host"
local client = llm.client { model = "moonrill-chat" }
local city = { name = "string", population = "integer", sights = { type = "array", items = { type = "string" } } }

-- The next reply of the server of canned replies has this text.
local function answer(text)
  simulator.answer {
    ('{"choices":[{"index":0,"delta":{"content":%s},"finish_reason":"stop"}],'
      .. '"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}}'):format(llm.json.encode(text)),
    "[DONE]",
  }
end
local function unwrapped(text)
  answer(text)
  print(simulator.canned("openai"):ask("x", { schema = { n = "integer" } }).value.n, host.requests())
end
local function unfit(text)
  answer(text)
  local reply, err = simulator.canned("openai"):ask("x", { schema = { n = "integer" } })
  print(reply, err.kind, err.path, err.text == err.partial.text, host.requests())
  print(err.message)
end

--# the reply is a value
local reply = assert(client:ask("Describe Lisbon", { schema = city }))
print(type(reply.value.name), math.type(reply.value.population), type(reply.value.sights)) --> string integer table
print(host.requests()) --> 1

--# values are delivered when they are complete
local seen, last = {}, nil
local reply = assert(client:ask("Describe Lisbon", { schema = city, on_value = function(path, value)
  seen[#seen + 1] = path == "" and "[root]" or path
  last = value
end }))
print(table.concat(seen, " ")) --> name population sights[1] sights [root]
print(last.name == reply.value.name) --> true

--# false from on_value ends the request
local first
local reply = assert(client:ask("Describe Lisbon", { schema = city, on_value = function(path)
  first = first or path
  return false
end }))
print(reply.finish_reason, reply.value) --> cancelled nil
print(first) --> name

--# a reply cut by max_tokens is not asked for again
local _, err = client:ask("Describe Lisbon", { schema = city, max_tokens = 5 })
print(err.kind, err.message:find("cut by the limit") ~= nil, host.requests()) --> schema true 1

--# a schema and tools together
local tool = llm.tool { name = "my_tool", run = function() return "x" end }
local reply = assert(client:ask("Use my_tool", { schema = { note = "string" }, tools = { tool }, --> my_tool
  on_tool_result = function(call) print(call.name) end }))
print(type(reply.value.note)) --> string
print(reply.rounds) --> 2

--# wrong schemas
--: each_line = true
--: requests = 0
client:ask('x', { schema = { a = 'text' } }) --! client:ask: schema.a must be "string"
client:ask('x', { schema = { type = 'object', unevaluatedItems = false } }) --! /unevaluatedItems is a keyword
local form = {} form.a = form client:ask('x', { schema = form }) --! .a...: tables nest deeper than 200 levels; does one hold itself?
local form = {} form[1] = form llm.tool { name = 't', parameters = { list = form }, run = print } --! ...: tables nest deeper than 200 levels; does one hold itself?
local form = 'string' for _ = 1, 40 do form = { a = form, b = form } end client:ask('x', { schema = form }) --! : there are more than 10000 members
client:ask('x', { on_value = print }) --! on_value needs the option schema

--# a reply in a code fence or between sentences is unwrapped
--: each_line = true
--> 1 1
unwrapped "```json\n{\"n\": 1}\n```"
unwrapped "Sure! Here it is:\n\n{\"n\": 1}\n\nAnything else?"

--# a reply that does not fit is asked for once more
answer '{"n":"one"}'
answer '{"n":1}'
local reply = assert(simulator.canned("openai"):ask("x", { schema = { n = "integer" },
  on_reset = function(info) print(info.attempt, info.err.kind, info.err.path, info.err.text) end }))
--> 1 schema n {"n":"one"}
print(reply.value.n, reply.usage.total_tokens) --> 1 14
print(simulator.said(2)) --> user: x | assistant: {"n":"one"} | user: ...n: must be an integer, and is "one".
--> Answer again, with the corrected JSON alone.

--# a reply that does not fit again is an error
--: each_line = true
unfit '{"n":"one"}'
--> nil schema n true 2
--> ...even when asked again...
unfit "no JSON at all"
--> nil schema nil true 2
--> ...even when asked again...
unfit '{"n":'
--> nil schema nil true 2
--> ...even when asked again...
unfit "{n:1}"
--> nil schema nil true 2
--> ...even when asked again...
