-- Asks several models concurrently, each in a task.
--
--   moonrill run --mock examples/side_by_side.lua "Why is the sky blue?"
--   moonrill run -p openrouter examples/side_by_side.lua "Why is the sky blue?" openai/gpt-5-mini deepseek/deepseek-chat
local llm = require "llm"

local question = arg[1] or "Why is the sky blue?"
local models = { table.unpack(arg, 2) }

local client = llm.client {}
if #models == 0 then  -- only the offline provider has these models
  local offline = { "moonrill-reasoner", "moonrill-chat", "moonrill-r1" }
  models = client.provider == "mock" and offline or { client.model }
end

local tasks = {}
for index, model in ipairs(models) do
  tasks[index] = llm.spawn(function() return client:ask(question, { model = model }) end)
end

for index, task in ipairs(tasks) do
  local reply, err = task:wait()
  print("== " .. models[index])
  if reply then
    print(reply.text)
    print(string.format("   first token after %.2f s, %.2f s in all",
      reply.timing.first_token or reply.timing.total, reply.timing.total))
  else
    print("   failed: " .. tostring(err))
  end
end
