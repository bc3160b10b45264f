-- What the provider receives of a request.
local llm = require "llm"
local simulator = require "simulator"
local host = require "host"
local client = simulator.client()

--# options of the request outweigh those of the client
local c = llm.client { model = "m-1", system = "Be brief.", headers = { ["X-One"] = "1", ["X-Two"] = "2" },
  params = { temperature = 0.5, stop = { "a" }, seed = 7 } }
c:ask({ { role = "user", content = "one" }, { role = "assistant", content = "two" },
  { role = "user", content = { { type = "text", text = "three" } } } },
  { model = "m-2", temperature = 0.25, max_tokens = 9, headers = { ["X-Two"] = "22" },
    params = { seed = 8, custom = { deep = llm.json.array {} } }, system = "Be kind." })
local request = host.request(1)
print(request.path) --> /v1/chat/completions
print(request.headers["x-one"], request.headers["x-two"], request.headers["content-type"]) --> 1 22 application/json
local body = request.body
print(body.model, body.temperature, body.seed, body.max_tokens, body.stream) --> m-2 0.25 8 9 true
print(llm.json.encode(body.stop), llm.json.encode(body.custom)) --> ["a"] {"deep":[]}
print(simulator.said(1)) --> system: Be kind. | user: one | assistant: two | user: [{"text":"three","type":"text"}]

--# response_format is sent
local function sent(format)
  assert(client:ask("hi", { response_format = format }))
  print(simulator.body(host.requests()).response_format.type)
end
sent "json" --> json_object
sent "text" --> text
sent { type = "json_object" } --> json_object
sent { type = "json_schema", schema = { type = "object" } } --> json_schema

--# a reply, a message, and replies inside messages are prompts
local reply = client:ask("hi")
assert(client:ask(reply))
assert(client:ask { role = "user", content = "one" })
assert(client:ask { { role = "user", content = "hi" }, reply, { role = "user", content = reply } })
assert(llm.flow.seq(function(x) return client:ask("A: " .. x) end, function(x) return client:ask("B: " .. x) end)("x"))
for n = 1, host.requests() do print(simulator.said(n)) end
--> user: hi
--> user: tok1 tok2 tok3\s
--> user: one
--> user: hi | assistant: tok1 tok2 tok3  | user: tok1 tok2 tok3\s
--> user: A: x
--> user: B: tok1 tok2 tok3\s

--# images are sent from a file, from data and from a URL
local png = "\x89PNG\r\n\x1a\n\0\xff"
local path = host.folder() .. "/a.png"
local file = assert(io.open(path, "wb"))
file:write(png) file:close()
local function ask(part)
  client:ask { { role = "user", content = { "Look:", part } } }
  print(llm.json.encode(simulator.body(host.requests()).messages[1].content[2]))
end
local part = { type = "image", path = path, detail = "low" }
ask(part) --> {"image_url":{"detail":"low","url":"data:image/png;base64,iVBORw0KGgoA/w=="},"type":"image_url"}
print(part.path == path, part.data) --> true nil
ask { type = "image", data = io.open(path, "rb"):read("a") }
--> {"image_url":{"url":"data:image/png;base64,iVBORw0KGgoA/w=="},"type":"image_url"}
ask { type = "image", url = "https://e.example/a.png" }
--> {"image_url":{"url":"https://e.example/a.png"},"type":"image_url"}

--# a wrong image is an error, and nothing is sent
--: requests = 0
local function refused(part)
  local reply, err = client:ask { { role = "user", content = { part } } }
  print(reply, err.kind, err.message)
end
refused { type = "image", path = "/nowhere/a.png" }
--> nil invalid_request messages[1].content[1]...the image cannot be read: /nowhere/a.png...
refused { type = "image", path = "/etc/hostname" }
--> nil invalid_request messages[1].content[1]...the file /etc/hostname is no image of a known type...
refused { type = "image", path = "/" }
--> nil invalid_request messages[1].content[1]...the image / cannot be read: Is a directory...
refused { type = "image", media_type = "image/png", data = "\x89PNG" }
--> nil invalid_request messages[1].content[1]...not base64...
refused { type = "image", data = "hello" }
--> nil invalid_request messages[1].content[1]...data is no image of a known type (PNG, JPEG, GIF or WebP)...

--# an image without a source is misuse
client:ask { { role = 'user', content = { { type = 'image' } } } } --! client:ask: messages[1].content[1] is an image without a source

--# a wrong schema of a tool is an error, and nothing is sent
--: requests = 0
local reply, err = client:ask("hi", { tools = { { name = "f", parameters = { type = "objct" } } } })
print(reply, err.kind, err)
--> nil invalid_request mock: invalid_request: tools[1].parameters.type is no JSON type: "objct" (did you mean "object"?)
