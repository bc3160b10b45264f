-- A combinator that ends, however it does, closes every request that began inside, and begins no other.
local llm = require "llm"
local simulator = require "simulator"
local host = require "host"
local client, count, fault = simulator.client(), simulator.count, simulator.fault
local other = llm.client { provider = "openai", model = "m", base_url = host.silent() .. "/v1", headers = { ["X-Test"] = "1" } }
local there, turns, is_ready, is_over, before

-- A callback that counts its request once.
local function once()
  local is_known
  return function() if not is_known then is_known = true there = there + 1 end end
end

-- What the two requests of a step are doing when the combinator ends: how they are sent, and when that is so. `is_seen`:
-- the server sees the connections close.
local PHASES = {
  queued = { options = function() return { headers = count("inf") } end, is_there = function() return true end },
  -- The engine begins requests once the script waits.
  connecting = { client = other, options = function() return { timeout = { connect = 60 } } end,
    is_there = function() return turns > 1 end },
  waiting = { options = function() return { headers = fault("slow-head:60") } end, is_seen = true,
    is_there = function() return host.requests() - before == 2 end },
  streaming = { options = function() return { headers = count("inf"), on_token = once() } end, is_seen = true,
    is_there = function() return there == 2 end },
  backing_off = { options = function() return { headers = fault("500"), retry = { base = 60, cap = 60 }, on_retry = once() } end,
    is_there = function() return there == 2 end },
}

-- How the step ends that has the two requests.
local WAYS = {
  returning = function() is_over = true return "left" end,
  failing = function() is_over = true return nil, "left" end,
  raising = function() error("left", 0) end,
  cancelled = function() is_ready = true llm.sleep(60) end,
}

local function rest() return "rest" end
local function forever() while not is_over do llm.sleep(0.0005) end return nil, "over" end
local COMBINATORS = {
  function(work) return llm.flow.seq(work, rest)() end,
  function(work) return llm.flow.all { x = work, y = forever }() end,
  function(work) return llm.flow.race { work, forever }() end,
  function(work) return llm.flow.branch(function() return true end, work)() end,
  function(work) return llm.flow.hedge(work, rest, { after = 60 })() end,
  function(work) return llm.flow.hedge(forever, work, { after = 0 })() end,
  function(work) return llm.flow.fallback { work, rest }() end,
  function(work) return llm.flow.retry(work, { max = 0 })() end,
  function(work) return llm.flow.timeout(60, work)() end,
  function(work) return llm.flow.map({ 1 }, work) end,
  function(work) return llm.flow.map({ 1, 2, 3 }, function(n) if n == 2 then return work() end return forever() end) end,
  function(work) return llm.flow.vote(work, { n = 1 })() end,
  function(work) return llm.flow.reduce({ 1 }, work) end,
  function(work) return llm.flow.scan({ 1 }, work) end,
  function(work) return llm.flow.loop(work, { max = 1 })() end,
  function(work) return llm.flow.refine(work, { critic = function() end })() end,
  function(work) return llm.flow.refine(function() return 1 end, { critic = work })() end,
  function(work) return llm.budget { tokens = 1000000 }:run(work) end,
  function(work) return llm.flow.seq(llm.flow.all { x = llm.flow.race { work } })() end,
}

local function leave(phase, way)
  local step, ending = PHASES[phase], WAYS[way]
  local asking = step.client or client
  local function work()
    local call = asking:start("hi", step.options())
    local child = llm.spawn(function() asking:ask("hi", step.options()) end)
    while not step.is_there() do turns = turns + 1 llm.sleep(0.0005) end
    return ending()
  end
  local times = {}
  for index, combinator in ipairs(COMBINATORS) do
    there, turns, is_ready, is_over, before = 0, 0, false, false, host.requests()
    local aborted = host.aborted()
    local task = llm.spawn(function()
      local ok, value = pcall(combinator, work)
      if way == "cancelled" then error(value, 0) end
    end)
    if way == "cancelled" then
      while not is_ready do llm.sleep(0.0005) end
      task:cancel()
    end
    task:wait()
    local left, sent = llm.now(), host.requests()
    if step.is_seen then
      while host.aborted() - aborted < sent - before do llm.sleep(0.0005) end
      times[#times + 1] = llm.now() - left
    end
    llm.sleep(0)
    -- A request that was being sent may reach the server after all.
    if phase ~= "queued" and host.requests() ~= sent then print("a request began after leaving combinator " .. index) end
  end
  table.sort(times)
  if #times > 0 and times[#times // 2 + 1] > 0.05 then print("half took more than " .. times[#times // 2 + 1]) end
  llm.sleep(0.02)
  if host.requests() > 2 * #COMBINATORS then print("requests began late") end
  print("done")
end

--# every request is closed
--: each_line = true
--: rate = 50
--: time_limit = 25
--> done
leave("queued", "returning")
leave("queued", "failing")
leave("queued", "raising")
leave("queued", "cancelled")
leave("connecting", "returning")
leave("connecting", "failing")
leave("connecting", "raising")
leave("connecting", "cancelled")
leave("waiting", "returning")
leave("waiting", "failing")
leave("waiting", "raising")
leave("waiting", "cancelled")
leave("streaming", "returning")
leave("streaming", "failing")
leave("streaming", "raising")
leave("streaming", "cancelled")
leave("backing_off", "returning")
leave("backing_off", "failing")
leave("backing_off", "raising")
leave("backing_off", "cancelled")
