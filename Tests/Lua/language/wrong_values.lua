-- Calls every function of the module with wrong values of every type. No message may name a chunk of the host.
--: ignores_warnings = true
local llm = require "llm"
local client = llm.client { model = "moonrill-chat" }
local chat = client:chat {}
local values = {
  1, -1.5, 0 / 0, "", "x", true, {}, { 1, 2 }, { a = {} }, table.pack, coroutine.create(table.pack), io.stdout, client, chat, llm.json.null,
}
local objects = {
  llm = llm, flow = llm.flow, json = llm.json, log = llm.log, client = getmetatable(client), ["client methods"] = getmetatable(client).__index,
  ["chat methods"] = getmetatable(chat).__index, budget = getmetatable(llm.budget { tokens = 1 }), limit = getmetatable(llm.limit { rpm = 1 }),
}
-- These wait, begin tasks, or write files.
local quiet = { ["llm.sleep"] = true, ["llm.spawn"] = true, ["chat methods.save"] = true }

local function try(name, f, ...)
  local results = table.pack(pcall(f, ...))
  local message = tostring(results[2])
  if not results[1] and (message:find("[llm", 1, true) or message:find("[require", 1, true)) then print(name, message) end
end

local tried = 0
for object_name, object in pairs(objects) do
  for name, f in pairs(type(object) == "table" and object or {}) do
    if type(f) == "function" and not quiet[object_name .. "." .. name] then
      local place = object_name .. "." .. name
      tried = tried + 1
      try(place, f)
      for _, first in ipairs(values) do
        try(place, f, first)
        for _, second in ipairs(values) do try(place, f, first, second) end
      end
      for _, value in ipairs(values) do
        if object_name == "client methods" then try(place, f, client, value) try(place, f, client, "x", value) end
        if object_name == "chat methods" then try(place, f, chat, value) try(place, f, chat, "x", value) end
      end
    end
  end
end
print("over", tried > 30) --> over true
