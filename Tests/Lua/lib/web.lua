-- A server of the script, and requests to it from outside, as test scripts use them.
local llm = require "llm"
local host = require "host"

local web = {}

-- Serves while `body` runs, then stops. The port is the kernel's.
function web.serve(options, body)
  options.port = 0
  options.on_start = function(server)
    body(server)
    server.stop()
  end
  return llm.serve(options)
end

-- A client of one of the server's models.
function web.client(server, model, options)
  local all = { base_url = server.url .. "v1", model = model, retry = { max = 0 } }
  for name, value in pairs(options or {}) do all[name] = value end
  return llm.client(all)
end

-- Sends a request to the server: status, body, headers.
function web.fetch(server, method, target, headers, body)
  local number = host.fetch(server.port, method, target, headers or {}, body or "")
  while true do
    local status, text, fields = host.fetched(number)
    if status then return status, text, fields end
    llm.sleep(0.001)
  end
end

function web.get(server, target, headers) return web.fetch(server, "GET", target, headers) end

-- Sends JSON: status, the decoded body.
function web.post(server, target, value)
  local status, text = web.fetch(server, "POST", target, nil, llm.json.encode(value))
  return status, llm.json.decode(text)
end

-- The events of a stream's text, each as "name data".
function web.events(text)
  local events = {}
  for block in text:gmatch("(.-)\n\n") do
    local data = block:match("data: (.*)")
    if data then events[#events + 1] = (block:match("event: (%S+)") or "message") .. " " .. data end
  end
  return events
end

return web
