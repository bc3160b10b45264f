-- Extracts records from a text: the answer must fit a schema, and each record is printed as soon as it is complete.
--
--   moonrill run --mock examples/extract.lua
--   moonrill run -p gemini examples/extract.lua "Ann (31) lives in Oslo, Bo (27) in Bergen."
local llm = require "llm"

local text = arg[1] or "Ada is 36 and lives in London; Grace, 85, in Arlington."

local client = llm.client { system = "Extract the people that the text speaks of." }
local reply = assert(client:ask(text, {
  schema = { people = { { name = "string", age = "integer", city = "string" } } },
  on_value = function(path, person)
    if path:match("^people%[%d+%]$") then print(person.name .. ", " .. person.age .. ", " .. person.city) end
  end,
}))
print(#reply.value.people .. " in all")
