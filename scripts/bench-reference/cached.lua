-- Asks COUNT questions, one after the other, and prints the seconds an answer and the deltas of all.
-- Usage: moonrill run --cache cached.lua BASE_URL COUNT [NAME]
local llm = require "llm"

local client = llm.client { provider = "deepseek", base_url = arg[1], model = "m", limit = false }
local deltas = 0
local function count() deltas = deltas + 1 end
local since = llm.now()
for number = 1, tonumber(arg[2]) do
    assert(client:ask((arg[3] or "") .. "question " .. number, { on_reasoning = count, on_token = count }))
end
print(string.format("%.9f", (llm.now() - since) / tonumber(arg[2])), deltas)
