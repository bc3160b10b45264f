-- llm.jsonl: reading and writing files of JSON lines.
local llm = require "llm"
local host = require "host"
local path = host.folder() .. "/rows.jsonl"
local function put(text, mode)
  local file = assert(io.open(path, mode or "wb"))
  file:write(text)
  file:close()
end
local function content()
  local file <close> = assert(io.open(path, "rb"))
  return (file:read("a"):gsub("\n", "|"))
end
-- The message of what fn raises, without the folder of the case.
local function problem(fn, ...)
  local ok, err = pcall(fn, ...)
  local text = tostring(err):gsub(host.folder():gsub("%p", "%%%0") .. "/", "")
  return ok and "no error" or (type(err) == "table" and err.kind .. ": " or "") .. text
end

--# the loop gets each value and the number of its line
put('{"id":1}\n\n[2]\r\n  \t\n"three"\nnull\nfalse\n')
for value, line in llm.jsonl.read(path) do print(line, llm.json.encode(value)) end
--> 1 {"id":1}
--> 3 [2]
--> 5 "three"
--> 6 null
--> 7 false

--# an empty file has no values
put("")
for value in llm.jsonl.read(path) do print(value) end
put("\n\n")
for value in llm.jsonl.read(path) do print(value) end
print("none") --> none

--# a byte order mark is skipped
put('\xEF\xBB\xBF{"id":1}\n{"id":2}\n')
for value, line in llm.jsonl.read(path) do print(line, value.id) end
--> 1 1
--> 2 2
put("\xEF\xBB\xBF\n7\n")
for value, line in llm.jsonl.read(path) do print(line, value) end --> 2 7

--# a last line without a line feed counts if it is JSON
put('1\n{"id":2}')
for value, line in llm.jsonl.read(path) do print(line, llm.json.encode(value)) end
--> 1 1
--> 2 {"id":2}

--# a last line that is cut off is skipped with a warning
--: log = rows.jsonl:2: the last line is cut off, and was skipped
put('{"id":1}\n{"id":2,"text":"ab')
for value, line in llm.jsonl.read(path) do print(line, value.id) end --> 1 1

--# a bad line is an error with its place
put('1\n\n{"id":}\n4\n')
print(problem(function() for value in llm.jsonl.read(path) do print(value) end end))
--> 1
--> jsonl.lua:58: rows.jsonl:3: invalid JSON: ...

--# bytes that are not UTF-8 are a bad line
put('1\n"\xff"\n')
local next_row = llm.jsonl.read(path)
print(next_row()) --> 1 1
print(problem(next_row)) --> ...rows.jsonl:2: invalid JSON: not UTF-8...

--# a missing file is an error with the path and the fix
llm.jsonl.read("nowhere/rows.jsonl") --! llm.jsonl.read: nowhere/rows.jsonl: No such file or directory; correct the path, which is relative to the working directory

--# a missing file with a whole path
llm.jsonl.read("/nowhere/rows.jsonl") --! llm.jsonl.read: /nowhere/rows.jsonl: No such file or directory; correct the path

--# a folder is no file
print(problem(llm.jsonl.read(host.folder()))) --> ...: Is a directory

--# long lines and many lines are read whole
local long = string.rep("x", 200000)
local lines = {}
for i = 1, 20000 do lines[i] = '{"id":' .. i .. "}" end
put('"' .. long .. '"\n' .. table.concat(lines, "\n") .. '\n"' .. long .. '"\n')
local sum, whole = 0, 0
for value, line in llm.jsonl.read(path) do
  if value == long then whole = whole + 1 else sum = sum + value.id - line + 1 end
end
print(sum, whole) --> 0 2

--# a reader that has ended, or whose loop was left, gives nothing more
put("1\n2\n")
local next_row, _, _, handle = llm.jsonl.read(path)
for value in next_row, nil, nil, handle do print(value) break end --> 1
print(select("#", next_row())) --> 0
next_row = llm.jsonl.read(path)
print(next_row()) --> 1 1
print(next_row()) --> 2 2
print(select("#", next_row()), select("#", next_row())) --> 0 0

