-- Chains of prompts as models for any client of OpenAI, Anthropic, Gemini, Ollama or Cohere. A tool runs here; the caller
-- gets the answer only.
--
--   moonrill serve --mock examples/serve_model.lua
--   curl http://127.0.0.1:8080/v1/chat/completions -d '{
--     "model": "weather", "messages": [{"role": "user", "content": "What is the weather in Paris?"}]}'
local llm = require "llm"

local client = llm.client {}

local weather = llm.tool {
  name = "get_weather",
  description = "The weather in a city.",
  parameters = { city = "string" },
  run = function(arguments) return { city = arguments.city, celsius = 21 } end,
}

local function ask(instruction)
  return function(text) return client:ask(instruction .. "\n\n" .. tostring(text)) end
end

-- The first of two prompts; the second is streamed to the caller.
local points = llm.flow.retry(ask "Name the main points of this text:", { max = 2 })

assert(llm.serve {
  default_model = "weather",
  models = {
    weather = function(request, response)
      return client:ask(request.messages, {
        tools = { weather },
        on_token = function(text) response:token(text) end,
      })
    end,
    summary = function(request)  -- request.prompt: the last message of the user
      local reply, err = points(request.prompt)
      if not reply then return nil, err end
      return client:stream("Write one sentence from these points:\n\n" .. reply.text)
    end,
    plain = client,
  },
})
