-- A conversation that is sent whole with each turn. Prints the seconds of CPU a turn.
-- Usage: moonrill run conversation.lua BASE_URL MESSAGES TURNS
local llm = require "llm"

local client = llm.client { dialect = "openai", base_url = arg[1], model = "m", limit = false }
local messages, turns = {}, tonumber(arg[3])
for number = 1, tonumber(arg[2]) do
    messages[number] = {
        role = number % 2 == 1 and "user" or "assistant",
        content = "message " .. number .. " of a conversation, with a text of the usual length of a short one",
    }
end
local chat = client:chat { messages = messages }
assert(chat:send "the first turn converts all")
local since = os.clock()
for number = 1, turns do assert(chat:send("turn " .. number)) end
print(string.format("%.6f", (os.clock() - since) / turns))
