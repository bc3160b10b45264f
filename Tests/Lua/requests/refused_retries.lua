-- false from on_retry, on_event or on_reset refuses the next attempt: the request fails with the error of the last one.
local llm = require "llm"
local simulator = require "simulator"
local client, fault = simulator.client(), simulator.fault

-- Refuses the first retry after each kind of failure.
local function refused(dialect, callback)
  for _, failure in ipairs { "500", "429", "cut@0" } do
    local c = llm.client { dialect = dialect, retry = { base = 60, cap = 60 } }
    print((select(2, c:ask("hi", { headers = fault(failure),
      [callback] = function(info) if info.type == nil or info.type == "retry" then return false end end,
      on_finish = function() print("finish") end, on_error = function(err) print("error", err.kind) end,
    }))).kind)
  end
end

--# the request fails
--: each_line = true
--> error provider
--> provider
--> error rate_limit
--> rate_limit
--> error truncated
--> truncated
refused("openai", "on_retry")
refused("openai", "on_event")
refused("responses", "on_retry")
refused("responses", "on_event")
refused("anthropic", "on_retry")
refused("anthropic", "on_event")
refused("gemini", "on_retry")
refused("gemini", "on_event")
refused("tgi", "on_retry")
refused("tgi", "on_event")
refused("ollama", "on_retry")
refused("ollama", "on_event")
refused("cohere", "on_retry")
refused("cohere", "on_event")

--# on_retry may wait, then refuse
local reply, err = client:ask("hi", { headers = fault("500"), retry = { base = 0.001 },
  on_retry = function() llm.sleep(0.05) return false end,
  on_error = function(err) print("error", err.kind) end }) --> error provider
print(reply, err.kind, err.attempts) --> nil provider 1

--# false from on_reset refuses a restart
local shown = ""
local reply, err = client:ask("hi", { headers = fault("cut@600", 30), retry = { base = 0.001, after_output = "restart" },
  on_token = function(text) shown = shown .. text end, on_reset = function() return false end })
print(#shown > 0) --> true
print(reply, err.kind, err.partial.text == shown) --> nil truncated true

--# a loop that is left before the retry refuses it
for event in client:stream("hi", { headers = fault("500"), retry = { base = 60, cap = 60 },
  on_error = function(err) print("error", err.kind) end, on_finish = function() print("finish") end }) do
  print(event.type)
  break
end
--> retry
--> error provider

--# false in a live stream is a success
local reply = client:ask("hi", { on_token = function() return false end })
print(reply.text, reply.finish_reason) --> tok1  cancelled
