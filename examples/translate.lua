-- A translation that a critic reviews and the translator revises, at most twice.
--
--   moonrill run --mock examples/translate.lua
--   moonrill run examples/translate.lua "German" "The early bird catches the worm."
local llm = require "llm"

local language, text = arg[1] or "French", arg[2] or "Still waters run deep."
local translator = llm.client { system = "You translate into " .. language .. ". Answer with the translation alone." }
local editor = llm.client { system = "You are a strict editor of " .. language .. ". Name what is wrong, or say only: good." }

local function translate(source, draft, critique)
  local prompt = source
  if draft then prompt = source .. "\n\nYour draft: " .. draft .. "\n\nThe editor says: " .. critique end
  local reply, err = translator:ask(prompt)
  if not reply then return nil, err end
  return reply.text
end

local function criticize(draft, source)
  local reply, err = editor:ask(source .. "\n\nTranslation: " .. draft)
  if not reply then return nil, err end
  print("draft: " .. draft .. "\neditor: " .. reply.text .. "\n")
  if reply.text:lower():find("^%s*good") then return nil end  -- no further revision
  return reply.text
end

local refined = llm.flow.refine(translate, { critic = criticize, rounds = 2 })
print("final: " .. assert(refined(text)))
