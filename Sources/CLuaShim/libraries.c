// The standard libraries a script may use, pruned to what cannot break the host: no binary chunks (crafted bytecode
// corrupts memory), no C modules, of `debug` only what reads. `require`, `os.exit` and `os.getenv` are the host's.

#include "vm.h"

#include <string.h>

// load(chunk, name, mode, env) with mode pinned to text. Written over the original so that its reader protocol and
// error values stay Lua's own.
static int text_load(lua_State *L) {
    int given = lua_gettop(L);
    if (given < 3) lua_settop(L, 3);
    lua_pushliteral(L, "t");
    lua_replace(L, 3);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
    return lua_gettop(L);
}

// loadfile(name, mode, env), text only.
static int text_loadfile(lua_State *L) {
    const char *name = luaL_optstring(L, 1, NULL);
    int has_environment = !lua_isnone(L, 3);
    if (luaL_loadfilex(L, name, "t") != LUA_OK) {
        luaL_pushfail(L);
        lua_insert(L, -2);
        return 2;
    }
    if (has_environment) {
        lua_pushvalue(L, 3);
        if (!lua_setupvalue(L, -2, 1)) lua_pop(L, 1);
    }
    return 1;
}

static int continue_dofile(lua_State *L, int status, lua_KContext context) {
    (void)status;
    (void)context;
    return lua_gettop(L) - 1;
}

static int text_dofile(lua_State *L) {
    const char *name = luaL_optstring(L, 1, NULL);
    lua_settop(L, 1);
    if (luaL_loadfilex(L, name, "t") != LUA_OK) return lua_error(L);
    lua_callk(L, 0, LUA_MULTRET, 0, continue_dofile);
    return continue_dofile(L, 0, 0);
}

static void keep_only(lua_State *L, const char *const *names) {
    lua_newtable(L);
    for (; *names != NULL; names++) {
        lua_getfield(L, -2, *names);
        lua_setfield(L, -2, *names);
    }
    lua_remove(L, -2);
}

static int open_all(lua_State *L) {
    static const luaL_Reg libraries[] = {
        {LUA_GNAME, luaopen_base},          {LUA_TABLIBNAME, luaopen_table}, {LUA_IOLIBNAME, luaopen_io},
        {LUA_OSLIBNAME, luaopen_os},        {LUA_STRLIBNAME, luaopen_string}, {LUA_MATHLIBNAME, luaopen_math},
        {LUA_UTF8LIBNAME, luaopen_utf8},    {NULL, NULL},
    };
    static const char *const debug_kept[] = {"traceback", "getinfo", NULL};
    for (const luaL_Reg *library = libraries; library->func != NULL; library++) {
        luaL_requiref(L, library->name, library->func, 1);
        lua_pop(L, 1);
    }
    mr_open_coroutine(L);
    lua_pop(L, 1);
    luaL_requiref(L, LUA_DBLIBNAME, luaopen_debug, 0);
    keep_only(L, debug_kept);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    lua_pushvalue(L, -2);
    lua_setfield(L, -2, LUA_DBLIBNAME);
    lua_pop(L, 1);
    lua_setglobal(L, LUA_DBLIBNAME);
    lua_getglobal(L, "load");
    lua_pushcclosure(L, text_load, 1);
    lua_setglobal(L, "load");
    lua_register(L, "loadfile", text_loadfile);
    lua_register(L, "dofile", text_dofile);
    return 0;
}

int mr_vm_open_libraries(mr_vm *vm) {
    lua_pushcfunction(vm->main, open_all);
    return mr_call(vm, vm->main, 0, 0, 0);
}
