-- Sends one request: reads {client, prompt, options} as JSON from standard input, and prints the reply or error and
-- what the callbacks received as JSON. Started by ours.py. With `frames`, the payload of each frame is printed too;
-- with `stop_after`, on_token returns false at the piece of that number.
local llm = require "llm"

local case = llm.json.decode(io.read "a")
local seen = { text = {}, reasoning = {}, calls = llm.json.array {}, usage = nil, retries = 0 }

local made, client = pcall(llm.client, case.client)
if not made then
  print(llm.json.encode { misuse = tostring(client) })
  return
end

local options = case.options or {}
options.on_token = function(text)
  table.insert(seen.text, text)
  return #seen.text ~= case.stop_after
end
options.on_reasoning = function(text) table.insert(seen.reasoning, text) end
options.on_tool_call = function(call) table.insert(seen.calls, call) end
options.on_usage = function(usage) seen.usage = usage end
if case.frames then
  seen.frames = llm.json.array {}
  options.on_chunk = function(raw) table.insert(seen.frames, raw) end
end
options.on_retry = function() seen.retries = seen.retries + 1 end

local asked, reply, err = pcall(client.ask, client, case.prompt, options)
if not asked then
  print(llm.json.encode { misuse = tostring(reply) })
  return
end

local function plain(reply)
  if not reply then return nil end
  return {
    text = reply.text, reasoning = reply.reasoning, tool_calls = llm.json.array(reply.tool_calls),
    finish_reason = reply.finish_reason, finish_reason_raw = reply.finish_reason_raw, usage = reply.usage,
    model = reply.model, id = reply.id, attempts = reply.attempts, message = reply.message,
    value = reply.value, timing = reply.timing,
  }
end

print(llm.json.encode {
  reply = plain(reply),
  err = err and {
    kind = err.kind, message = err.message, status = err.status, code = err.code, retryable = err.retryable,
    retry_after = err.retry_after, attempts = err.attempts, partial = plain(err.partial),
  },
  shown = {
    text = table.concat(seen.text), pieces = #seen.text, reasoning = table.concat(seen.reasoning),
    tool_calls = seen.calls, usage = seen.usage, retries = seen.retries,
    frames = seen.frames,
  },
})
