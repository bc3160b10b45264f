-- A conversation: each line read is a turn, and all messages are sent again. reply.message is the assistant's message with
-- the parts that the provider needs again, such as signatures of reasoning.
--
--   moonrill run --mock examples/chat.lua                     end with Ctrl-D
local llm = require "llm"

local client = llm.client { system = "You are brief and friendly." }
local messages = {}

while true do
  io.write("> ")
  io.flush()
  local line = io.read("l")
  if not line then break end
  if line:find("%S") then  -- providers refuse an empty message
    messages[#messages + 1] = { role = "user", content = line }
    local reply, err = client:ask(messages, { on_token = io.write })
    if reply then
      messages[#messages + 1] = reply.message
      print()
    else
      messages[#messages] = nil  -- the turn failed: forget its question
      print("(" .. tostring(err) .. ")")
    end
  end
end
print("\n" .. #messages .. " messages")
