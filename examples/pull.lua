-- The pull loop: events are taken one by one. A slow loop slows the server down (memory stays bounded), and leaving the
-- loop ends the request.
--
--   moonrill run --mock examples/pull.lua
local llm = require "llm"

local client = llm.client {}
local words = 0

for event in client:stream("List the planets of the solar system.") do
  if event.type == "token" then
    io.write(event.text)
    words = words + 1
    llm.sleep(0.005)  -- slow on purpose
  elseif event.type == "finish" then
    print("\n-- " .. event.reply.finish_reason .. " after " .. words .. " tokens")
  end
end
