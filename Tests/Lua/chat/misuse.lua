-- Wrong arguments of client:chat and its methods fail at the line of the script, before a request is sent.
local llm = require "llm"
local simulator = require "simulator"
local client = simulator.client()

--# wrong arguments
--: each_line = true
--: requests = 0
client:chat { sytem = 'x' } --! client:chat: unknown option 'sytem' (did you mean 'system'?)
client:chat { temperature = 'hot' } --! client:chat: option 'temperature' must be a number
client:chat { messages = 'hi' } --! client:chat: option 'messages' must be a table
client:chat { messages = { role = 'user', content = 'x' } } --! messages must be an array of messages
client:chat { messages = { { role = 'usr', content = 'x' } } } --! message 1: unknown role "usr"
client:chat { messages = { { role = 'user', content = 5 } } } --! message 1: content must be a string
client:chat { load = 5 } --! option 'load' must be a string, not 5
client:chat('be brief') --! client:chat takes a table of options, not "be brief"
client:chat { timeout = { idel = 5 } } --! did you mean 'idle'?
client:chat { tools = { llm.tool { name = 'x', run = print } }, schema = { a = 'text' } } --! schema.a must be
client:chat { api_key = 'sk-1' } --! key_env
client:chat {}:send() --! chat:send takes a string, a message or an array of parts, not nil
client:chat {}:send(5) --! chat:send takes a string, a message or an array of parts, not 5
client:chat {}:send({}) --! chat:send takes a string, a message or an array of parts, not a table
client:chat {}:send('x', 'y') --! chat:send takes a table of options, not "y"
client:chat {}:send('x', { temprature = 1 }) --! chat:send: unknown option 'temprature'
client:chat {}:send { role = 'usr', content = 'x' } --! chat:send: message 1: unknown role "usr"
client:chat {}:save() --! chat:save takes a file's name, not nil
client:chat {}:save({}) --! chat:save takes a file's name, not a table
client:chat {}:load() --! chat:load takes a file's name, not nil
client:chat {}:trim() --! chat:trim takes a table of options, not nil
client:chat {}:trim {} --! chat:trim needs max_tokens
client:chat {}.fork() --! chat:fork is a method
client:chat {}.messages() --! chat:messages is a method
