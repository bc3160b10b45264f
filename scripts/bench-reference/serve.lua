-- The server that `scripts/bench serve` measures: a relay to one provider, and a route that answers at once.
-- Usage: moonrill serve serve.lua -- BASE_URL [KEEP], KEEP in seconds: how long ended streams can be read.
local llm = require "llm"

local client = llm.client { dialect = "openai", base_url = arg[1], model = "mock" }
local ok, err = llm.serve {
    models = { relay = client },
    routes = { ["GET /hello"] = function() return "hello" end },
    limit = { concurrent = 20000 },
    keep = tonumber(arg[2]),
}
if not ok then error(err.message, 0) end
