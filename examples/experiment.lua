-- An experiment that is run again and again while its last lines change: replies that came before cost nothing.
--
--   moonrill run --mock examples/experiment.lua
--   moonrill run examples/experiment.lua          # the second run sends no request
--   moonrill run --refresh examples/experiment.lua
local llm = require "llm"

local client = llm.client { cache = true, params = { temperature = 1 } }
local prompts = {
  plain = "Name a word that rhymes with moon.",
  strict = "Name one word that rhymes with moon. Answer with the word alone.",
}

for _, name in ipairs { "plain", "strict" } do
  local words, cached = 0, 0
  -- Equal requests are samples: five of them are five rows in the store.
  for _ = 1, 5 do
    local reply = assert(client:ask(prompts[name]))
    words = words + select(2, reply.text:gsub("%S+", ""))
    if reply.cached then cached = cached + 1 end
  end
  print(string.format("%-7s %.1f words, %d of 5 replies from the cache", name, words / 5, cached))
end
