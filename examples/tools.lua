-- A tool: the model asks for it, the script runs it, the model answers with the result.
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
local function weather(arguments) return { city = arguments.city, celsius = 21, sky = "clear" } end

local client = llm.client {}
local messages = { { role = "user", content = "What is the weather in Lisbon? Use the tool weather." } }
local reply = assert(client:ask(messages, { tools = tools, tool_choice = "required" }))
messages[#messages + 1] = reply.message

for _, call in ipairs(reply.tool_calls) do
  print("tool: " .. call.name .. " " .. call.arguments_json)
  local result = weather(call.arguments)
  messages[#messages + 1] = { role = "tool", tool_call_id = call.id, content = llm.json.encode(result) }
end

assert(client:ask(messages, { on_token = io.write }))
print()
