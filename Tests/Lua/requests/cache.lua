-- The option cache: its checks, and replies without a store.
local llm = require "llm"
local simulator = require "simulator"
local client = simulator.client()

--# without a store every request is sent
--: requests = 2
local reply = client:ask("hi", { cache = true })
print(reply.text, reply.cached) --> tok1 tok2 tok3  false
for event in client:stream("hi", { cache = { ttl = 60, scope = "job", pace = 1, shared = true } }) do
  if event.type == "start" then print(event.cached) end --> false
end

--# a client takes the option too
--: requests = 3
local cached = llm.client { headers = simulator.count(1), cache = { ttl = 10 } }
print(cached:ask("hi").text, cached:ask("hi", { cache = false }).text, cached:ask("hi", { cache = { pace = 2 } }).text)
--> tok1  tok1  tok1\s

--# wrong values are errors with the nearest name
--: each_line = true
client:ask("hi", { cache = "yes" }) --! client:ask: option 'cache' must be true, false or a table of options, not "yes"
client:ask("hi", { cache = 60 }) --! client:ask: option 'cache' must be true, false or a table of options, not 60
client:ask("hi", { cach = true }) --! unknown option 'cach' (did you mean 'cache'?)
client:ask("hi", { cache = { tll = 60 } }) --! client:ask: cache: unknown option 'tll' (did you mean 'ttl'?)
client:ask("hi", { cache = { ttl = 0 } }) --! client:ask: cache: option 'ttl' must be a number of seconds above 0, not 0
client:ask("hi", { cache = { ttl = "1h" } }) --! client:ask: cache: option 'ttl' must be a number of seconds above 0, not "1h"
client:ask("hi", { cache = { scope = "jobs" } }) --! client:ask: cache.scope must be "job" or "store", not "jobs" (did you mean "job"?)
client:ask("hi", { cache = { pace = 0 } }) --! client:ask: cache.pace must be a number above 0, not 0; without it, replies come at once
client:ask("hi", { cache = { shared = 1 } }) --! client:ask: cache: option 'shared' must be true or false, not 1
client:stream("hi", { cache = { pace = -1 } }) --! client:stream: cache.pace must be a number above 0
client:start("hi", { cache = { 1 } }) --! client:start: cache: options are named
llm.client { cache = { scope = "x" } } --! llm.client: cache.scope must be "job" or "store", not "x"
client:chat { cache = "x" } --! client:chat: option 'cache' must be true, false or a table of options
