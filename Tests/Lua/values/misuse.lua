-- Wrong arguments fail at the line of the script, before a request is sent.
local llm = require "llm"
local client = require "simulator".client()

--# wrong arguments
--: each_line = true
--: requests = 0
--! @here: in main chunk
llm.client { modell = 'x' } --! llm.client: unknown option 'modell' (did you mean 'model'?)
llm.client { provider = 'depseek' } --! unknown provider "depseek" (did you mean "deepseek"?)
llm.client { provider = 'qqqqqqqq' } --! unknown provider "qqqqqqqq"; moonrill providers lists them
llm.client { dialect = 'opnai' } --! unknown dialect "opnai" (did you mean "openai"?)
llm.client { model = 5 } --! option 'model' must be a string, not 5
llm.client 'x' --! llm.client takes a table of options, not "x"
llm.client { 'x' } --! options are named
llm.client { base_url = 'ftp://x/' } --! llm.client: base_url must begin with http:// or https://
llm.client { base_url = 'nonsense' } --! llm.client: 
llm.client { headers = { ['X-A'] = 'a\r\nB: c' } } --! llm.client: headers: 
--! X-A
llm.client { headers = { ['X-A\r\nB'] = 'a' } } --! llm.client: headers: 
llm.client { headers = { ['X-A'] = 5 } } --! headers: the value of 'X-A' must be a string, not a number
llm.client { timeout = { frist = 1 } } --! llm.client: timeout: unknown option 'frist' (did you mean 'first'?)
llm.client { timeout = 0 } --! option 'total' must be a number of seconds above 0, not 0
llm.client { timeout = 'x' } --! llm.client: timeout
llm.client { retry = { maximum = 1 } } --! retry: unknown option 'maximum'
llm.client { retry = { max = -1 } } --! option 'max' must be an integer of 0 or more, not -1
llm.client { retry = { after_output = 'restrat' } } --! retry.after_output must be "fail", "restart", "continue" or "auto"
--! did you mean "restart"?
client:ask('x', { on_tokne = print }) --! client:ask: unknown option 'on_tokne' (did you mean 'on_token'?)
client:ask('x', { on_token = 'print' }) --! option 'on_token' must be a function, not "print"
client:ask('x', { temprature = 1 }) --! did you mean 'temperature'?
--! params = {...}
client:ask('x', { temperature = 'hot' }) --! option 'temperature' must be a number
client:ask('x', { response_format = 5 }) --! option 'response_format' must be "json" or a table, not 5
client:ask('x', { coalesce = -1 }) --! option 'coalesce' must be a number of seconds
client:ask() --! client:ask: the prompt must be a string or an array of messages, not nil
client:ask({}) --! client:ask: the array of messages is empty
client:ask({ 'x' }) --! client:ask: message 1 must be a table
client:ask({ { role = 'usr', content = 'x' } }) --! message 1: unknown role "usr" (did you mean 'user'?)
client:ask({ { role = 'user', content = 5 } }) --! message 1: content must be a string
client.ask('x') --! client:ask is a method: write client:ask(...)
client:start('x', { on_end = print }) --! client:start: unknown option 'on_end'
client:stream('x', { on_end = print }) --! client:stream: unknown option 'on_end'
client:ask({ content = 'x' }) --! the prompt must be an array of messages; there is a value at "content"
client:ask({ { type = 'text', text = 'x' } }) --! message 1 is a part: parts go into the content of a message
llm.client { api_key = 'sk-1' } --! unknown option 'api_key'
--! key_env = "NAME"
client:ask('x', { token = 'sk-1' }) --! unknown option 'token'
--! key_env = "NAME"
llm.utf8(5) --! llm.utf8 takes a string, not 5
client:ask('x', { params = { f = print } }) --! params.f: a function cannot be written as JSON
llm.sleep('x') --! llm.sleep takes a number of seconds of 0 or more, not "x"
llm.sleep(-1) --! llm.sleep takes a number
llm.json.encode({}, { prety = true }) --! llm.json.encode: unknown option 'prety' (did you mean 'pretty'?)
llm.json.decode(5) --! llm.json.decode takes a string, not a number
require(5) --! require takes the name of a module
