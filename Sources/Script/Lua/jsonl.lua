-- llm.jsonl: files of JSON lines, one value a line. Loaded on first use.
local host, _, internal, _ENV = ...
local check, describe, fail = internal.check, internal.describe, host.misuse
local rows, OPTIONS = host.rows(), host.options "jsonl.writer"
local jsonl = {}

-- read(path): an iterator of the values with the numbers of their lines. Leaving the loop closes the file.
function jsonl.read(path)
  if type(path) ~= "string" then fail("llm.jsonl.read takes the path of a file, not " .. describe(path)) end
  local reader = rows.open(path)
  return function() return rows.next(reader) end, nil, nil, reader
end

local Writer = { __name = "llm.jsonl.writer" }
local methods = {}
Writer.__index = methods
Writer.__tostring = function(self) return "writer (" .. self.path .. ")" end
Writer.__close = function(self) rows.close(self._handle) end

local function handle_of(self, where)
  if getmetatable(self) ~= Writer then fail(where .. " is a method: write " .. where .. "(...)") end
  return self._handle
end

-- write(row): appends a line; false if the file has a row with that key.
function methods:write(row)
  local handle = handle_of(self, "writer:write")
  if row == nil then fail("writer:write takes a row, not nil") end
  return rows.write(handle, row)
end

-- has(value, ...): whether the file has a row with that key.
function methods:has(...) return rows.has(handle_of(self, "writer:has"), ...) end

function methods:close() rows.close(handle_of(self, "writer:close")) end

-- The names of the members that make the key.
local function members_of(key)
  if key == nil then return {} end
  local list = type(key) == "table" and key or { key }
  local count = 0
  for _ in next, list do count = count + 1 end
  for place = 1, math.max(count, 1) do
    if type(list[place]) ~= "string" then
      fail("llm.jsonl.writer: option 'key' must be the name of a member or a list of names, not " .. describe(key))
    end
  end
  return list
end

-- writer{ path =, key = }: opens the file, or makes it, for one writer at a time.
function jsonl.writer(options)
  check("llm.jsonl.writer", options, OPTIONS)
  if options.path == nil then fail("llm.jsonl.writer needs the option 'path'") end
  local handle = rows.writer(options.path, members_of(options.key))
  return setmetatable({ path = options.path, _handle = handle }, Writer)
end

return internal.named("llm.jsonl", jsonl)
