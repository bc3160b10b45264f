-- The tool loop: what runs, what the model receives, how the loop ends.
local llm = require "llm"
local simulator = require "simulator"
local host = require "host"
local client = llm.client { model = "moonrill-chat" }
local calls = {}
local weather = llm.tool {
  name = "get_weather", description = "The weather in a city.",
  parameters = { city = "string", days = "integer?", unit = { "c", "f" } },
  run = function(arguments) calls[#calls + 1] = arguments.city return { degrees = 4 } end,
}
local function tool(name, run, parameters)
  return llm.tool { name = name, parameters = parameters or { type = "object" }, run = run }
end

--# a paused turn is resumed, and is one reply
local function turn(text, reason)
  simulator.answer {
    '{"type":"message_start","message":{"id":"m","usage":{"input_tokens":1,"output_tokens":1}}}',
    '{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}',
    ('{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"%s"}}'):format(text),
    '{"type":"content_block_stop","index":0}',
    ('{"type":"message_delta","delta":{"stop_reason":"%s"},"usage":{"output_tokens":5}}'):format(reason),
    '{"type":"message_stop"}',
  }
end
turn("Searching. ", "pause_turn")
turn("Found.", "end_turn")
turn("Searching. ", "pause_turn")
local client = simulator.canned "anthropic"
local chat = client:chat { tools = { { type = "web_search_20250305", name = "web_search" } } }
local reply = assert(chat:send("Look it up"))
print(reply.text, reply.rounds, reply.usage.output_tokens, #chat:messages()) --> Searching. Found. 2 10 3
local _, err = client:ask("Look it up", { tools = { { type = "x" } }, max_rounds = 1 })
print(err) --> the model still uses tools after 1 rounds (max_rounds)
print(err.kind, #err.messages) --> budget 2
print(host.requests()) --> 3
-- The paused text goes back as it came, and no message of the user follows it.
local messages = simulator.body(2).messages
print(llm.json.encode(messages[#messages])) --> {"content":"Searching. ","role":"assistant"}

--# the loop runs to the answer
local seen = {}
local reply = assert(client:ask("What is the weather in Oslo?", { --> get_weather {"degrees":4} false
  tools = { weather }, on_tool_result = function(call, text, is_error) print(call.name, text, is_error) end,
  on_token = function(text) seen[#seen + 1] = text end,
}))
print(reply.text:find('{"degrees":4}', 1, true) ~= nil and table.concat(seen) == reply.text) --> true
print(reply.rounds, #reply.messages, #reply.usages) --> 2 4 2
print(#calls, reply.usage.total_tokens == reply.usages[1].total_tokens + reply.usages[2].total_tokens)
--> 1 true

--# calls run concurrently, results keep their order
local slow = function() llm.sleep(0.1) return "a" end
local before = llm.now()
local reply = assert(client:ask("Use alpha_tool and beta_tool", {
  tools = { tool("alpha_tool", slow), tool("beta_tool", function() return "b" end) },
}))
print(llm.now() - before < 5) --> true
local names = {}
for _, message in ipairs(reply.messages) do if message.role == "tool" then names[#names + 1] = message.name:match("%a+") end end
print(table.concat(names, " ")) --> alpha beta

--# the model receives what a tool returns or raises
local runs = {
  function() return nil, "no rain today" end, function() error("oops", 0) end, function() end,
  function() return true end, function() return { 1, 2 } end,
}
llm.log.warning = function() end
for _, run in ipairs(runs) do
  assert(client:ask("Use my_tool", { tools = { tool("my_tool", run) },
    on_tool_result = function(_, text, is_error) print(text, is_error) end }))
end
--> the tool failed: no rain today true
--> the tool failed: oops true
--> null false
--> true false
--> [1,2] false

--# arguments that do not fit the schema never reach the tool
local ran = 0
local picky = tool("my_tool", function() ran = ran + 1 end, { type = "object", required = { "secret" } })
assert(client:ask("Use my_tool", { tools = { picky },
  on_tool_result = function(_, text, is_error) print(text, is_error) end }))
--> the arguments do not fit: lacks the member "secret" true
print(ran) --> 0

--# a tool may defer its call to the script
local reply = assert(client:ask("Use my_tool", { tools = { tool("my_tool", function() return llm.defer end) } }))
print(reply.deferred[1].name, #reply.deferred) --> my_tool 1
local messages = reply.messages
print(#messages) --> 2
messages[#messages + 1] = { role = "tool", tool_call_id = reply.deferred[1].id, content = "by hand" }
print(client:ask(messages, { tools = { tool("my_tool", print) } }).text:find("by hand") ~= nil) --> true

--# calls of plain definitions are deferred too
local raw = { name = "raw_tool", parameters = { type = "object" } }
print(assert(client:ask("Use raw_tool", { tools = { weather, raw } })).deferred[1].name) --> raw_tool
print(assert(client:ask("Use raw_tool", { tools = { raw } })).deferred) --> nil

--# max_rounds limits the loop
-- The model never sees a result that ends it: each round asks again.
local again = tool("my_tool", function() return "x" end)
local _, err = client:ask("Use my_tool", { tools = { again }, max_rounds = 1 })
print(err.kind, err.message:find("1 rounds") ~= nil, #err.messages) --> budget true 3
print(err.partial.finish_reason) --> tool_calls

--# a forced tool call happens once
print(assert(client:ask("Hello", { tools = { weather }, tool_choice = "required" })).rounds) --> 2

--# no tool runs from a truncated reply
local ran = 0
local tool = llm.tool { name = "get_rain", parameters = { city = "string" }, run = function() ran = ran + 1 end }
for cut = 50, 1000, 50 do
  local faults = { ["X-Moonrill-Fault"] = "eof@" .. cut }
  local before = ran
  local reply, err = client:ask("get_rain", { tools = { tool }, retry = { max = 0 }, headers = faults })
  if reply then print("a reply", cut) end
  -- Where the first reply was whole its tool may run; the second is cut.
  if #err.messages == 1 and ran ~= before then print("ran", cut) end
  if cut == 50 then print(ran, "failed") end --> 0 failed
end

--# a failed request ends the loop
local _, err = client:ask("Use my_tool", { tools = { weather }, headers = { ["X-Moonrill-Fault"] = "401" } })
print(err.kind, #err.messages) --> auth 1

--# cancelling the request cancels its tools
local started
local long = tool("my_tool", function()
  local guard <close> = setmetatable({}, { __close = function() print("closed") end }) --> closed
  started = true
  llm.sleep(60)
end)
local task = llm.spawn(function() return client:ask("Use my_tool", { tools = { long } }) end)
while not started do llm.sleep(0.001) end
task:cancel()
local value, err = task:wait()
print(value, err.kind) --> nil cancelled

--# wrong definitions
--: each_line = true
llm.tool {} --! needs a name
llm.tool { name = 'a b', run = print } --! needs a name
llm.tool { name = 'x' } --! needs run
llm.tool { name = 'x', run = print, parameters = { a = 'text' } } --! parameters of 'x'.a must be "string"
llm.tool { name = 'x', run = print, parameters = { 'a' } } --! members are named
llm.tool { name = 'x', run = print, parameters = { a = 'string[' } } --! must be "string"
llm.tool { name = 'x', run = print, parameters = { a = { { b = 'string' }, { c = 'string' } } } } --! parameters of 'x'.a is an array, and takes one form
llm.tool { name = 'x', run = print, parameters = { a = { { b = 'text' } } } } --! parameters of 'x'.a[].b must be
llm.tool { name = 'x', run = print, parameters = { type = 'object', unevaluatedItems = false } } --! not supported

--# the model receives the short form of parameters as a schema
client:ask("hi", { tools = { weather } })
local sent = simulator.body(1).tools[1]["function"]
print(sent.name) --> get_weather
table.sort(sent.parameters.required)
print(llm.json.encode(sent.parameters, { pretty = true }))
--> {
-->   "additionalProperties": false,
-->   "properties": {
-->     "city": {
-->       "type": "string"
-->     },
-->     "days": {
-->       "type": "integer"
-->     },
-->     "unit": {
-->       "enum": [
-->         "c",
-->         "f"
-->       ],
-->       "type": "string"
-->     }
-->   },
-->   "required": [
-->     "city",
-->     "unit"
-->   ],
-->   "type": "object"
--> }

--# each member of the short form has its schema, and is required or not
local function form(parameters)
  local schema = llm.tool { name = "x", run = print, parameters = parameters }.parameters
  print(llm.json.encode(schema.properties.a), llm.json.encode(schema.required))
  schema.properties.a, schema.required = nil, nil
  assert(llm.json.encode(schema) == '{"additionalProperties":false,"properties":{},"type":"object"}')
end
form { a = "string[]" } --> {"items":{"type":"string"},"type":"array"} ["a"]
form { a = "integer[]?" } --> {"items":{"type":"integer"},"type":"array"} []
form { a = { { "x", "y" } } } --> {"items":{"enum":["x","y"],"type":"string"},"type":"array"} ["a"]
form { a = { { b = "number" } } }
--> {"items":{"additionalProperties":false,"properties":{"b":{"type":"number"}},"required":["b"],"type":"object"},"type":"array"} ["a"]
form { a = { { { b = "boolean?" } } } }
--> {"items":{"items":{"additionalProperties":false,"properties":{"b":{"type":"boolean"}},"required":[],"type":"object"},"type":"array"},"type":"array"} ["a"]
form { a = { type = "array", items = { type = "null" }, optional = true } } --> {"items":{"type":"null"},"type":"array"} []
