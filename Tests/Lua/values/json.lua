-- llm.json and llm.utf8.
local llm = require "llm"
local simulator = require "simulator"
local client = simulator.client()

--# decoded text encodes to the same text
for _, text in ipairs { "[]", "{}", "[null,1]", '{"a":null}', "9223372036854775807", "-9223372036854775808",
  "1.5", "1.0", [["\u0000\n\"\\é中😀"]], "true", "[[],{},[[]]]", "1e2", "9007199254740993" } do
  print(llm.json.encode(assert(llm.json.decode(text))))
end
--> []
--> {}
--> [null,1]
--> {"a":null}
--> 9223372036854775807
--> -9223372036854775808
--> 1.5
--> 1.0
--> "\u0000\n\"\\é中😀"
--> true
--> [[],{},[[]]]
--> 100.0
--> 9007199254740993

--# an empty table is an object, llm.json.array {} an array
print(llm.json.encode {}) --> {}
print(llm.json.encode(llm.json.array {})) --> []

--# integers stay integers
for _, text in ipairs { "3", "3.0", "18446744073709551616", "-0" } do print(math.type(llm.json.decode(text))) end
--> integer
--> float
--> float
--> integer

--# null is a value of its own
local v = llm.json.decode('{"a":null}')
print(v.a) --> null
print(v.a == llm.json.null) --> true
print(v.a == nil) --> false
print(llm.json.encode(nil)) --> null
print(llm.json.encode(llm.json.null)) --> null

--# members are sorted
print(llm.json.encode { b = 2, c = { y = 2, x = 1 }, a = 1 }) --> {"a":1,"b":2,"c":{"x":1,"y":2}}

--# replies, errors and their parts can be encoded
local reply = client:ask("a")
local decoded = llm.json.decode(llm.json.encode(reply))
print(decoded.text) --> tok1 tok2 tok3\s
print(llm.json.decode(llm.json.encode(reply.usage)).output_tokens) --> 3
local _, err = llm.flow.timeout(0.01, function() llm.sleep(60) end)()
print(llm.json.decode(llm.json.encode(err)).kind) --> timeout
local _, errors = llm.flow.map({ "x" }, function() return nil, "bad" end, { keep_going = true })
print(llm.json.encode(errors)) --> ["bad"]

--# clients and other handles cannot be encoded
print(pcall(function() return llm.json.encode { c = client } end))
--> false ...: value.c: an llm.client cannot be written as JSON

--# pretty
print(llm.json.encode({ a = { 1, 2 } }, { pretty = true }))
--> {
-->   "a": [
-->     1,
-->     2
-->   ]
--> }

--# lone surrogates are replaced
print(llm.json.encode(llm.json.decode('"\\ud83d"'))) --> "�"
print(llm.json.encode(llm.json.decode('"\\ud83d\\ude00"'))) --> "😀"

--# llm works after a script has overwritten the globals
local names, globals, unset, show = {}, _G, rawset, print
for name in pairs(globals) do names[#names + 1] = name end
for _, library in ipairs { table, math, string } do
  for name in pairs(library) do library[name] = function() error("not the original") end end
end
for _, name in ipairs(names) do unset(globals, name, nil) end
local replies = llm.flow.map({ "a", "b" }, function(text) return client:ask(text) end)
show(#replies) --> 2
local tool = llm.tool { name = "look", parameters = { word = "string" }, run = function() return {} end }
local limit, red = llm.limit { concurrent = 1 }, "\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1"
local chat = client:chat { tools = { tool }, limit = limit }
show(llm.budget { tokens = 1000, usd = 1 }(function()
  return chat:send({ { type = "image", data = red } }).text
end)) --> tok1 tok2 tok3\s
show(chat:fork():send("and again").text) --> tok1 tok2 tok3\s

--# text that is no JSON
for _, text in ipairs { "", "{", "[1,]", "{'a':1}" } do
  local value, message = llm.json.decode(text)
  print(value, (message:match("^invalid JSON")))
end
--> nil invalid JSON
--> nil invalid JSON
--> nil invalid JSON
--> nil invalid JSON

--# decode refuses what JSON cannot hold
for _, text in ipairs { "[NaN]", '{"a": -Infinity}', "1e400", "[-1e309]", '["caf\xe9"]' } do
  print(llm.json.decode(text))
end
--> nil invalid JSON: JSON has no NaN at byte 2
--> nil invalid JSON: JSON has no -Infinity at byte 7
--> nil invalid JSON: number out of range at byte 1
--> nil invalid JSON: number out of range at byte 2
--> nil invalid JSON: not UTF-8 at byte 6; llm.utf8 repairs it
print(math.type(llm.json.decode("18446744073709551615")), llm.json.decode("18446744073709551615"))
--> float 1.844674407371e+19
print(llm.json.decode('"\\ud800"') == "\u{FFFD}") --> true
print(llm.json.decode("\u{FEFF}1")) --> 1

--# llm.utf8 repairs text and counts the repairs
print(llm.utf8("caf\xe9")) --> caf� 1
print(llm.utf8("ok")) --> ok 0
print(llm.utf8("\xf0\x9f\x98A")) --> �A 3

--# an error of encode names the path
local function fails(value)
  local ok, message = pcall(llm.json.encode, value) --@ encode
  assert(not ok)
  print(message)
end
fails({ a = { 1, { f = print } } }) --> @encode: value.a[2].f: a function cannot be written as JSON
fails({ x = 0/0 }) --> @encode: value.x: JSON has no NaN
fails({ 1/0 }) --> @encode: value[1]: JSON has no infinity
fails({ s = "ab\xff" }) --> @encode: value.s: not UTF-8 at byte 3; llm.utf8 repairs it
fails({ 1, 2, x = 3 }) --> ...not both...
fails({ [true] = 1 }) --> ...is no string...
local t = {} t.t = t
fails(t) --> ...does one hold itself...
