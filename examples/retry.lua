-- Retries made visible: every failed attempt is announced, with the reason and the wait before the next.
--
--   moonrill run --fault 429:2@1 examples/retry.lua           the first two requests are refused
local llm = require "llm"

local client = llm.client { retry = { max = 5, base = 0.1 } }

local reply = assert(client:ask("Say hello.", {
  on_retry = function(info)
    print(string.format("attempt %d: %s (%s); next in %.1f s", info.attempt, info.err.message, info.err.kind, info.delay))
  end,
  on_token = io.write,
}))
print(string.format("\nattempts: %d", reply.attempts))
