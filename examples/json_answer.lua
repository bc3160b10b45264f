-- An answer as data: the script gives a schema and reads a table.
--
--   moonrill run --mock examples/json_answer.lua
--   moonrill run -p gemini examples/json_answer.lua "Porto"
local llm = require "llm"

local client = llm.client {}
local reply = assert(client:ask("Describe the city of " .. (arg[1] or "Lisbon") .. ".", {
  schema = { name = "string", country = "string", population = "integer", sights = "string[]" },
}))
local city = reply.value
print(city.name .. " (" .. city.country .. "), " .. city.population .. " people")
for _, sight in ipairs(city.sights) do print("  " .. sight) end
