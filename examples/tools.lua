-- A tool: the model asks for it, the script runs it, and that goes on until the model answers with what it learned.
--
--   moonrill run --mock examples/tools.lua
local llm = require "llm"

local tools = { {
  type = "function",
  ["function"] = {
    name = "weather",
    description = "The weather in a city.",
    parameters = { type = "object", properties = { city = { type = "string" } }, required = { "city" } },
  },
} }
local functions = {
  weather = function(arguments) return { city = arguments.city, celsius = 21, sky = "clear" } end,
}

local client = llm.client {}
local messages = { { role = "user", content = "What is the weather in Lisbon? Use the tool weather." } }

for _ = 1, 5 do  -- a model may ask again, but not forever
  local reply = assert(client:ask(messages, { tools = tools, on_token = io.write }))
  messages[#messages + 1] = reply.message
  if #reply.tool_calls == 0 then break end
  for _, call in ipairs(reply.tool_calls) do
    print("tool: " .. call.name .. " " .. call.arguments_json)
    local run = functions[call.name]
    local result = { error = "no such tool, or its arguments are not JSON" }  -- models err; they can mend it
    if run and call.arguments then result = run(call.arguments) end
    messages[#messages + 1] = { role = "tool", tool_call_id = call.id, content = llm.json.encode(result) }
  end
end
print()
