-- Counts the deltas of one reply and the bytes of their text. Usage: moonrill run count.lua BASE_URL [DIALECT]
local llm = require "llm"

local client = llm.client { provider = "deepseek", base_url = arg[1], dialect = arg[2], model = "m" }
local reasoning, content, bytes = 0, 0, 0
assert(client:ask("count", {
    on_reasoning = function(text) reasoning = reasoning + 1; bytes = bytes + #text end,
    on_token = function(text) content = content + 1; bytes = bytes + #text end,
}))
print(reasoning, content, bytes)
