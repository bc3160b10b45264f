-- chat:save and chat:load.
local llm = require "llm"
local simulator = require "simulator"
local host = require "host"
local client = simulator.client()
local folder = host.folder()
local function write(name, text)
  local file = assert(io.open(folder .. "/" .. name, "w"))
  file:write(text)
  file:close()
  return folder .. "/" .. name
end

-- Loads a file that holds no conversation: nil and an error, and the chat is unchanged.
local function malformed(text)
  local path = write("chat.json", text)
  local chat = client:chat { system = "s", messages = { { role = "user", content = "x" } } }
  local ok, err = chat:load(path)
  print(ok, err.kind, #chat:messages())
  print(client:chat { load = path })
  print(chat:load(folder))
end

-- A conversation that is saved and loaded sends the same messages, signed thinking included.
local function round_trip(dialect)
  local path = folder .. "/chat.json"
  local client = llm.client { model = "moonrill-reasoner", dialect = dialect }
  local tool = llm.tool { name = "my_tool", run = function() return { list = llm.json.array {}, none = {} } end }
  local chat = client:chat { system = "Be kind.", tools = { tool } }
  assert(chat:send("Use my_tool"))
  assert(chat:save(path))
  local again = client:chat { load = path, tools = { tool } }
  assert(chat:fork():send("And now?"))
  assert(again:send("And now?"))
  local third = client:chat { tools = { tool } }
  assert(third:load(path))
  assert(third:send("And now?"))
  local function body(n) return llm.json.encode(host.request(n).body) end
  print(host.requests(), body(3) == body(4), body(4) == body(5))
  local text = io.open(path):read("a")
  print(text:find("moonrill-chat", 1, true) ~= nil, text:find("Be kind.", 1, true) ~= nil)
  print(table.concat(host.files(), " "))
end

--# a file that cannot be read or written is an error with the path
local chat, err = client:chat { load = "/nowhere/x.json" }
print(chat, err.kind, err.message:find("/nowhere/x.json", 1, true) ~= nil) --> nil config true
local chat, err = client:chat {}:save("/nowhere/x.json")
print(chat, err.kind, err.message:find("cannot be saved", 1, true) ~= nil) --> nil config true

--# a file that holds no conversation is refused
--: each_line = true
--> nil config 1
--> nil ...
--> nil ...
malformed ""
malformed "{"
malformed "[]"
malformed "5"
malformed '{"format":"other","version":1,"messages":[]}'
malformed '{"format":"moonrill-chat","version":9,"messages":[]}'
malformed '{"format":"moonrill-chat","messages":[]}'
malformed '{"format":"moonrill-chat","version":1,"messages":{}}'
malformed '{"format":"moonrill-chat","version":1,"messages":[1]}'
malformed '{"format":"moonrill-chat","version":1,"messages":[{"role":"usr"}]}'
malformed '{"format":"moonrill-chat","version":1,"messages":[{"role":"user","content":5}]}'
malformed '{"format":"moonrill-chat","version":1,"messages":[{"role":"assistant","tool_calls":5}]}'
malformed '{"format":"moonrill-chat","version":1,"messages":[],"system":5}'

--# the error of a refused file names the reason
local function message(text) return select(2, client:chat { load = write("chat.json", text) }).message end
print(message "{}") --> ...holds no chat...
print(message "{") --> ...holds no chat...
print(message '{"format":"moonrill-chat","version":2,"messages":[]}') --> ...later moonrill...

--# a path that cannot be written is an error
os.execute("ln -s loop '" .. folder .. "/loop'")
local function save(options, path)
  local ok, err = client:chat(options):save(path)
  local pattern = folder:gsub("%p", "%%%0")
  print(ok, (tostring(err):gsub(pattern, "FOLDER")))
end
save({}, folder) --> nil the chat cannot be saved: FOLDER: Is a directory
save({}, folder .. "/loop") --> nil the chat cannot be saved: FOLDER/loop: Too many levels of symbolic links
save({ system = "\xff" }, folder .. "/a.json")
--> nil the chat cannot be saved: the chat.system: not UTF-8 at byte 1; llm.utf8 repairs it
print(table.concat(host.files(), " ")) --> loop

--# a saved and loaded chat sends the same messages
--: each_line = true
--> 5 true true
--> true true
--> chat.json
round_trip "openai"
round_trip "anthropic"
round_trip "gemini"
round_trip "responses"
