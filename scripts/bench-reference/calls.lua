-- Makes many short calls, some at once. Prints the seconds of CPU and of wall time of all calls.
-- Usage: moonrill run calls.lua BASE_URL CALLS AT_ONCE
local llm = require "llm"

local client = llm.client { dialect = "openai", base_url = arg[1], model = "m", limit = false, retry = { max = 0 } }
local left, tasks = tonumber(arg[2]), {}
local processor, since = os.clock(), llm.now()
for number = 1, tonumber(arg[3]) do
    tasks[number] = llm.spawn(function()
        while left > 0 do
            left = left - 1
            assert(client:ask "hi")
        end
    end)
end
for _, task in ipairs(tasks) do task:wait() end
print(string.format("%.6f %.6f", os.clock() - processor, llm.now() - since))
