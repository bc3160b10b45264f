-- A debate: two conversations answer each other, and a third request judges them.
--
--   moonrill run --mock examples/debate.lua
--   moonrill run examples/debate.lua "Tabs are better than spaces."
local llm = require "llm"

local claim = arg[1] or "The moon is more useful than the sun."
local client = llm.client {}
local names = { "pro", "con" }
local speakers = {
  (client:chat { system = "You defend this claim, in three sentences: " .. claim }),
  (client:chat { system = "You attack this claim, in three sentences: " .. claim }),
}

local said = { "", "" }
local last = "Open the debate."
for round = 1, 2 do
  for side, chat in ipairs(speakers) do
    last = assert(chat:send(last)).text
    said[side] = said[side] .. last .. "\n"
    print("[" .. names[side] .. ", round " .. round .. "] " .. last .. "\n")
  end
end

local _, err, verdict = llm.flow.judge(said, { client = client, rubric = "Who argued better: " .. claim })
assert(verdict, err)
print("The winner: " .. names[verdict.best] .. ", because " .. verdict.reason)
