-- Luacheck, as scripts/check runs it over the modules and the examples.
std = "lua54"
max_line_length = false
self = false
-- `_ENV` keeps modules from reading globals, all modules have the same parameters, a variable marked <close> is used by
-- leaving its scope, and `not (x > 0)` holds for NaN too.
ignore = { "211/_ENV", "211/llm", "211/guard", "581" }
files["**/require.lua"] = { globals = { "require", "package" } }
files["**/tape.lua"] = { globals = { "os", "math", "pairs" } }
