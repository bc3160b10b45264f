-- A conversation: each line read is a turn, and the whole of it goes back to the model. reply.message is the
-- assistant's turn as the provider wants it back, reasoning signatures and all.
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
      messages[#messages] = nil  -- the turn did not happen
      print("(" .. tostring(err) .. ")")
    end
  end
end
print("\n" .. #messages .. " messages")
