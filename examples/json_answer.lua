-- An answer as data: the model fills a JSON Schema, and the script reads a table.
--
--   moonrill run --mock examples/json_answer.lua
--   moonrill run -p gemini examples/json_answer.lua "Porto"
local llm = require "llm"

local city = {
  type = "object",
  properties = {
    name = { type = "string" }, country = { type = "string" }, population = { type = "integer" },
    sights = { type = "array", items = { type = "string" } },
  },
  required = { "name", "country", "population", "sights" },
  additionalProperties = false,
}

local client = llm.client {}
local reply = assert(client:ask("Describe the city of " .. (arg[1] or "Lisbon") .. ".", {
  response_format = { type = "json_schema", name = "city", schema = city },
}))
local answer = assert(llm.json.decode(reply.text))
print(answer.name .. " (" .. answer.country .. "), " .. answer.population .. " people")
for _, sight in ipairs(answer.sights) do print("  " .. sight) end
