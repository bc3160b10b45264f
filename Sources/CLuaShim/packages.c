// Opens stock `package` without reading the environment. require.lua replaces `require` and the searcher for Lua files, and
// asks the host for LUA_PATH.

#include "vm.h"

static int open_packages(lua_State *L) {
    lua_pushboolean(L, 1);
    lua_setfield(L, LUA_REGISTRYINDEX, "LUA_NOENV");
    luaL_requiref(L, LUA_LOADLIBNAME, luaopen_package, 1);
    lua_pushnil(L);
    lua_setfield(L, LUA_REGISTRYINDEX, "LUA_NOENV");
    return 0;
}

int mr_open_packages(mr_vm *vm) {
    lua_pushcfunction(vm->main, open_packages);
    return mr_call(vm, vm->main, 0, 0, 0);
}
