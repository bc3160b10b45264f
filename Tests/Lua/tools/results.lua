-- Results of tools: what the model receives, and replies whose calls must not run.
local llm = require "llm"
local simulator = require "simulator"
local host = require "host"
local client = llm.client { model = "moonrill-chat" }

-- Asks for a call of a tool that does `run`, and prints the text that the model receives.
local function sends(run)
  local tool = llm.tool { name = "my_tool", run = run }
  assert(client:ask("Use my_tool", { tools = { tool }, on_tool_result = function(_, text, is_error)
    print(is_error, text)
    assert(not text:find("0x"), "an address reaches the model")
  end }))
end

-- Replies with one call in the given format that end for the given reason.
local REPLIES = {
  openai = function(reason)
    simulator.answer {
      '{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"A","type":"function","function":{"name":"get","arguments":"{}"}}]}}]}',
      ('{"choices":[{"index":0,"delta":{},"finish_reason":"%s"}]}'):format(reason), "[DONE]",
    }
  end,
  gemini = function(reason)
    simulator.answer {
      ('{"candidates":[{"content":{"parts":[{"functionCall":{"name":"get","args":{}}}]},"finishReason":"%s"}]}'):format(reason),
    }
  end,
  anthropic = function(reason)
    simulator.answer {
      '{"type":"message_start","message":{"id":"m","usage":{"input_tokens":1,"output_tokens":1}}}',
      '{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"A","name":"get","input":{}}}',
      '{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{}"}}',
      '{"type":"content_block_stop","index":0}',
      ('{"type":"message_delta","delta":{"stop_reason":"%s"},"usage":{"output_tokens":5}}'):format(reason),
      '{"type":"message_stop"}',
    }
  end,
  ollama = function(reason)
    host.answer(
      '{"message":{"role":"assistant","content":"","tool_calls":[{"function":{"name":"get","arguments":{}}}]},"done":false}\n'
        .. ('{"message":{"role":"assistant","content":""},"done":true,"done_reason":"%s"}\n'):format(reason),
      { "Content-Type: application/x-ndjson" })
  end,
}
local function ask(format)
  local client = llm.client { base_url = host.url(), dialect = format, model = "m", retry = { max = 0 } }
  local tool = llm.tool { name = "get", run = function() print("ran") return "x" end }
  local _, err = client:ask("hi", { tools = { tool }, max_rounds = 1 })
  return err
