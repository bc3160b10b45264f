-- Stopping early: a callback that returns false ends the stream. The connection is closed at once, so no further tokens
-- are paid for, and the reply holds what was shown.
--
--   moonrill run --mock examples/stop_early.lua
local llm = require "llm"

local client = llm.client {}
local sentences = 0

local reply = assert(client:ask("Explain how the tides work.", {
  on_token = function(text)
    io.write(text)
    if text:find("[.!?]") then sentences = sentences + 1 end
    return sentences < 1  -- false after the first sentence
  end,
}))
print("\n-- stopped: " .. reply.finish_reason)
