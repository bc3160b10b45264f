-- Reasoning in tags inside the text.
local llm = require "llm"
local simulator = require "simulator"
local host = require "host"
local TAGGED = "<think>\nmoon\n</think>\n\nlight"

-- Asks for a reply that arrives character by character, and prints what the callbacks receive and what the reply holds.
local function ask(options, client_options, text)
  local frames = {}
  for character in (text or TAGGED):gmatch(utf8.charpattern) do
    frames[#frames + 1] = llm.json.encode { choices = { { index = 0, delta = { content = character } } } }
  end
  frames[#frames + 1] = '{"choices":[{"finish_reason":"stop","delta":{}}]}'
  simulator.answer(frames)
  local all = { model = "m" }
  for name, value in pairs(client_options or { base_url = host.url() .. "/v1" }) do all[name] = value end
  if not all.provider then all.base_url = host.url() .. "/v1" end
  local seen = ""
  options.on_reasoning = function(t) seen = seen .. "r" .. t end
  options.on_token = function(t) seen = seen .. "t" .. t end
  local reply = assert(llm.client(all):ask("hi", options))
  print(seen)
  print(reply.reasoning .. "|" .. reply.text .. "|" .. reply.message.content)
end
local LONE = "moon\n</think>\n\nlight"
local function define()
  llm.provider { name = "mine", base_url = host.url() .. "/v1", key_env = false, quirks = { think_tags = "open" } }
end

--# text in think tags is reasoning
ask {}
--> rmrororntltitgthtt
--> moon|light|light

--# text before a lone closing tag is reasoning where the opening tag is in the prompt
--: each_line = true
--: provider = none
--> rmrororntltitgthtt
--> moon|light|light
ask({ think_tags = "open" }, nil, LONE)
ask({}, { think_tags = "open" }, LONE)
define() ask({}, { provider = "mine" }, LONE)
ask { think_tags = "open" }

--# think_tags of the request outweighs that of the client, and the client's that of the provider
--: each_line = true
--: provider = none
--> ta
--> |a|a
ask({ think_tags = true }, { think_tags = "open" }, "a")
define() ask({}, { provider = "mine", think_tags = false }, "a")

--# without a closing tag all of the text is reasoning
ask({ think_tags = "open" }, nil, "ab")
--> rarb
--> ab||

--# think_tags = false leaves the tags in the text
ask { think_tags = false }
--> t<ttthtitntkt>t
--> tmtototnt
--> t<t/ttthtitntkt>t
--> t
--> tltitgthtt
--> |<think>
--> moon
--> </think>
-->
--> light|<think>
--> moon
--> </think>
-->
--> light

--# another value of think_tags is misuse
--: each_line = true
--! true, false or "open"
llm.client { model = "m", think_tags = "opened" } --! think_tags
llm.client { model = "m" }:ask("hi", { think_tags = 1 }) --! think_tags
