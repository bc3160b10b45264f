-- Reads an endless stream with a callback that takes 50 ms a token. Memory must not grow.
-- Usage: moonrill run slow.lua BASE_URL SECONDS
local llm = require "llm"

local client = llm.client {
    dialect = "openai", base_url = arg[1], model = "mock",
    headers = { ["X-Moonrill-Deltas"] = "inf", ["X-Moonrill-Rate"] = "0" },
}
local stop_at, taken = llm.now() + tonumber(arg[2]), 0
print "idle"
io.stdout:flush()
assert(client:ask("go on", {
    on_token = function()
        taken = taken + 1
        llm.sleep(0.05)
        if llm.now() >= stop_at then return false end
    end,
}))
print("done", taken)
