-- Phases of a Responses reply, and calls that wait for the client.
local llm = require "llm"
local simulator = require "simulator"

local function event(type, members) return ('{"type":"response.%s",%s}'):format(type, members) end
local DONE = event("completed", '"response":{"id":"r","status":"completed"}')

-- Adds the events of a message with these deltas to a list.
local function message(frames, index, phase, words)
  local item = '{"type":"message","role":"assistant"' .. (phase and (',"phase":"%s"'):format(phase) or "") .. ',"content":['
  local function add(type, members) frames[#frames + 1] = event(type, ('"output_index":%d,'):format(index) .. members) end
  add("output_item.added", '"item":' .. item .. "]}")
  for _, word in ipairs(words) do add("output_text.delta", ('"content_index":0,"delta":"%s"'):format(word)) end
  add("output_item.done", '"item":' .. item .. ('{"type":"output_text","text":"%s"}]}'):format(table.concat(words)))
end
local function words(letter) local all = {} for i = 0, 8 do all[i + 1] = letter .. i end return all end

-- Enough equal frames for text that arrives in batches.
local function phased()
  local frames = {}
  message(frames, 0, "commentary", words "c")
  message(frames, 1, "final_answer", words "f")
  message(frames, 2, nil, { "x" })
  frames[#frames + 1] = DONE
  simulator.answer(frames)
end

local client = simulator.canned "responses"
local seen = {}
local function note(text, event)
  local phase = event.phase or "-"
  if seen[#seen] and seen[#seen].phase == phase then seen[#seen].text = seen[#seen].text .. text
  else seen[#seen + 1] = { phase = phase, text = text } end
end
local function show() for _, part in ipairs(seen) do print(part.phase, part.text) end end

--# tokens have their phase
--: each_line = true
--> commentary c0c1c2c3c4c5c6c7c8
--> final_answer f0f1f2f3f4f5f6f7f8
--> - x
phased() client:ask("hi", { on_token = function(text, event) note(text, event) end }) show()
phased() client:ask("hi", { coalesce = 30, on_token = function(text, event) note(text, event) end }) show()
phased() client:ask("hi", { on_event = function(e) if e.type == "token" then note(e.text, e) end end }) show()
phased() for e in client:stream("hi") do if e.type == "token" then note(e.text, e) end end show()
-- A window that holds the beginning back.
phased() llm.flow.fallback { function() return client:ask("hi", { on_token = function(t, e) note(t, e) end }) end }() show()

--# the text of all phases is the text of the reply
phased()
local text = ""
local reply = assert(client:ask("hi", { on_token = function(piece) text = text .. piece end }))
print(reply.text == text, reply.text) --> true c0c1c2c3c4c5c6c7c8f0f1f2f3f4f5f6f7f8x

--# a new attempt begins without a phase
local broken, whole = {}, {}
message(broken, 0, "commentary", { "a" })
message(whole, 0, nil, { "b" })
whole[#whole + 1] = DONE
simulator.answer(broken)
simulator.answer(whole)
client:ask("hi", { retry = { base = 0.01, after_output = "restart" },
  on_token = function(text, event) note(text, event) end, on_reset = function() seen = {} end })
show() --> - b

--# a reply with native calls waits for the client
local approval = event("output_item.done",
  '"output_index":0,"item":{"id":"mcpr_1","type":"mcp_approval_request","name":"n","arguments":"{}"}')
local done = {}
message(done, 0, nil, { "done" })
done[#done + 1] = DONE
simulator.answer { approval, DONE }
simulator.answer(done)
local reply = assert(client:ask("hi"))
print(reply.finish_reason, #reply.tool_calls, #reply.native_calls, reply.native_calls[1].type)
--> tool_calls 0 1 mcp_approval_request
local messages = { { role = "user", content = "hi" }, reply.message, { role = "user", content = {
  { type = "mcp_approval_response", approval_request_id = reply.native_calls[1].id, approve = true } } } }
reply = assert(client:ask(messages))
print(reply.text, reply.finish_reason, llm.json.encode(reply.native_calls)) --> done stop []

--# the tool loop runs its tools and leaves native calls to the script
simulator.answer {
  event("output_item.done",
    '"output_index":0,"item":{"id":"mcpr_1","type":"mcp_approval_request","name":"n","arguments":"{}"}'),
  event("output_item.done",
    '"output_index":1,"item":{"id":"fc_1","type":"function_call","call_id":"c","name":"get","arguments":"{}"}'),
  DONE,
}
local tool = llm.tool { name = "get", run = function() return "x" end }
local reply = assert(client:ask("hi", { tools = { tool } }))
print(reply.rounds, #reply.native_calls, #reply.messages, reply.messages[3].content) --> 1 1 3 x
