-- Counts the deltas of one reply and the bytes of their text. Usage: moonrill run count.lua BASE_URL [DIALECT [TIMES]]
-- With TIMES: asks once, then TIMES in a row, counts all, and prints also the seconds of CPU of those after the first.
local llm = require "llm"

local client = llm.client { provider = "deepseek", base_url = arg[1], dialect = arg[2], model = "m" }
local reasoning, content, bytes = 0, 0, 0
local function ask()
    assert(client:ask("count", {
        on_reasoning = function(text) reasoning = reasoning + 1; bytes = bytes + #text end,
        on_token = function(text) content = content + 1; bytes = bytes + #text end,
    }))
end
ask()
local times = tonumber(arg[3])
local processor = os.clock()
for _ = 1, times or 0 do ask() end
processor = os.clock() - processor
print(reasoning, content, bytes)
if times then print(string.format("%.6f", processor)) end
