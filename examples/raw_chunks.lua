-- What a provider really sends: every frame, as it came, beside what Moonrill made of it. For when a new provider
-- does something that nobody has seen before.
--
--   moonrill run --mock examples/raw_chunks.lua
local llm = require "llm"

local client = llm.client {}

assert(client:ask("Say hello.", {
  on_chunk = function(raw) print("< " .. raw) end,
  on_event = function(event) print("  = " .. event.type .. (event.text and " " .. string.format("%q", event.text) or "")) end,
}))
