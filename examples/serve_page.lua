-- A chat page whose model is a chain of two prompts: a draft, then its revision. The page shows the draft as reasoning.
--
--   moonrill serve --mock examples/serve_page.lua             then open the URL that it prints
local llm = require "llm"

local writer = llm.client { system = "You are a writer. Write a short draft." }
local editor = llm.client { system = "You are an editor. Make the draft shorter and clearer." }

local function write_and_edit(request, response)
  local draft, err = writer:ask(request.messages, {
    on_token = function(text) response:reasoning(text) end,
  })
  if not draft then return nil, err end
  return editor:stream(draft.text)
end

assert(llm.serve {
  models = { editor = write_and_edit, writer = writer },
  routes = { ["GET /"] = llm.serve.page { title = "Draft and edit" } },
})
