// Lua 5.4's own headers, and nothing else. Macros that Swift cannot import are re-stated in CLuaShim.
#include <lua.h>
#include <lualib.h>
#include <lauxlib.h>
