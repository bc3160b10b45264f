-- Retries made visible: every failed attempt is announced, with the reason and the wait before the next. They happen
-- by themselves until a part of the reply was shown; after_output = "restart" allows them even then, and on_reset says
-- that what was shown is void.
--
--   moonrill run --fault 429:2@1 examples/retry.lua           the first two requests are refused
--   moonrill run --fault eof@14000x1 examples/retry.lua       the first reply breaks off in its middle
local llm = require "llm"

local client = llm.client { retry = { max = 5, base = 0.1, after_output = "restart" } }

local reply = assert(client:ask("Say hello.", {
  on_retry = function(info)
    print(string.format("\nattempt %d: %s (%s); next in %.1f s",
      info.attempt, info.err.message, info.err.kind, info.delay))
  end,
  on_reset = function() print("-- once more, from the beginning --") end,
  on_token = io.write,
}))
print(string.format("\nattempts: %d", reply.attempts))
