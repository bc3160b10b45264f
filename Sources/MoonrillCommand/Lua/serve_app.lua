-- The application of `moonrill serve` without a script: the default provider behind a page, streams and chat endpoints.
local llm = require "llm"

local client = llm.client { lenient = true }
local models = { ["*"] = client }
if client.model then models[client.model] = client end
-- The offline provider has two models.
if client.provider == "mock" then
  for _, name in ipairs { "moonrill-chat", "moonrill-reasoner" } do
    models[name] = llm.client { model = name, lenient = true }
  end
end

llm.serve {
  models = models,
  default_model = client.model,
  routes = { ["GET /"] = llm.serve.page { title = "Moonrill" } },
}
