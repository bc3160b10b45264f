-- llm.prices: US dollars for a million tokens, by model, with source and date. A script adds or overrides one with
-- llm.prices["model"] = { input = 1, output = 2 }. Loaded on first use.
local _, _, _, _ENV = ...
local OPENAI = { date = "2025-11", source = "https://openai.com/api/pricing" }
-- Tokens written to the cache for five minutes, the default, cost a quarter more.
local ANTHROPIC = { date = "2025-11", source = "https://www.anthropic.com/pricing", cache_write = 1.25 }
local GOOGLE = { date = "2025-11", source = "https://ai.google.dev/gemini-api/docs/pricing" }
local DEEPSEEK = { date = "2025-11", source = "https://api-docs.deepseek.com/quick_start/pricing" }
local CLAUDE = { date = "2026-05", source = "https://platform.claude.com/docs/en/about-claude/pricing", cache_write = 1.25 }
local XAI = { date = "2026-09", source = "https://docs.x.ai/developers/models" }
local GROQ = { date = "2026-05", source = "https://groq.com/pricing" }
local OFFLINE = { date = "2025-11", source = "made up, for trying budgets with --mock" }

local known = {}
local function price(source, model, input, output, cached_input)
  known[model] = {
    input = input, output = output, cached_input = cached_input, cache_write = source.cache_write and source.cache_write * input,
    date = source.date, source = source.source,
  }
end

price(OPENAI, "gpt-5", 1.25, 10, 0.125)
price(OPENAI, "gpt-5-mini", 0.25, 2, 0.025)
price(OPENAI, "gpt-5-nano", 0.05, 0.4, 0.005)
price(OPENAI, "gpt-4.1", 2, 8, 0.5)
price(OPENAI, "gpt-4.1-mini", 0.4, 1.6, 0.1)
price(OPENAI, "gpt-4.1-nano", 0.1, 0.4, 0.025)
price(OPENAI, "gpt-4o", 2.5, 10, 1.25)
price(OPENAI, "gpt-4o-mini", 0.15, 0.6, 0.075)
price(OPENAI, "o3", 2, 8, 0.5)
price(OPENAI, "o4-mini", 1.1, 4.4, 0.275)
price(ANTHROPIC, "claude-opus-4-5", 5, 25, 0.5)
price(ANTHROPIC, "claude-opus-4-1", 15, 75, 1.5)
price(CLAUDE, "claude-sonnet-4-6", 3, 15, 0.3)
price(ANTHROPIC, "claude-sonnet-4-5", 3, 15, 0.3)
price(ANTHROPIC, "claude-sonnet-4", 3, 15, 0.3)
price(ANTHROPIC, "claude-haiku-4-5", 1, 5, 0.1)
price(GOOGLE, "gemini-2.5-pro", 1.25, 10, 0.125)
price(GOOGLE, "gemini-2.5-flash", 0.3, 2.5, 0.03)
price(GOOGLE, "gemini-2.5-flash-lite", 0.1, 0.4, 0.01)
price(DEEPSEEK, "deepseek-chat", 0.28, 0.42, 0.028)
price(DEEPSEEK, "deepseek-reasoner", 0.28, 0.42, 0.028)
price(XAI, "grok-4-1-fast-non-reasoning", 0.2, 0.5, 0.05)
price(XAI, "grok-4-1-fast-reasoning", 0.2, 0.5, 0.05)
price(GROQ, "llama-3.3-70b-versatile", 0.59, 0.79)
price(OFFLINE, "moonrill-chat", 1, 2)
price(OFFLINE, "moonrill-reasoner", 1, 4)
price(OFFLINE, "moonrill-r1", 1, 4)

-- A dated name ("gpt-4o-2024-11-20", "claude-haiku-4-5-20251001") has the price of its model.
return setmetatable({}, {
  __index = function(_, model)
    if type(model) ~= "string" then return nil end
    return known[model] or known[string.gsub(model, "%-20%d%d%-?%d%d%-?%d%d$", "")]
  end,
})
