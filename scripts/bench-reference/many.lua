-- Keeps many streams open at once and compares what each has received with its schedule. Prints one line for each step.
-- Usage: moonrill run many.lua BASE_URL STREAMS DELTAS_A_SECOND SECONDS
-- Lines: "idle"; "full RECEIVED"; "sample SPREAD OVERDUE" each half second; "done RECEIVED"; "failed COUNT MESSAGE".
-- SPREAD is in whole deltas, OVERDUE in seconds; the function `sample` defines them.
local llm = require "llm"

local base_url, streams, rate, seconds = arg[1], tonumber(arg[2]), tonumber(arg[3]), tonumber(arg[4])
local ramp = 1000 -- maximum streams opened a second
local most_opening = 500 -- maximum streams that wait for their first delta while more are opened
local client = llm.client {
    dialect = "openai", base_url = base_url, model = "mock",
    headers = { ["X-Moonrill-Deltas"] = "inf", ["X-Moonrill-Rate"] = arg[3] },
}

-- The server sends delta k (from 0) of a stream k / rate seconds after the start of the stream. `began` is the estimated
-- start: the minimum of (arrival time - k / rate) over the deltas received while streams are opened. The first delta
-- alone is not enough, because it is delayed while connections are opened.
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

-- SPREAD: the number of deltas that are due but not received, largest minus smallest over all streams. Deltas become
-- due in some stream at any moment, so 1 is the best possible value. OVERDUE: the time since the oldest missing delta
-- was due.
local function sample()
    local now, least, most, overdue = llm.now(), math.huge, -math.huge, 0
    for i = 1, streams do
        began[i] = math.min(began[i], now - (received[i] - 1) / rate) -- less delayed than the deltas of the start
        local age = now - began[i]
        local lacking = age * rate // 1 + 1 - received[i]
        if lacking < least then least = lacking end
        if lacking > most then most = lacking end
        overdue = math.max(overdue, age - received[i] / rate)
    end
    say("sample", string.format("%.0f", most - least), string.format("%.6f", overdue))
end

say "idle"
llm.sleep(1) -- the parent process reads the memory of this process

for i = 1, streams do received[i], began[i] = 0, math.huge end

-- Waits until at most `count` of the started streams have no first delta.
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
llm.sleep(2) -- enough deltas to determine the start of each stream
is_starting = false

say("full", total)
for _ = 1, seconds * 2 do
    llm.sleep(0.5)
    sample()
end
say("done", total)
llm.sleep(0.5) -- the parent process reads the times of this process
if failures > 0 then say("failed", failures, failure) end
for i = 1, streams do tasks[i]:cancel() end
