-- A router: the first request classifies a question, the second answers it with the system prompt of that class.
--
--   moonrill run --mock examples/router.lua
--   moonrill run examples/router.lua "My invoice is wrong."
local llm = require "llm"

local question = arg[1] or "My parcel has not arrived."
local client = llm.client {}

local experts = {
  billing = "You answer questions about invoices and payments.",
  shipping = "You answer questions about parcels and delivery.",
  other = "You answer all other questions of customers.",
}

local function classify(text)
  local reply, err = client:ask(text, {
    system = "What is the customer's question about?",
    schema = { topic = { "shipping", "billing", "other" } },
  })
  if not reply then return nil, err end
  return reply.value.topic
end

local function answer(topic)
  print("to the expert for " .. topic)
  return client:ask(question, { system = experts[topic], on_token = io.write })
end

local route = llm.flow.seq(classify, answer)
assert(route(question))
print()
