-- Providers that a script defines, keys, and what a script can read of its host.
local llm = require "llm"

--# a script defines a provider
--: env = MINE_KEY=sk-marked
llm.provider { name = "mine", title = "Mine", base_url = "https://llm.example/v1", key_env = "MINE_KEY",
  model = "m-1", quirks = { usage = "none" } }
for _, p in ipairs(llm.providers()) do
  if p.name == "mine" then print(p.title, p.dialect, #p.dialects, p.base_url, p.key_env, p.model, p.has_key) end
end
--> Mine openai 1 https://llm.example/v1 MINE_KEY m-1 false
local c = llm.client { provider = "mine" }
print(c.provider, c.model) --> mine m-1
print(c:ask("hi").provider) --> mine
print(os.getenv("MINE_KEY")) --> nil
-- The quirk reached the wire.
print(require("host").request(1).body.stream_options) --> nil

--# wrong definitions and unknown providers
--: each_line = true
--: provider = none
llm.provider { name = "a", base_url = "https://a.example", qirks = {} } --! did you mean 'quirks'?
llm.provider { name = "a" } --! base_url is missing
llm.client { provider = "mistral", dialect = "gemmini" } --! unknown dialect "gemmini"
llm.client { provider = "mistrl" } --! did you mean "mistral"?

--# keys are hidden from scripts
--: key = DEEPSEEK_API_KEY=sk-secret-1
--: key = MY_OWN_KEY=sk-secret-2
--: env = PLAIN=plain
print(os.getenv("DEEPSEEK_API_KEY"), os.getenv("MY_OWN_KEY"), os.getenv("PLAIN"), os.getenv("UNSET"))
--> nil sk-secret-2 plain nil
llm.client { base_url = "http://127.0.0.1:1/v1", model = "m", key_env = "MY_OWN_KEY" }
print(os.getenv("MY_OWN_KEY")) --> nil
for _, p in ipairs(llm.providers()) do if p.name == "deepseek" then print(p.has_key, p.key_env) end end
--> true DEEPSEEK_API_KEY
print(#llm.providers() > 10, llm.version:match("^%d") ~= nil) --> true true
