// The `debug` library without hooks (used by the kill switch) and the registry (holds host objects). Variables of the host's
// chunks and of C functions are hidden: they hold primitives that trust their arguments.

#include "vm.h"

#include <string.h>

static lua_State *thread_argument(lua_State *L, int *shift) {
    *shift = lua_isthread(L, 1);
    return *shift ? lua_tothread(L, 1) : L;
}

// Whether the function at `index` is written in C or belongs to the host.
static bool is_closed_function(lua_State *L, int index) {
    if (lua_iscfunction(L, index)) return true;
    lua_Debug ar;
    lua_pushvalue(L, index);
    lua_getinfo(L, ">S", &ar);
    return mr_is_host_source(ar.source);
}

static int read_local(lua_State *L) {
    int shift;
    lua_State *of = thread_argument(L, &shift);
    int number = (int)luaL_checkinteger(L, shift + 2);
    if (lua_isfunction(L, shift + 1)) {
        lua_pushvalue(L, shift + 1);
        lua_pushstring(L, lua_getlocal(L, NULL, number));
        return 1;
    }
    lua_Debug frame;
    int level = (int)luaL_checkinteger(L, shift + 1);
    if (!lua_getstack(of, mr_script_level(L, of, level), &frame))
        return luaL_argerror(L, shift + 1, "level out of range");
    lua_getinfo(of, "S", &frame);
    bool is_closed = strcmp(frame.what, "C") == 0 || mr_is_host_source(frame.source);
    if (L != of) luaL_argcheck(L, lua_checkstack(of, 1), 1, "stack overflow");
    const char *name = is_closed ? NULL : lua_getlocal(of, &frame, number);
    if (name == NULL) {
        luaL_pushfail(L);
        return 1;
    }
    if (L != of) lua_xmove(of, L, 1);
    lua_pushstring(L, name);
    lua_insert(L, -2);
    return 2;
}

static int read_upvalue(lua_State *L) {
    int number = (int)luaL_checkinteger(L, 2);
    luaL_checktype(L, 1, LUA_TFUNCTION);
    if (is_closed_function(L, 1)) return 0;
    const char *name = lua_getupvalue(L, 1, number);
    if (name == NULL) return 0;
    lua_pushstring(L, name);
    lua_insert(L, -2);
    return 2;
}

static void check_upvalue(lua_State *L, int function, int number) {
    int n = (int)luaL_checkinteger(L, number);
    luaL_checktype(L, function, LUA_TFUNCTION);
    luaL_argcheck(L, lua_upvalueid(L, function, n) != NULL, number, "invalid upvalue index");
    luaL_argcheck(L, !lua_iscfunction(L, function), function, "Lua function expected");
    luaL_argcheck(L, !is_closed_function(L, function), function, "its variables belong to the host");
}

// setupvalue and upvaluejoin change variables of the script's functions only. Template engines and test runners set the
// environment of a chunk with them, as with setfenv.
static int write_upvalue(lua_State *L) {
    int number = (int)luaL_checkinteger(L, 2);
    luaL_checkany(L, 3);
    luaL_checktype(L, 1, LUA_TFUNCTION);
    lua_settop(L, 3);
    if (lua_iscfunction(L, 1)) return 0;
    luaL_argcheck(L, !is_closed_function(L, 1), 1, "its variables belong to the host");
    const char *name = lua_setupvalue(L, 1, number);
    if (name == NULL) return 0;
    lua_pushstring(L, name);
    return 1;
}

static int join_upvalues(lua_State *L) {
    check_upvalue(L, 1, 2);
    check_upvalue(L, 3, 4);
    lua_upvaluejoin(L, 1, (int)lua_tointeger(L, 2), 3, (int)lua_tointeger(L, 4));
    return 0;
}

