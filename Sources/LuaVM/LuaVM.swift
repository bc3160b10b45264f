// LuaVM
