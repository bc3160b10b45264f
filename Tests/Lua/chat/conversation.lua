-- client:chat: what it remembers and forgets.
local llm = require "llm"
local simulator = require "simulator"
local client, fault = simulator.client(), simulator.fault

--# a chat remembers what was sent and received
local chat = client:chat { system = "Be brief." }
assert(chat:send("one"))
print(#chat:messages()) --> 2
assert(chat:send { "two" })
local roles = {}
for _, message in ipairs(chat:messages()) do roles[#roles + 1] = message.role end
print(#roles, table.concat(roles, " ")) --> 4 user assistant user assistant
print(chat) --> chat (4 messages)

--# a failed request changes nothing
local chat = client:chat {}
local reply, err = chat:send("one", { headers = fault("401") })
print(reply, err.kind, #chat:messages()) --> nil auth 0
assert(chat:send("one"))
print(#chat:messages()) --> 2

--# a fork is independent
local chat = client:chat {}
assert(chat:send("one"))
local other = chat:fork()
assert(other:send("two"))
other:messages()[1].content = "changed"
print(#chat:messages(), #other:messages(), #chat:messages()) --> 2 4 2
other._messages[1].content = "changed"
print(chat:messages()[1].content) --> one

--# a second request at the same time is refused, the next one is not
local chat = client:chat {}
local task = llm.spawn(function() return chat:send("one") end)
llm.sleep(0)
local ok, err = pcall(chat.send, chat, "two")
print(not ok and err:find("waits for an answer") ~= nil) --> true
task:wait()
assert(chat:send("two"))
print(#chat:messages()) --> 4

--# trim removes whole exchanges, the oldest first
local long = ("moon "):rep(100)
local chat = client:chat { messages = {
  { role = "user", content = long }, { role = "assistant", content = "a" },
  { role = "user", content = "b" }, { role = "assistant", tool_calls = {}, content = "c" },
} }
assert(chat:send("d"))
chat:trim { max_tokens = 1000 }
print(chat:trim { max_tokens = 100 }, #chat:messages()) --> 2 4
print(chat:trim { max_tokens = 100 }, #chat:messages()) --> 0 4
print(chat:trim { max_tokens = 1 }, #chat:messages()) --> 2 2
print(chat:trim { max_tokens = 1 }, #chat:messages()) --> 0 2

--# a chat with tools remembers each round
local chat = llm.client { model = "moonrill-chat" }:chat {
  tools = { llm.tool { name = "my_tool", run = function() return "done" end } },
}
local function roles()
  local all = {}
  for _, message in ipairs(chat:messages()) do all[#all + 1] = message.role end
  print(table.concat(all, " "))
end
assert(chat:send("Use my_tool"))
roles() --> user assistant tool assistant
assert(chat:send("Thanks"))
roles() --> user assistant tool assistant user assistant

--# a fork has its own options
local path = os.tmpname()
assert(client:chat { system = "PIRATE" }:save(path))
local a = client:chat { params = { deep = { 1 } } }
local b = a:fork()
assert(b:load(path))
os.remove(path)
b._options.params.deep[1] = 2
print(b._options.system, a._options.system) --> PIRATE nil
print(a._options.params.deep[1], b._options.params.deep[1]) --> 1 2

--# later changes of the script's tables do not change the chat
local part = { type = "text", text = "text" }
local messages = { { role = "user", content = { part } } }
local options = { messages = messages, stop = { "a", "b" } }
local chat = client:chat(options)
part.text, messages[2], options.stop[1] = "changed", { role = "usr" }, "changed"
chat:messages()[1].content[1].text = "changed too"
print(chat:messages()[1].content[1].text, table.concat(chat._options.stop)) --> text ab
print(#chat:messages()) --> 1

--# deferred calls must be answered before the next prompt
local client = llm.client { model = "moonrill-chat" }
local function later(name) return llm.tool { name = name, run = function() return llm.defer end } end
local chat = client:chat { tools = { later "alpha_tool", later "beta_tool" } }
local reply = assert(chat:send("Use alpha_tool and beta_tool"))
local first, second = reply.deferred[1], reply.deferred[2]
local value, err = chat:send("again")
print(value, err.kind, err.message:find("'alpha_tool' (id " .. first.id, 1, true) ~= nil, #chat:messages())
--> nil invalid_request true 2
local function answer(call) return { role = "tool", tool_call_id = call.id, content = "done" } end
local reply = chat:send { answer(first), answer(second) }
print(#chat:messages(), reply.text ~= nil) --> 5 true
local value = chat:fork():send(answer(first), { tools = {} })
print(#chat:messages(), nil) --> 5 nil
assert(chat:send("again", { tools = {} }))
print(#chat:messages(), true) --> 7 true

--# calls without ids are answered in order
local messages = {
  { role = "user", content = "x" },
  { role = "assistant", tool_calls = { { id = "", name = "a", arguments = {} }, { name = "b", arguments = {} } } },
}
local function result(text) return { role = "tool", name = text, content = text } end
local function refused(prompt)
  local _, err = client:chat { messages = messages }:send(prompt)
  return err and err.message:match("the model's call '(%a)'")
end
print(refused { result "1" }) --> b
print(refused "x") --> a
print(refused { result "1", result "2" }) --> nil