--# a writer appends one line a row
local writer = llm.jsonl.writer { path = path }
print(writer:write { id = 1, text = "a\nb" }, writer:write { 1, 2 }, writer:write("x"), writer:write { id = 1 })
--> true true true true
print(tostring(writer) == "writer (" .. path .. ")") --> true
writer:close()
writer:close()
print(content()) --> {"id":1,"text":"a\nb"}|[1,2]|"x"|{"id":1}|
local writer <close> = llm.jsonl.writer { path = path }
writer:write(2)
print(content()) --> {"id":1,"text":"a\nb"}|[1,2]|"x"|{"id":1}|2|

--# each key is written once, also after a restart
local writer = llm.jsonl.writer { path = path, key = "id" }
print(writer:write { id = "a" }, writer:write { id = "b" }, writer:write { id = "a", more = 1 }) --> true true false
print(writer:has("a"), writer:has("c")) --> true false
writer:close()
writer = llm.jsonl.writer { path = path, key = "id" }
print(writer:has("a"), writer:write { id = "b" }, writer:write { id = "c" }) --> true false true
print(content()) --> {"id":"a"}|{"id":"b"}|{"id":"c"}|

--# equal numbers are one key, numbers and strings are not
local writer = llm.jsonl.writer { path = path, key = "id" }
print(writer:write { id = 1 }, writer:write { id = 1.0 }, writer:write { id = "1" }, writer:write { id = -1 })
--> true false true true
print(writer:has(1.0), writer:has("1"), writer:has(2)) --> true true false
writer:close()
put('{"id":2.0}\n', "ab")
writer = llm.jsonl.writer { path = path, key = "id" }
print(writer:write { id = 2 }, writer:write { id = 1.0 }) --> false false

--# strings are one key if their bytes are equal
local writer = llm.jsonl.writer { path = path, key = "id" }
print(writer:write { id = "\u{e9}" }, writer:write { id = "e\u{301}" }, writer:write { id = "" }) --> true true true
print(writer:has("\u{e9}"), writer:has(""), writer:has("e")) --> true true false

--# several members make a key
local writer = llm.jsonl.writer { path = path, key = { "run", "id" } }
print(writer:write { run = "a", id = 1 }, writer:write { run = "a", id = 2 }, writer:write { id = 1, run = "a" })
--> true true false
print(writer:write { run = 'a",1', id = 1 }, writer:write { run = "a", id = '1,1' }) --> true true
print(writer:has("a", 1), writer:has("a", 3)) --> true false
print(problem(writer.has, writer, "a")) --> jsonl.lua:16: writer:has: the key is "run", "id", 2 values, not 1
print(problem(writer.write, writer, { run = "a" })) --> jsonl.lua:16: writer:write: the row has no member "id", and its key is "run", "id"

--# a row needs its key
local writer = llm.jsonl.writer { path = path, key = "id" }
print(problem(writer.write, writer, { name = "a" })) --> jsonl.lua:16: writer:write: the row has no member "id", and its key is "id"
print(problem(writer.write, writer, { id = 1.5 })) --> jsonl.lua:16: writer:write: the key "id" must be a string or an integer, not 1.5
print(problem(writer.write, writer, { id = true })) --> jsonl.lua:16: writer:write: the key "id" must be a string or an integer, not true
print(problem(writer.write, writer, { id = llm.json.null })) --> ...not null
print(problem(writer.write, writer, { id = { 1 } })) --> ...not a table
print(problem(writer.write, writer, { 1, 2 })) --> jsonl.lua:16: writer:write: the row is no table with names; its key is "id"
print(problem(writer.write, writer, { id = 1, fn = print })) --> jsonl.lua:16: writer:write: row.fn: a function cannot be written as JSON
print(content() == "") --> true

--# a last line that was cut off is removed when a writer opens the file
--: log = rows.jsonl:2: the last line was cut off, and is removed
put('{"id":1}\n{"id":2,"te')
local writer = llm.jsonl.writer { path = path, key = "id" }
print(content(), writer:has(1), writer:has(2)) --> {"id":1}| true false
print(writer:write { id = 2 }) --> true
print(content()) --> {"id":1}|{"id":2}|

--# so it is without a key
--: log = rows.jsonl:1: the last line was cut off, and is removed
put('{"id":')
local writer = llm.jsonl.writer { path = path }
print(content() == "", writer:write(1)) --> true true
print(content()) --> 1|

--# a last line that only lacks its line feed gets it
put('{"id":1}\n{"id":2}')
local writer = llm.jsonl.writer { path = path, key = "id" }
print(content(), writer:has(2), writer:write { id = 3 }) --> {"id":1}|{"id":2}| true true
print(content()) --> {"id":1}|{"id":2}|{"id":3}|

