-- The tool loop by hand: the model calls a tool, the script runs it, until the model answers. llm.tool does this by itself.
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

for _ = 1, 5 do  -- at most five rounds
  local reply = assert(client:ask(messages, { tools = tools, on_token = io.write }))
  messages[#messages + 1] = reply.message
  if #reply.tool_calls == 0 then break end
  for _, call in ipairs(reply.tool_calls) do
    print("tool: " .. call.name .. " " .. call.arguments_json)
    local run = functions[call.name]
    local result = { error = "no such tool, or its arguments are not JSON" }  -- the model can correct it
    if run and call.arguments then result = run(call.arguments) end
    messages[#messages + 1] = { role = "tool", tool_call_id = call.id, content = llm.json.encode(result) }
  end
end
print()
