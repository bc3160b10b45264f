-- Fields that providers add to Chat Completions, and the places where they put text.
local llm = require "llm"
local simulator = require "simulator"
local client = simulator.canned "openai"

local function chunk(delta, finish, rest)
  return ('{"id":"c","model":"m","choices":[{"index":0,"delta":%s,"finish_reason":%s}]%s}')
    :format(delta, finish or "null", rest or "")
end

-- 200 deltas written in the given way, "@" for the text.
local function many(delta)
  local frames = {}
  for i = 0, 199 do frames[#frames + 1] = chunk((delta:gsub("@", i .. ","))) end
  frames[#frames + 1] = chunk '{"message":{"content":""},"finish_reason":"stop"}'
  frames[#frames + 1] = "[DONE]"
  simulator.answer(frames)
  local expected = {}
  for i = 0, 199 do expected[#expected + 1] = i .. "," end
  local calls = 0
  local reply = assert(client:ask("hi", { on_token = function() calls = calls + 1 end }))
  print(calls, reply.finish_reason, reply.text == table.concat(expected) or reply.text)
end

--# additions are native events
local citing = ',"citations":["https://a.example"]'
simulator.answer {
  chunk('{"content":"see [1]"}', nil, citing), chunk('{"content":"."}', nil, citing),
  chunk('{"annotations":[{"type":"url_citation"}]}', '"stop"',
    ',"usage":{"prompt_tokens":41,"completion_tokens":3,"cost":0.0128125}'),
  "[DONE]",
}
local reply = assert(client:ask("hi", { on_event = function(event)
  if event.type == "native" then print(event.name, llm.json.encode(event.value)) end
end }))
--> citations ["https://a.example"]
--> annotations [{"type":"url_citation"}]
print(reply.text, reply.finish_reason, reply.usage.cost) --> see [1]. stop 0.0128125

--# a budget counts the cost that the provider reports
simulator.answer {
  chunk '{"content":"hi"}',
  chunk("{}", '"stop"', ',"usage":{"prompt_tokens":1,"completion_tokens":2,"cost_in_usd_ticks":5000000000}'),
  "[DONE]",
}
llm.prices.m = { input = 1, output = 1 }
local budget = llm.budget { usd = 0.75 }
local value, err = budget:run(function()
  for _ = 1, 3 do
    local reply, err = client:ask("hi")
    if not reply then return nil, err end
    print(reply.text, reply.usage.cost)
  end
  return true
end)
--> hi 0.5
print(value, err.kind, budget.usd) --> nil budget 1.0

--# text is found where the provider puts it
--: each_line = true
--> 200 stop true
many '{"message":{"content":"@"}}'
many '{"message":{"text":"@"},"finish_reason":null}'
many '{"message":"@"}'
many '{"content":[{"type":"text","text":"@"}]}'
