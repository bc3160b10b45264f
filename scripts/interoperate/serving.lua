-- Served by the cases of serving.py: a client, a tool loop, a handler that fails, and streams of a script's own.
local llm = require "llm"

local client = llm.client { retry = { max = 0 } }

local weather = llm.tool {
  name = "get_weather",
  description = "The weather in a city.",
  parameters = { city = "string" },
  run = function(arguments) return { city = arguments.city, celsius = 18 } end,
}

llm.serve {
  default_model = "relay",
  models = {
    relay = client,
    -- The tool runs here, so the caller sees text only.
    agent = function(request)
      return client:ask(request.messages, { tools = { weather } })
    end,
    echo = function(request, response)
      response:reasoning "thought"
      for word in request.prompt:gmatch "%S+" do response:token(word .. " ") end
    end,
    -- Begins after the server's first tick.
    late = function(request)
      llm.sleep(1.5)
      return client:stream(request.messages)
    end,
    broken = function() error "secret of the log" end,
  },
  routes = {
    ["GET /client"] = function(request) return request.client end,
    ["GET /count"] = function(request, response)
      for number = 1, tonumber(request.query.to) do
        response:event("count", { number = number })
        llm.sleep(0.01)
      end
    end,
  },
}
