-- A router: a small model says what a question is about, and the expert for that answers.
--
--   moonrill run --mock examples/router.lua
--   moonrill run examples/router.lua "My invoice is wrong."
local llm = require "llm"

local question = arg[1] or "My parcel has not arrived."
local small, large = llm.client {}, llm.client {}

local experts = {
  billing = "You answer questions about invoices and payments.",
  shipping = "You answer questions about parcels and delivery.",
  other = "You answer all other questions of customers.",
}

local function classify(text)
  local reply, err = small:ask(text, {
    system = "What is the customer's question about?",
    response_format = { type = "json_schema", name = "topic", schema = {
      type = "object", required = { "topic" }, additionalProperties = false,
      properties = { topic = { type = "string", enum = { "shipping", "billing", "other" } } },
    } },
  })
  if not reply then return nil, err end
  return llm.json.decode(reply.text).topic
end

local function answer(topic)
  print("to the expert for " .. topic)
  return large:ask(question, { system = experts[topic] or experts.other, on_token = io.write })
end

assert(llm.flow.seq(classify, answer)(question))
print()
