-- The provider simulator and the server of canned replies, as test scripts use them.
local llm = require "llm"
local host = require "host"

local simulator = {}

-- Headers of a request: its reply has `n` deltas, "tok1 tok2 ..."; "inf" for a reply without end.
function simulator.count(n) return { ["X-Moonrill-Deltas"] = tostring(n) } end

-- Headers of a request: its reply of `n` deltas (3) shows the fault.
function simulator.fault(fault, n)
  return { ["X-Moonrill-Fault"] = fault, ["X-Moonrill-Deltas"] = tostring(n or 3) }
end

-- A client whose replies are "tok1 tok2 tok3 ", unless a request has other headers.
function simulator.client() return llm.client { headers = simulator.count(3) } end

-- A stream of server-sent events with these payloads.
function simulator.sse(payloads)
  local frames = {}
  for i, payload in ipairs(payloads) do frames[i] = "data: " .. payload .. "\n\n" end
  return table.concat(frames)
end

-- The next reply of the server of canned replies: a stream of these payloads. The last reply is repeated.
function simulator.answer(payloads) host.answer(simulator.sse(payloads), { "Content-Type: text/event-stream" }) end

-- A client of the server of canned replies.
function simulator.canned(dialect, options)
  local all = { base_url = host.url() .. "/v1", dialect = dialect, model = "m" }
  for name, value in pairs(options or {}) do all[name] = value end
  return llm.client(all)
end

-- The body of the nth request.
function simulator.body(n) return host.request(n).body end

-- The messages of the nth request, as "role: content" in one line.
function simulator.said(n)
  local said = {}
  for i, message in ipairs(host.request(n).body.messages) do
    local content = type(message.content) == "string" and message.content or llm.json.encode(message.content)
    said[i] = message.role .. ": " .. content
  end
  return table.concat(said, " | ")
end

return simulator
