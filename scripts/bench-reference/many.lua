-- Holds many streams open at once and reports, a line a step, what each has received against its own schedule.
-- Usage: moonrill run many.lua BASE_URL STREAMS DELTAS_A_SECOND SECONDS
-- It prints: "idle"; "full RECEIVED"; "sample SPREAD LATEST" each half second; "done RECEIVED"; "failed COUNT MESSAGE".
local llm = require "llm"

local base_url, streams, rate, seconds = arg[1], tonumber(arg[2]), tonumber(arg[3]), tonumber(arg[4])
local ramp = 1000 -- streams opened a second
local client = llm.client {
    dialect = "openai", base_url = base_url, model = "mock",
    headers = { ["X-Moonrill-Deltas"] = "inf", ["X-Moonrill-Rate"] = arg[3] },
}

local received, began, total, open = {}, {}, 0, 0
local failures, failure = 0, nil
local tasks = {}

local function say(...)
    print(...)
    io.stdout:flush()
end

local function listen(i)
    local _, err = client:ask("go on", {
        on_token = function()
            if received[i] == 0 then
                began[i] = llm.now()
                open = open + 1
            end
            received[i] = received[i] + 1
            total = total + 1
        end,
    })
    if err then
        failures = failures + 1
        failure = failure or tostring(err)
    end
end

-- How many deltas each stream lies behind its own schedule, counted from its first: the widest gap between two
-- streams, and the worst.
local function sample()
    local now, least, most = llm.now(), math.huge, -math.huge
    for i = 1, streams do
        local behind = (now - began[i]) * rate + 1 - received[i]
        if behind < least then least = behind end
        if behind > most then most = behind end
    end
    say("sample", string.format("%.2f", most - least), string.format("%.2f", most))
end

say "idle"
llm.sleep(1) -- the watcher reads this process's memory now

for i = 1, streams do received[i] = 0 end
for i = 1, streams do
    tasks[i] = llm.spawn(listen, i)
    if i % (ramp // 20) == 0 then llm.sleep(0.05) end
end
local patience = llm.now() + 60
while open < streams and failures == 0 and llm.now() < patience do llm.sleep(0.1) end
if open < streams then
    say("failed", failures, failure or ("only " .. open .. " streams began within 60 s"))
    error("the streams did not all begin", 0)
end
llm.sleep(1)

say("full", total)
for _ = 1, seconds * 2 do
    llm.sleep(0.5)
    sample()
end
say("done", total)
llm.sleep(0.5) -- the watcher reads this process's times now
if failures > 0 then say("failed", failures, failure) end
for i = 1, streams do tasks[i]:cancel() end
