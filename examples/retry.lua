-- Prints retries: each failed attempt, with the reason and the wait before the next. Without an option, retries stop once
-- a part of the reply was shown. after_output = "restart" allows them then too; on_reset means that the text so far is void.
--
--   moonrill run --fault 429:2@1 examples/retry.lua           the first two requests are refused
--   moonrill run --fault eof@14000x1 examples/retry.lua       the first reply is cut in the middle
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
