// Headers of Lua 5.4. CLuaShim restates the macros that Swift cannot import.
#include <lua.h>
#include <lualib.h>
#include <lauxlib.h>