end
local function refused(format, reason)
  REPLIES[format](reason)
  local err = ask(format)
  print(err.kind, err.code, err.partial.tool_calls[1].name, #err.messages)
  assert(err.message:find(("(finish reason %s): its tool call was not run"):format(reason), 1, true), err.message)
end
local function runs(format, reason)
  REPLIES[format](reason)
  print(ask(format).kind)
end

--# a failure of a tool, or a result that cannot be sent, reaches the model as an error
llm.log.warning = function() end
sends(function() return { 1, nil, 3 } end)
--> true the tool failed: ...the result[2]: nil: a JSON array has no holes...
sends(function() return table.pack(1, 2) end)
--> true the tool failed: ...an array or an object, not both...
sends(function() return { 1, 2, a = 3 } end)
--> true the tool failed: ...an array or an object, not both...
sends(function() return { mean = 0/0 } end)
--> true the tool failed: ...the result.mean: JSON has no NaN...
sends(function() return -1/0 end)
--> true the tool failed: ...the result: JSON has no infinity...
sends(function() return { list = { 1, math.huge } } end)
--> true the tool failed: ...the result.list[2]: JSON has no infinity...
sends(function() return { line = 'caf\xe9' } end)
--> true the tool failed: ...the result.line: not UTF-8 at byte 4...
sends(function() return 'caf\xe9' end)
--> true the tool failed: ...the result: not UTF-8 at byte 4...
sends(function() return { ['caf\xe9'] = 1 } end)
--> true the tool failed: ...a key: not UTF-8 at byte 4...
sends(function() return print end)
--> true the tool failed: ...a function cannot be written...
sends(function() return { f = print } end)
--> true the tool failed: ...the result.f: a function cannot be written...
sends(function() return io.stdout end)
--> true the tool failed: ...a userdata cannot be written...
sends(function() return (function() local t = {} t.t = t return t end)() end)
--> true the tool failed: ...does one hold itself?...
sends(function() return { [true] = 1 } end)
--> true the tool failed: ...the key true is no string...
sends(function() return nil, { code = 5 } end)
--> true the tool failed: ...{"code":5}...
sends(function() return nil, setmetatable({}, { __tostring = function() return 'why' end }) end)
--> true the tool failed: ...why...
sends(function() return nil, 'caf\xe9' end)
--> true the tool failed: ...caf�...
sends(function() error({ code = 5 }) end)
--> true the tool failed: ...{"code":5}...
sends(function() error(print) end)
--> true the tool failed: ...an error that is a function...
sends(function() return nil, print end)
--> true the tool failed: ...an error that is a function...
sends(function() error(coroutine.create(print)) end)
--> true the tool failed: ...an error that is a thread...
sends(function() error(io.stdout) end)
--> true the tool failed: ...an error that is a userdata...
sends(function() return { [{}] = 1 } end)
--> true the tool failed: ...a table as a key is no string...
sends(function() return client end)
--> true the tool failed: ...an llm.client cannot be written...
sends(function() return { list = { client } } end)
--> true the tool failed: ...the result.list[1]: an llm.client...
sends(function() return client:chat() end)
--> true the tool failed: ...an llm.chat cannot be written...
sends(function() return client:start('x') end)
--> true the tool failed: ...an llm.call cannot be written...
sends(function() return llm.spawn(type, 1) end)
--> true the tool failed: ...an llm.task cannot be written...
sends(function() return { llm.defer } end)
--> true the tool failed: ...an llm.defer cannot be written...
sends(function() return llm.limit { rpm = 1 } end)
--> true the tool failed: ...an llm.limit cannot be written...
sends(function() return nil, client end)
--> true the tool failed: ...client (...
sends(function() return select(2, llm.flow.timeout(0.01, function() llm.sleep(60) end)()) end)
--> true the tool failed: ...the step took longer than 0.01 s...
sends(function() error({ print }) end)
--> true the tool failed: ...an error that is a table...
sends(function() error('caf\xe9', 0) end)
--> true the tool failed: ...caf�...

--# a result that cannot be sent is logged with the name of the tool
--: log = the tool 'my_tool' returned what cannot be sent: the result[2]
sends(function() return { 1, nil, 3 } end) --> true the tool failed: ...

--# results reach the model as text or JSON
sends(function() return { a = 1, list = { 'x' } } end)
--> false {"a":1,"list":["x"]}
sends(function() return 42 end)
--> false 42
sends(function() return 'text' end)
--> false text
sends(function() return nil end)
--> false null
sends(function() return false end)
--> false false
sends(function() return llm.json.array {} end)
--> false []
sends(function() return llm.flow.map({ 1, 2 }, function(i) if i == 2 then return nil, 'bad' end return i end, { keep_going = true }) end)
--> false {"errors":{"2":"bad"},"results":[1,false]}
sends(function() return llm.flow.map({ 1, 2, 3 }, function(i) if i == 2 then return nil, 'bad' end return i end, { keep_going = true }) end)
--> false {"errors":{"2":"bad"},"results":[1,false,3]}
sends(function() return llm.flow.map({ 1, 2, 3 }, function(i) if i == 2 then return nil, 'bad' end return i end,
    { keep_going = true, ordered = false }) end)
--> false {"errors":{"2":"bad"},"results":[1,3]}
sends(function() return llm.flow.all { a = function()
  return llm.flow.map({ 1, 2, 3 }, function(i) if i == 1 then return nil, 'bad' end return i end, { keep_going = true })
end }() end)
--> false {"errors":{"a":"[1] bad"},"results":{"a":[false,2,3]}}

--# no tool runs from a reply that was truncated or withheld
refused("openai", "content_filter") --> provider content_filter get 1
refused("openai", "length") --> truncated length get 1
refused("openai", "malformed_function_call") --> provider malformed_function_call get 1
refused("openai", "model_context_window_exceeded") --> truncated model_context_window_exceeded get 1
refused("gemini", "MALFORMED_FUNCTION_CALL") --> provider MALFORMED_FUNCTION_CALL get 1
refused("gemini", "UNEXPECTED_TOOL_CALL") --> provider UNEXPECTED_TOOL_CALL get 1
refused("gemini", "SAFETY") --> provider SAFETY get 1
refused("gemini", "MAX_TOKENS") --> truncated MAX_TOKENS get 1
refused("gemini", "OTHER") --> provider OTHER get 1
refused("anthropic", "max_tokens") --> truncated max_tokens get 1
refused("anthropic", "refusal") --> provider refusal get 1
refused("ollama", "length") --> truncated length get 1
-- Finish reasons of servers for a reply that was truncated or withheld.
refused("openai", "repetition_truncation") --> provider repetition_truncation get 1
refused("openai", "guardrail_intervened") --> provider guardrail_intervened get 1
refused("openai", "output_withheld") --> provider output_withheld get 1
refused("openai", "moderated") --> provider moderated get 1
refused("openai", "budget_exceeded") --> provider budget_exceeded get 1
refused("openai", "rejected") --> provider rejected get 1
refused("openai", "policy_denied") --> provider policy_denied get 1
refused("openai", "cutoff") --> provider cutoff get 1
refused("openai", "partial") --> provider partial get 1
refused("openai", "terminated") --> provider terminated get 1
refused("openai", "engine_overloaded") --> provider engine_overloaded get 1
refused("openai", "sensitive_output") --> provider sensitive_output get 1

--# a tool runs from a whole reply
--: each_line = true
--> ran
--> budget
runs("openai", "tool_calls")
runs("openai", "stop")
runs("openai", "tool-calls")
runs("openai", "completed")
runs("openai", "tool_use_executed")
runs("openai", "finished")
runs("gemini", "STOP")
runs("anthropic", "tool_use")
runs("ollama", "stop")

--# the error holds the provider's message about the end of the reply
simulator.answer {
  '{"candidates":[{"content":{"parts":[{"functionCall":{"name":"get","args":{}}}]},'
    .. '"finishReason":"MALFORMED_FUNCTION_CALL","finishMessage":"Malformed: get("}]}',
}
local err = ask "gemini"
print(err.message) --> ...(finish reason MALFORMED_FUNCTION_CALL: Malformed: get()...
print(err.partial.finish_message) --> Malformed: get(
