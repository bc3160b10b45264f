-- Prints every frame of a provider as it was sent, and the events that Moonrill made of it. For providers with unknown
-- behaviour; `moonrill probe` prints a summary.
--
--   moonrill run --mock examples/raw_chunks.lua
local llm = require "llm"

local client = llm.client {}

assert(client:ask("Say hello.", {
  on_chunk = function(raw) print("< " .. raw) end,
  on_event = function(event) print("  = " .. event.type .. (event.text and " " .. string.format("%q", event.text) or "")) end,
}))
