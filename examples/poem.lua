-- A poem, as it is written: first the model's reasoning, then the text, token by token, then what it cost.
--
--   moonrill run --mock examples/poem.lua                     no key, no network
--   DEEPSEEK_API_KEY=... moonrill run -m deepseek-reasoner examples/poem.lua
local llm = require "llm"

local client = llm.client {}
local prompt = arg[1] or "写一首关于月亮的短诗"

local part  -- "reasoning", then "text"

local function show(name, style)
  return function(text)
    if part ~= name then io.write(part and "\27[0m\n\n" or "", style) end
    part = name
    io.write(text)
  end
end

local reply = assert(client:ask(prompt, {
  on_reasoning = show("reasoning", "\27[2m"),  -- dimmed
  on_token = show("text", ""),
}))

local usage = reply.usage or {}
print(string.format("\n\n%s: %d tokens in, %d out (%d of them reasoning), first after %.2f s, %.2f s in all",
  reply.model, usage.input_tokens or 0, usage.output_tokens or 0, usage.reasoning_tokens or 0,
  reply.timing.first_token, reply.timing.total))
