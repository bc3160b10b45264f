-- A tool that searches text files: the model calls it with a word, the script returns the lines, and the model answers.
--
--   moonrill run --mock examples/search_files.lua
--   moonrill run examples/search_files.lua "How do I stop a stream?" README.md docs/*.md
local llm = require "llm"

local question = arg[1] or "Use search: which lines of the README speak of the moon?"
local files = { table.unpack(arg, 2) }
if #files == 0 then files = { "README.md" } end

local search = llm.tool {
  name = "search",
  description = "Finds the lines of the user's files that have a word in them.",
  parameters = { word = "string" },
  run = function(arguments)
    local found, word = {}, arguments.word:lower()
    for _, file in ipairs(files) do
      local number = 0
      for line in io.lines(file) do
        number = number + 1
        if line:lower():find(word, 1, true) then found[#found + 1] = file .. ":" .. number .. ": " .. line end
        if #found == 20 then return table.concat(found, "\n") end  -- enough for a model
      end
    end
    if #found == 0 then return "nothing found" end
    return table.concat(found, "\n")
  end,
}

local client = llm.client { system = "Search before you answer, and name the lines that you rely on." }
assert(client:ask(question, {
  tools = { search },
  on_tool_call = function(call) print("searching for " .. call.arguments.word) end,
  on_token = io.write,
}))
print()
