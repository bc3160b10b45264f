-- Sends many requests to a server that refuses some. Usage: moonrill run limits.lua BASE_URL ITEMS AT_ONCE MOST_SECONDS
-- Prints the number of good replies, and the seconds. After MOST_SECONDS it prints the numbers so far and ends.
--
-- With the arguments "forbidden BASE_URL MAX_WAIT MOST_SECONDS": sends two requests, one after the other, with
-- `max_wait` MAX_WAIT. Prints, for the first that fails: its number, seconds until it failed, kind, retry_after.
local llm = require "llm"

local function client(base_url, retry)
  return llm.client {
    dialect = "openai", base_url = base_url, model = "m", key_env = "MOONRILL_BENCH_KEY", retry = retry,
  }
end

-- Calls `report` after some seconds and ends the process.
local function give_up(seconds, report)
  llm.spawn(function()
    llm.sleep(seconds)
    report()
    os.exit(0)
  end)
end

if arg[1] == "forbidden" then
  local asked = client(arg[2], { max_wait = tonumber(arg[3]) })
  local began, number = llm.now(), 1
  give_up(tonumber(arg[4]), function() print(number, string.format("%.3f", llm.now() - began), "waiting", "-") end)
  while number <= 2 do
    began = llm.now()
    local reply, err = asked:ask("item " .. number)
    if not reply then
      print(number, string.format("%.3f", llm.now() - began), err.kind, err.retry_after or "-")
      os.exit(0)
    end
    number = number + 1
  end
  print(2, string.format("%.3f", llm.now() - began), "answered", "-")
  os.exit(0)
end

local count, at_once = tonumber(arg[2]), tonumber(arg[3])
local asked = client(arg[1])
local items, good, failure = {}, 0, nil
for number = 1, count do items[number] = "item " .. number - 1 end

local began = llm.now()
local function report() print(good, string.format("%.3f", llm.now() - began)) end
give_up(tonumber(arg[4]), report)
llm.flow.map(items, function(item)
  local reply, err = asked:ask(item)
  if not reply then
    failure = tostring(err)
    return nil, err
  end
  good = good + 1
  return reply.text
end, { limit = at_once, keep_going = true })
report()
if failure then io.stderr:write(failure, "\n") end
os.exit(0)
