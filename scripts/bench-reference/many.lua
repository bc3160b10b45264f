-- Holds many streams open at once and reports, a line a step, what each has received against its own schedule.
-- Usage: moonrill run many.lua BASE_URL STREAMS DELTAS_A_SECOND SECONDS
-- It prints: "idle"; "full RECEIVED"; "sample SPREAD OVERDUE" each half second; "done RECEIVED"; "failed COUNT MESSAGE".
-- SPREAD is in whole deltas, OVERDUE in seconds; the function `sample` defines them.
local llm = require "llm"

local base_url, streams, rate, seconds = arg[1], tonumber(arg[2]), tonumber(arg[3]), tonumber(arg[4])
local ramp = 1000 -- streams opened a second, at most
local most_opening = 500 -- streams that may wait for their first delta while more are opened
local client = llm.client {
    dialect = "openai", base_url = base_url, model = "mock",
    headers = { ["X-Moonrill-Deltas"] = "inf", ["X-Moonrill-Rate"] = arg[3] },
}

-- The server sends delta k (from 0) k / rate seconds after a moment that it chooses for each stream. `began` is that
-- moment as the promptest delta of the stream shows it; the first alone will not do, it comes while connections are made.
local received, began, total, open = {}, {}, 0, 0
local is_starting = true
local failures, failure = 0, nil
local tasks = {}

local function say(...)
    print(...)
    io.stdout:flush()
end

local function listen(i)
    local _, err = client:ask("go on", {
        on_token = function()
            local count = received[i]
            if is_starting then
                if count == 0 then open = open + 1 end
                began[i] = math.min(began[i], llm.now() - count / rate)
            end
            received[i] = count + 1
            total = total + 1
        end,
    })
    if err then
        failures = failures + 1
        failure = failure or tostring(err)
    end
end

-- SPREAD: each stream lacks some of the deltas that are due by now; the most that one lacks, less the least. Deltas are
-- due every moment in one stream or another, so 1 is as good as can be. OVERDUE: how long ago the oldest delta that has
-- not come was due.
local function sample()
    local now, least, most, overdue = llm.now(), math.huge, -math.huge, 0
    for i = 1, streams do
        began[i] = math.min(began[i], now - (received[i] - 1) / rate) -- more prompt than any delta while starting
        local age = now - began[i]
        local lacking = age * rate // 1 + 1 - received[i]
        if lacking < least then least = lacking end
        if lacking > most then most = lacking end
        overdue = math.max(overdue, age - received[i] / rate)
    end
    say("sample", string.format("%.0f", most - least), string.format("%.6f", overdue))
end

say "idle"
llm.sleep(1) -- the watcher reads this process's memory now

for i = 1, streams do received[i], began[i] = 0, math.huge end

-- Waits until at most `count` of the streams started wait for their first delta.
local function settle(started, count)
    local patience = llm.now() + 60
    while started - open > count do
        if failures > 0 or llm.now() > patience then
            say("failed", failures, failure or ("only " .. open .. " of " .. started .. " streams began within 60 s"))
            error("the streams did not all begin", 0)
        end
        llm.sleep(0.05)
    end
end

for i = 1, streams do
    tasks[i] = llm.spawn(listen, i)
    if i % (ramp // 20) == 0 then
        llm.sleep(0.05)
        settle(i, most_opening)
    end
end
settle(streams, 0)
llm.sleep(2) -- deltas enough to show when each stream began
is_starting = false

say("full", total)
for _ = 1, seconds * 2 do
    llm.sleep(0.5)
    sample()
end
say("done", total)
llm.sleep(0.5) -- the watcher reads this process's times now
if failures > 0 then say("failed", failures, failure) end
for i = 1, streams do tasks[i]:cancel() end
