-- Streams a poem: first the reasoning, then the text, token by token, then the token counts.
--
--   moonrill run --mock examples/poem.lua                     no key, no network
--   DEEPSEEK_API_KEY=... moonrill run -m deepseek-reasoner examples/poem.lua
local llm = require "llm"

local client = llm.client {}
local prompt = arg[1] or "写一首关于月亮的短诗"

local dim, plain = "\27[2m", "\27[0m"
if os.getenv "NO_COLOR" then dim, plain = "", "" end

local part  -- "reasoning", then "text"

local function show(name, style)
  return function(text)
    if part ~= name then io.write(part and plain .. "\n\n" or "", style) end
    part = name
    io.write(text)
  end
end

local reply, err = client:ask(prompt, {
  on_reasoning = show("reasoning", dim),
  on_token = show("text", ""),
})
if part == "reasoning" then io.write(plain) end  -- a terminal would stay dim
print()
assert(reply, err)

local usage = reply.usage or {}  -- a count that the provider did not report is nil
print(string.format("\n%s: %s tokens in, %s out (%s of them reasoning), first after %.2f s, %.2f s in all",
  reply.model, usage.input_tokens or "?", usage.output_tokens or "?", usage.reasoning_tokens or "?",
  reply.timing.first_token or reply.timing.total, reply.timing.total))
