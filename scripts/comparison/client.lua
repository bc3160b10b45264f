-- The client of scripts/compare for Moonrill. Its input and output are those of clients.py.
local llm = require "llm"

local client = llm.client {
  base_url = arg[1], dialect = "openai", model = "moonrill-chat", key_env = "MOONRILL_COMPARE_KEY", retry = { max = 0 },
}
local outcomes = llm.json.array {}
for _, prompt in ipairs(llm.json.decode(io.read "a")) do
  local reply, err = client:ask(prompt)
  table.insert(outcomes, reply and { ok = true, text = reply.text, finish = reply.finish_reason_raw }
    or { ok = false, error = err.kind .. ": " .. err.message })
end
local status = io.open "/proc/self/status":read "a"
print(llm.json.encode { outcomes = outcomes, peak = tonumber(status:match "VmHWM:%s+(%d+)") * 1024 })
