-- Self-consistency: the same question several times; the most frequent answer wins. Requests stop once it is decided.
--
--   moonrill run --mock examples/vote.lua
--   moonrill run examples/vote.lua "How many r are in strawberry? Answer with the number alone."
local llm = require "llm"

local question = arg[1] or "Is 1009 a prime number? Answer yes or no."
local client = llm.client {}

local function answer() return client:ask(question, { temperature = 1 }) end
local function normalized(reply) return reply.text:lower():match("%w+") end

local ask_often = llm.flow.vote(answer, { n = 9, key = normalized })
local winner, err, tally = ask_often()
assert(winner, err)
print(winner.text)
for word, votes in pairs(tally) do print(votes .. " x " .. word) end
