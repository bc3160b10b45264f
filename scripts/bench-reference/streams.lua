-- Reads many streams at once, beside a task that sleeps 50 ms in a loop. Prints what streams.cpp prints: seconds of CPU and of wall
-- time; deltas; the 99th percentile of the seconds from the server's send to the callback, for one delta in 50 that came after SKIP
-- seconds (0: none came); the longest delay of the task in seconds; the largest number of streams that had their first delta and not
-- their end.
-- Usage: moonrill run streams.lua BASE_URL STREAMS SKIP
local llm = require "llm"

local base_url, streams, skip = arg[1], tonumber(arg[2]), tonumber(arg[3])
local client = llm.client {
    dialect = "openai", base_url = base_url, model = "m", timeout = { connect = 120, first = 120, idle = 120 },
}
local interval = 0.05
local now, processor = llm.now, os.clock()
local began = now()
local measured_from = began + skip
local deltas, latencies, longest, open, most_open, tasks = 0, {}, 0, 0, 0, {}
local zero = ("0"):byte()

local ticker = llm.spawn(function()
    while true do
        local due = now() + interval
        llm.sleep(interval)
        longest = math.max(longest, now() - due)
    end
end)

-- The text of a delta is "NUMBER:TIME ", TIME in nanoseconds of the clock of llm.now().
local function take(text)
    deltas = deltas + 1
    if text:byte() == zero then
        open = open + 1
        most_open = math.max(most_open, open)
    end
    if deltas % 50 == 0 then
        local time = now()
        if time >= measured_from then
            latencies[#latencies + 1] = time - tonumber(text:match ":(%d+)") / 1e9
        end
    end
end

for number = 1, streams do
    tasks[number] = llm.spawn(function()
        assert(client:ask("hi", { on_token = take }))
        open = open - 1
        return true
    end)
end
for _, task in ipairs(tasks) do assert(task:wait()) end
ticker:cancel()

processor = os.clock() - processor
local wall = now() - began
table.sort(latencies)
local late = latencies[#latencies * 99 // 100 + 1] or 0
print(string.format("%.6f %.6f %d %.6f %.6f %d", processor, wall, deltas, late, longest, most_open))
