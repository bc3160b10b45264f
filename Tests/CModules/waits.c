// A C module that calls back, in the two ways in which a module can.

#include <lauxlib.h>
#include <lua.h>

static int call(lua_State *L) {
    lua_call(L, lua_gettop(L) - 1, 1);
    return 1;
}

static int resume(lua_State *L) {
    int results;
    lua_State *co = lua_newthread(L);
    lua_pushvalue(L, 1);
    lua_xmove(L, co, 1);
    int status = lua_resume(co, L, 0, &results);
    lua_pushinteger(L, status);
    lua_xmove(co, L, 1);
    return 2;
}

int luaopen_waits(lua_State *L) {
    static const luaL_Reg functions[] = {{"call", call}, {"resume", resume}, {NULL, NULL}};
    luaL_newlib(L, functions);
    return 1;
}
