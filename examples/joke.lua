-- Error handling: a request that fails returns nil and an error with a kind, so a script can give advice.
--
--   moonrill run --mock examples/joke.lua
--   moonrill run --fault 401 examples/joke.lua                a wrong key
local llm = require "llm"

local client = llm.client { timeout = { first = 30, total = 120 } }

local reply, err = client:ask("Tell me a joke about a programmer.", { on_token = io.write })

if reply then
  print("\n(" .. reply.finish_reason .. ")")
  return
end

local advice = {
  auth = "check the key",
  quota = "top up the account",
  rate_limit = "wait a little; Moonrill already did, " .. err.attempts .. " times",
  timeout = "the model took too long (" .. tostring(err.phase) .. ")",
  truncated = "the line was cut; what had arrived: " .. (err.partial and err.partial.text or "nothing"),
}
io.stderr:write("no joke today: ", tostring(err), "\n", advice[err.kind] or "see the message above", "\n")
os.exit(1)