static int read_metatable(lua_State *L) {
    luaL_checkany(L, 1);
    if (!lua_getmetatable(L, 1)) lua_pushnil(L);
    // Not those of host functions and host objects: their finalizers release what the host holds.
    luaL_getmetatable(L, mr_host_metatable);
    bool is_hidden = lua_rawequal(L, -1, -2);
    lua_pop(L, 1);
    if (is_hidden || mr_is_object_metatable(L, -1)) lua_pushnil(L);
    return 1;
}

// Tables only, also with __metatable: strings, numbers, nil and functions share their metatable with the host's chunks, and a
// userdata finalizer must not get another type's memory.
static int write_metatable(lua_State *L) {
    luaL_argexpected(L, lua_isnil(L, 2) || lua_istable(L, 2), 2, "nil or table");
    luaL_argcheck(L, lua_istable(L, 1), 1, "only the metatables of tables can be set");
    lua_settop(L, 2);
    lua_setmetatable(L, 1);
    return 1;
}

// getinfo([thread,] function or level [, what]); stock getinfo is the upvalue. `func` of a level in a host chunk or C
// function is removed, because a script could call it with any arguments.
static int read_info(lua_State *L) {
    int shift;
    lua_State *of = thread_argument(L, &shift);
    const char *what = luaL_optstring(L, shift + 2, "flnSrtu");
    luaL_argcheck(L, what[0] != '>', shift + 2, "invalid option '>'");
    luaL_argcheck(L, what[strspn(what, "SlnrutLf")] == '\0', shift + 2, "invalid option");
    bool has_level = !lua_isfunction(L, shift + 1);
    lua_settop(L, shift + 2);
    if (has_level) {
        int level = mr_script_level(L, of, (int)luaL_checkinteger(L, shift + 1));
        // This function is one frame more below stock getinfo.
        lua_pushinteger(L, level + (of == L && level >= 0));
        lua_replace(L, shift + 1);
    }
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, 1);
    if (!has_level || !lua_istable(L, -1)) return 1;
    if (lua_getfield(L, -1, "func") == LUA_TFUNCTION && is_closed_function(L, -1)) {
        lua_pushnil(L);
        lua_setfield(L, -3, "func");
    }
    lua_pop(L, 1);
    return 1;
}

static int read_traceback(lua_State *L) {
    int shift;
    lua_State *of = thread_argument(L, &shift);
    const char *message = lua_tostring(L, shift + 1);
    if (message == NULL && !lua_isnoneornil(L, shift + 1)) {
        lua_pushvalue(L, shift + 1);
        return 1;
    }
    int level = (int)luaL_optinteger(L, shift + 2, of == L ? 1 : 0);
    if (message != NULL) lua_pushfstring(L, "%s\n", message);
    mr_push_traceback(L, of, level);
    if (message != NULL) lua_concat(L, 2);
    return 1;
}

int mr_open_debug(lua_State *L) {
    static const char *const kept[] = {"gethook", "getuservalue", "upvalueid", NULL};
    static const luaL_Reg replaced[] = {
        {"getlocal", read_local},   {"getupvalue", read_upvalue},   {"getmetatable", read_metatable},
        {"traceback", read_traceback}, {"upvaluejoin", join_upvalues},
        {"setupvalue", write_upvalue}, {"setmetatable", write_metatable}, {NULL, NULL},
    };
    lua_newtable(L);
    luaL_requiref(L, LUA_DBLIBNAME, luaopen_debug, 0);
    for (const char *const *name = kept; *name != NULL; name++) {
        lua_getfield(L, -1, *name);
        lua_setfield(L, -3, *name);
    }
    lua_getfield(L, -1, "getinfo");
    lua_pushcclosure(L, read_info, 1);
    lua_setfield(L, -3, "getinfo");
    lua_pop(L, 1);
    luaL_setfuncs(L, replaced, 0);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    lua_pushvalue(L, -2);
    lua_setfield(L, -2, LUA_DBLIBNAME);
    lua_pop(L, 1);
    lua_pushvalue(L, -1);
    lua_setglobal(L, LUA_DBLIBNAME);
    return 1;
}
