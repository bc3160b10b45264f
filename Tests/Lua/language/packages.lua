-- package and require: as in stock Lua.
--: as = lua5.4
--: native = true
print(package == require "package", package.loaded == debug and 1, package.loaded._G == _G, package.config)
for _, name in ipairs { "string", "table", "io", "os", "math", "utf8", "coroutine", "debug" } do
  assert(require(name) == _G[name] and package.loaded[name] == _G[name])
end
print(#package.searchers, package.searchpath("a.b", "./?.x;/nowhere/?"))
print(package.searchpath("a-b", "?", "-", "+"))

package.preload.early = function(...) return { ... } end
local early, place = require "early"
print(early[1], early[2], place, require "early" == early)
package.preload.silent = function() end
print(require "silent", package.loaded.silent)
package.preload.writes = function(name) package.loaded[name] = "own" end
print(require "writes")
package.loaded.writes = nil
package.preload.writes = nil
print((pcall(require, "writes")))

table.insert(package.searchers, 1, function(name)
  if name == "found" then return function(...) return select("#", ...) end, "here" end
  return "\n\tnot in the first searcher"
end)
print(require "found") print(require "found")
package.searchers = { package.searchers[1], package.searchers[2] }
package.searchers = nil
print((pcall(require, "anything")))
