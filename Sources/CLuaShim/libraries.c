// The standard libraries of scripts, without what could break the host: no binary chunks (crafted bytecode corrupts memory),
// and a reduced `debug` (debug.c). `package` is opened separately (packages.c); `os.exit` and `os.getenv` are host functions,
// `os.execute` and `io.popen` are in children.c.

#include "vm.h"

#include <string.h>

static const char *const no_bytecode =
    "attempt to load a binary chunk (mode is 't'): bytecode is never loaded, because it can corrupt memory";

static bool accepts(const char *mode, char kind) { return strchr(mode, kind) != NULL; }

// Pushes the message of luaD_protectedparser for a chunk of a kind that `mode` does not allow.
static void push_refusal(lua_State *L, const char *kind, const char *mode) {
    if (*kind == 'b' && accepts(mode, 'b')) lua_pushstring(L, no_bytecode);
    else lua_pushfstring(L, "attempt to load a %s chunk (mode is '%s')", kind, mode);
}

// State of a `load` that reads from the function at index 1. The current piece is kept in a slot above the arguments.
enum { piece_slot = 5 };
struct pieces {
    const char *mode;
    bool has_begun;
};

static const char *read_piece(lua_State *L, void *context, size_t *size) {
    struct pieces *pieces = context;
    luaL_checkstack(L, 2, "too many nested functions");
    lua_pushvalue(L, 1);
    lua_call(L, 0, 1);
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        *size = 0;
        return NULL;
    }
    if (!lua_isstring(L, -1)) luaL_error(L, "reader function must return a string");
    lua_replace(L, piece_slot);
    const char *piece = lua_tolstring(L, piece_slot, size);
    if (!pieces->has_begun && *size > 0 && piece[0] == LUA_SIGNATURE[0]) {
        push_refusal(L, "binary", pieces->mode);
        lua_error(L);
    }
    pieces->has_begun = true;
    return piece;
}

// Returns the results of a load: the function with its environment set, or nil and the message.
static int finish_load(lua_State *L, int status, int environment) {
    if (status != LUA_OK) {
        luaL_pushfail(L);
        lua_insert(L, -2);
        return 2;
    }
    if (environment != 0) {
        lua_pushvalue(L, environment);
        if (!lua_setupvalue(L, -2, 1)) lua_pop(L, 1);
    }
    return 1;
}

// load(chunk, name, mode, env) as in Lua 5.4's lbaselib.c, text only.
static int text_load(lua_State *L) {
    size_t size = 0;
    const char *text = lua_tolstring(L, 1, &size);
    const char *mode = luaL_optstring(L, 3, "bt");
    int environment = lua_isnone(L, 4) ? 0 : 4;
    if (text == NULL) {
        struct pieces pieces = {mode, false};
        const char *name = luaL_optstring(L, 2, "=(load)");
        luaL_checktype(L, 1, LUA_TFUNCTION);
        lua_settop(L, piece_slot);
        return finish_load(L, lua_load(L, read_piece, &pieces, name, mode), environment);
    }
    const char *name = luaL_optstring(L, 2, text);
    if (size == 0 || text[0] != LUA_SIGNATURE[0])
        return finish_load(L, luaL_loadbufferx(L, text, size, name, mode), environment);
    push_refusal(L, "binary", mode);
    return finish_load(L, LUA_ERRSYNTAX, 0);
}

// luaL_loadfilex that refuses bytecode in every mode.
static int load_text_file(lua_State *L, const char *name, const char *mode) {
    int status = luaL_loadfilex(L, name, accepts(mode, 't') ? "t" : "");
    if (status != LUA_ERRSYNTAX) return status;
    const char *message = lua_tostring(L, -1);
    if (strcmp(message, "attempt to load a text chunk (mode is '')") == 0) push_refusal(L, "text", mode);
    else if (strncmp(message, "attempt to load a binary chunk (mode", 36) == 0) push_refusal(L, "binary", mode);
    else return status;
    lua_remove(L, -2);
    return status;
}

// loadfile(name, mode, env), text only.
static int text_loadfile(lua_State *L) {
    const char *name = luaL_optstring(L, 1, NULL);
    const char *mode = luaL_optstring(L, 2, "bt");
    return finish_load(L, load_text_file(L, name, mode), lua_isnone(L, 3) ? 0 : 3);
}

static int continue_dofile(lua_State *L, int status, lua_KContext context) {
    (void)status;
    (void)context;
    return lua_gettop(L) - 1;
}

static int text_dofile(lua_State *L) {
    const char *name = luaL_optstring(L, 1, NULL);
    lua_settop(L, 1);
    if (load_text_file(L, name, "bt") != LUA_OK) return lua_error(L);
    lua_callk(L, 0, LUA_MULTRET, 0, continue_dofile);
    return continue_dofile(L, 0, 0);
}

static int open_all(lua_State *L) {
    static const luaL_Reg libraries[] = {
        {LUA_GNAME, luaopen_base},          {LUA_TABLIBNAME, luaopen_table}, {LUA_IOLIBNAME, luaopen_io},
        {LUA_OSLIBNAME, luaopen_os},        {LUA_STRLIBNAME, luaopen_string}, {LUA_MATHLIBNAME, luaopen_math},
        {LUA_UTF8LIBNAME, luaopen_utf8},    {NULL, NULL},
    };
    for (const luaL_Reg *library = libraries; library->func != NULL; library++) {
        luaL_requiref(L, library->name, library->func, 1);
        lua_pop(L, 1);
    }
    mr_open_coroutine(L);
    lua_pop(L, 1);
    mr_open_children(L);
    mr_open_debug(L);
    lua_pop(L, 1);
    mr_open_protected_calls(L);
    lua_register(L, "load", text_load);
    lua_register(L, "loadfile", text_loadfile);
    lua_register(L, "dofile", text_dofile);
    return 0;
}

int mr_vm_open_libraries(mr_vm *vm) {
    lua_pushcfunction(vm->main, open_all);
    return mr_call(vm, vm->main, 0, 0, 0);
}