--# a bad line in the middle is an error of a writer with a key
put('{"id":1}\n{"id":\n{"id":3}\n')
print(problem(llm.jsonl.writer, { path = path, key = "id" }))
--> journal: rows.jsonl:2: invalid JSON: ...; correct or remove the line
print(content()) --> {"id":1}|{"id":|{"id":3}|
llm.jsonl.writer { path = path }:close()

--# rows of the file need the key
put('{"id":1}\n{"name":"a"}\n')
print(problem(llm.jsonl.writer, { path = path, key = "id" }))
--> journal: rows.jsonl:2: the row has no member "id", and its key is "id"; correct the key, or write to another file

--# a file has one writer
local writer = llm.jsonl.writer { path = path }
print(problem(llm.jsonl.writer, { path = path }))
--> journal: rows.jsonl: another process, or another writer of this script, writes to it; one writer serves all tasks
for value in llm.jsonl.read(path) do print(value) end
writer:close()
local writer <close> = llm.jsonl.writer { path = path }
print(writer:write(1)) --> true

--# a writer that is garbage gives up its file, and so does one that goes out of scope
do local writer <close> = llm.jsonl.writer { path = path } end
do llm.jsonl.writer { path = path } end
collectgarbage() collectgarbage()
print(llm.jsonl.writer { path = path }:write(1)) --> true

--# a writer that cannot open its file says why
print(problem(llm.jsonl.writer, { path = "/nowhere/rows.jsonl" }))
--> journal: /nowhere/rows.jsonl: No such file or directory; make its folder first
print(problem(llm.jsonl.writer, { path = host.folder() })) --> journal: ...: Is a directory
print(problem(llm.jsonl.writer, { path = "/dev/null" })) --> journal: /dev/null: it is no regular file

--# concurrent tasks write no key twice
local writer <close> = llm.jsonl.writer { path = path, key = "id" }
local written = llm.flow.map({ 1, 2, 1, 3, 2, 1 }, function(id)
  llm.sleep(0)
  return writer:write { id = id } and 1 or 0
end)
local count = 0
for _, one in ipairs(written) do count = count + one end
local sum = 0
for row in llm.jsonl.read(path) do sum = sum + row.id end
print(count, sum) --> 3 6

--# a closed writer refuses rows
local writer = llm.jsonl.writer { path = path, key = "id" }
writer:close()
print(problem(writer.write, writer, { id = 1 })) --> jsonl.lua:16: writer:write: the writer is closed
print(problem(writer.has, writer, 1)) --> jsonl.lua:16: writer:has: the writer is closed

--# a reply is a row
local client = require("simulator").client()
local writer <close> = llm.jsonl.writer { path = path, key = "text" }
print(writer:write(client:ask("hi"))) --> true
for row in llm.jsonl.read(path) do print(row.text, row.finish_reason) end --> tok1 tok2 tok3  stop

--# misuse is raised with the line of the script
--: each_line = true
llm.jsonl.read() --! llm.jsonl.read takes the path of a file, not nil
llm.jsonl.writer() --! llm.jsonl.writer takes a table of options, not nil
llm.jsonl.writer {} --! llm.jsonl.writer needs the option 'path'
llm.jsonl.writer { path = path, keys = "id" } --! llm.jsonl.writer: unknown option 'keys' (did you mean 'key'?)
llm.jsonl.writer { path = path, key = 1 } --! option 'key' must be the name of a member or a list of names, not 1
llm.jsonl.writer { path = path, key = {} } --! option 'key' must be the name of a member or a list of names, not a table
llm.jsonl.writer { path = path, key = { "a", 2 } } --! option 'key' must be the name of a member or a list of names, not a table
llm.jsonl.writer { path = path, key = { "a", b = "c" } } --! option 'key' must be the name of a member or a list of names
llm.jsonl.writer { path = path }.write({ id = 1 }) --! writer:write is a method: write writer:write(...)
llm.jsonl.writer { path = path }:write() --! writer:write takes a row, not nil
llm.jsonl.writer { path = path }:has(1) --! writer:has: the writer has no key; write llm.jsonl.writer { path = ..., key = "id" }
llm.jsonl.write { path = path } --! did you mean
