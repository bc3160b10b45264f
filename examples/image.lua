-- Sends an image with a question. Files, addresses and bytes are sent in the form that the provider takes.
--
--   moonrill run --mock examples/image.lua
--   moonrill run -p anthropic examples/image.lua photo.jpg "What is on this photo?"
local llm = require "llm"

-- A red dot, so that the example runs without a file.
local DOT = "\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1\8\2\0\0\0\x90wS\xde"
  .. "\0\0\0\12IDATx\x9cc\xf8\xcf\xc0\0\0\3\1\1\0\xc9\xfe\x92\xef\0\0\0\0IEND\xaeB`\x82"

local image = arg[1] and { type = "image", path = arg[1] } or { type = "image", data = DOT }
local question = arg[2] or "Which colour has this picture?"

local client = llm.client {}
assert(client:ask({ { role = "user", content = { question, image } } }, { on_token = io.write }))
print()
