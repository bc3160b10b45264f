-- What the provider receives of a conversation, after tools, save, load and fork.
local llm = require "llm"
local simulator = require "simulator"
local host = require "host"

local tool = llm.tool { name = "get", run = function() return "result" end }
local path = host.folder() .. "/chat.json"

-- The next reply: a Chat Completions stream of these deltas.
local function stream(deltas, finish)
  local payloads = {}
  for i, delta in ipairs(deltas) do
    payloads[i] = ('{"id":"r","model":"m","choices":[{"index":0,"delta":%s}]}'):format(delta)
  end
  payloads[#payloads + 1] = ('{"choices":[{"index":0,"delta":{},"finish_reason":"%s"}]}'):format(finish)
  payloads[#payloads + 1] = "[DONE]"
  simulator.answer(payloads)
end
local function call(name, arguments)
  return ('{"tool_calls":[{"index":0,"id":"A","function":{"name":"%s","arguments":%s}}]}')
    :format(name, llm.json.encode(arguments))
end

-- The replies of the assistant in the body of the nth request.
local function replies(n)
  local found = {}
  for _, message in ipairs(simulator.body(n).messages) do
    if message.role == "assistant" then found[#found + 1] = message end
  end
  return found
end

-- Streams with a call, then two pieces of text; and one of the text "z" alone.
local STOPPED = {
  openai = function()
    stream({ call("get", "{}"), '{"content":"x"}', '{"content":"y"}' }, "tool_calls")
    stream({ '{"content":"z"}' }, "stop")
  end,
  anthropic = function()
    local start = '{"type":"message_start","message":{"id":"m","content":[],"usage":{}}}'
    simulator.answer {
      start,
      '{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"A","name":"get","input":{}}}',
      '{"type":"content_block_stop","index":0}',
      '{"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}',
      '{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"x"}}',
      '{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"y"}}',
      '{"type":"content_block_stop","index":1}',
      '{"type":"message_delta","delta":{"stop_reason":"tool_use"}}', '{"type":"message_stop"}',
    }
    simulator.answer {
      start, '{"type":"content_block_start","index":0,"content_block":{"type":"text","text":"z"}}',
      '{"type":"content_block_stop","index":0}',
      '{"type":"message_delta","delta":{"stop_reason":"end_turn"}}', '{"type":"message_stop"}',
    }
  end,
  gemini = function()
    simulator.answer {
      '{"candidates":[{"content":{"parts":[{"functionCall":{"name":"get","args":{}}}]}}]}',
      '{"candidates":[{"content":{"parts":[{"text":"x"}]}}]}',
      '{"candidates":[{"content":{"parts":[{"text":"y"}]},"finishReason":"STOP"}]}',
    }
    simulator.answer { '{"candidates":[{"content":{"parts":[{"text":"z"}]},"finishReason":"STOP"}]}' }
  end,
  responses = function()
    local function item(text)
      return ('{"type":"message","id":"m","content":[{"type":"output_text","text":"%s"}]}'):format(text)
    end
    local called = '{"type":"function_call","id":"fc","call_id":"A","name":"get","arguments":"{}"}'
    simulator.answer {
      '{"type":"response.output_item.done","output_index":0,"item":' .. called .. "}",
      '{"type":"response.output_text.delta","output_index":1,"content_index":0,"delta":"x"}',
      '{"type":"response.output_text.delta","output_index":1,"content_index":0,"delta":"y"}',
      '{"type":"response.completed","response":{"id":"r","status":"completed","output":[' .. called .. "," .. item "xy" .. "]}}",
    }
    simulator.answer {
      '{"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":"z"}',
      '{"type":"response.completed","response":{"id":"r","status":"completed","output":[' .. item "z" .. "]}}",
    }
  end,
}

-- Stops the stream of a reply with a call at its nth piece of text, and sends another prompt.
local function stopped(dialect, n)
  STOPPED[dialect]()
  local chat = simulator.canned(dialect):chat { tools = { tool } }
  local count = 0
  local reply = assert(chat:send("a", { on_token = function()
    count = count + 1
    if count == n then return false end
  end }))
  print(reply.finish_reason, #reply.tool_calls, reply.message.tool_calls, reply.message.content == reply.text)
  print(assert(chat:send("b")).text)
  local body = simulator.body(2)
  local history = body.messages or body.contents or body.input
  print(host.requests(), #history, llm.json.encode(history):find("get"))
end

--# DeepSeek receives the reasoning of turns with tools, also through a file and in messages made by the script
--: provider = none
llm.provider { name = "deepseek", base_url = host.url() .. "/v1", key_env = false }
stream({ '{"reasoning_content":"r1"}', call("get", "{}") }, "tool_calls")
stream({ '{"reasoning_content":"r2"}', '{"content":"x"}' }, "stop")
stream({ '{"reasoning_content":"r3"}', '{"content":"y"}' }, "stop")
local client = llm.client { provider = "deepseek" }
local chat = client:chat { tools = { tool } }
assert(chat:send("a"))
assert(chat:send("b"))
assert(chat:save(path))
local other = assert(client:chat { tools = { tool }, load = path })
assert(other:fork():send("c"))
local messages = chat:messages()
messages[#messages + 1] = { role = "user", content = "d" }
assert(client:ask(messages))
for n = 1, host.requests() do
  local sent = {}
  for i, reply in ipairs(replies(n)) do sent[i] = tostring(reply.reasoning_content) end
  print(n, #sent, table.concat(sent, " "))
end
--> 1 0\s
--> 2 1 r1
--> 3 2 r1 r2
--> 4 3 r1 r2 nil
--> 5 3 r1 r2 nil

--# after a malformed call the provider receives a legal call, and the model the error
stream({ call("get it!", '{"a":') }, "tool_calls")
stream({ '{"content":"x"}' }, "stop")
local client = simulator.canned "openai"
local chat = client:chat { tools = { tool } }
assert(chat:send("a"))
local made = chat:messages()[2].tool_calls[1]["function"]
print(made.name, made.arguments) --> get it! {"a":
assert(chat:save(path))
assert(assert(client:chat { load = path }):send("b"))
print(host.requests()) --> 3
for n = 2, 3 do
  local sent = replies(n)[1].tool_calls[1]["function"]
  print(sent.name, sent.arguments)
  for _, message in ipairs(simulator.body(n).messages) do
    if message.role == "tool" then print(message.content:match("there is no tool 'get it!'")) end
  end
end
--> get_it_ {}
--> there is no tool 'get it!'
--> get_it_ {}
--> there is no tool 'get it!'

--# an empty reply is remembered and not sent
stream({ '{"reasoning_content":"hm"}' }, "stop")
stream({ '{"content":"x"}' }, "stop")
local chat = simulator.canned("openai"):chat {}
assert(chat:send("a"))
assert(chat:send("b"))
print(#chat:messages()) --> 4
print(simulator.said(2)) --> user: a | user: b

--# a stopped reply leaves no call in the history
--: each_line = true
--> cancelled 0 nil true
--> z
--> 2 3 nil
stopped("openai", 1)
stopped("openai", 2)
stopped("anthropic", 1)
stopped("anthropic", 2)
stopped("gemini", 1)
stopped("gemini", 2)
stopped("responses", 1)
stopped("responses", 2)

--# a chat keeps its messages, whatever becomes of the tables of a reply
for _ = 1, 2 do
  stream({ call("get", "{}") }, "tool_calls")
  stream({ '{"content":"said"}' }, "stop")
end
local chat = simulator.canned("openai"):chat { tools = { tool } }
for _, question in ipairs { "one", "two" } do
  local reply = assert(chat:send(question))
  print(#reply.messages)
  for _, message in ipairs(reply.messages) do message.content = "changed" end
end
assert(chat:send("three"))
print(simulator.said(5):find("changed"), #simulator.body(5).messages, simulator.body(5).messages[5].content)
print(llm.json.encode(chat:messages()):find("changed"), #chat:messages())
--> 4
--> 8
--> nil 9 two
--> nil 10
