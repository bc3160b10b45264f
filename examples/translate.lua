-- A translation, criticised and revised until the critic is content, at most twice.
--
--   moonrill run --mock examples/translate.lua
--   moonrill run examples/translate.lua "German" "The early bird catches the worm."
local llm = require "llm"

local language, text = arg[1] or "French", arg[2] or "Still waters run deep."
local translator = llm.client { system = "You translate into " .. language .. ". Answer with the translation alone." }
local editor = llm.client { system = "You are a strict editor of " .. language .. ". Name what is wrong, or say only: good." }

local function translate(source, draft, critique)
  local prompt = draft and source .. "\n\nYour draft: " .. draft .. "\n\nThe editor says: " .. critique or source
  local reply, err = translator:ask(prompt)
  return reply and reply.text, err
end

local function criticize(draft, source)
  local reply, err = editor:ask(source .. "\n\nTranslation: " .. draft)
  if not reply then return nil, err end
  print("draft: " .. draft .. "\neditor: " .. reply.text .. "\n")
  return not reply.text:lower():find("^%s*good") and reply.text or nil
end

print("final: " .. assert(llm.flow.refine(translate, { critic = criticize, rounds = 2 })(text)))
