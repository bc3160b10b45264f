// Positions in error messages. An error that Lua raises inside one of the host's chunks ("=[llm]" and others) reaches the
// script with the position of the nearest frame of the script.

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "vm.h"

#include <ctype.h>
#include <string.h>

// Prefixes of the chunk names that the host passes to lua_load.
static const char *const host_sources[] = {"=[llm", "=[require]", NULL};

bool mr_is_host_source(const char *source) {
    for (const char *const *prefix = host_sources; *prefix != NULL; prefix++)
        if (strncmp(source, *prefix, strlen(*prefix)) == 0) return true;
    return false;
}

// The text after "[llm.chat]:150: "; NULL if the message has no such prefix.
static const char *behind_host_position(const char *message) {
    const char *rest = NULL;
    for (const char *const *prefix = host_sources; *prefix != NULL && rest == NULL; prefix++) {
        size_t length = strlen(*prefix + 1);
        if (strncmp(message, *prefix + 1, length) == 0) rest = message + length;
    }
    if (rest == NULL) return NULL;
    while (islower((unsigned char)*rest) || *rest == '.' || *rest == '_' || *rest == ']') rest++;
    if (*rest++ != ':' || !isdigit((unsigned char)*rest)) return NULL;
    while (isdigit((unsigned char)*rest)) rest++;
    return rest[0] == ':' && rest[1] == ' ' ? rest + 2 : NULL;
}

// Pushes "file:line: " of the innermost frame of the script in `of` onto L. Returns false and pushes nothing if there is none.
static bool push_script_position(lua_State *L, lua_State *of, int level) {
    lua_Debug ar;
    for (; lua_getstack(of, level, &ar); level++) {
        lua_getinfo(of, "Sl", &ar);
        if (ar.currentline <= 0 || mr_is_host_source(ar.source)) continue;
        lua_pushfstring(L, "%s:%d: ", ar.short_src, ar.currentline);
        return true;
    }
    return false;
}

void mr_push_where(lua_State *L) {
    if (!push_script_position(L, L, 1)) lua_pushliteral(L, "");
}

void mr_relocate_error(lua_State *L, lua_State *of) {
    if (lua_type(of, -1) != LUA_TSTRING) return;
    size_t size;
    const char *message = lua_tolstring(of, -1, &size);
    const char *rest = behind_host_position(message);
    if (rest == NULL || !lua_checkstack(L, 3)) return;
    if (!push_script_position(L, of, 0) && (of == L || !push_script_position(L, L, 0))) lua_pushliteral(L, "");
    lua_pushlstring(L, rest, size - (size_t)(rest - message));
    lua_concat(L, 2);
    if (of == L) {
        lua_replace(L, -2);
    } else {
        // lua_resume leaves the value twice; lua_resetthread takes the lower one.
        bool is_twice = lua_gettop(of) >= 2 && lua_rawequal(of, -1, -2);
        lua_pop(of, 1);
        lua_xmove(L, of, 1);
        if (is_twice) lua_copy(of, -1, -2);
    }
}

// ------------------------------------------------------------------------------------- pcall and xpcall
// Both restore MR_UNWINDING on return: an error that they catch no longer unwinds.

// Message handler of pcall.
static int relocate(lua_State *L) {
    lua_settop(L, 1);
    mr_relocate_error(L, L);
    mr_note_raise(mr_vm_of(L));
    return 1;
}

// Message handler of xpcall; the script's handler is the upvalue.
static int relocate_and_handle(lua_State *L) {
    relocate(L);
    // If a hook raised a stop, the script's handler would run with hooks off, and nothing could end it.
    lua_Debug frame;
    if (lua_getstack(L, 0, &frame) && lua_getinfo(L, "n", &frame) && strcmp(frame.namewhat, "hook") == 0) return 1;
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, 1, 1);
    return 1;
}

// `found`: the number of values below the results (2 bits), then the flags at the time of the call.
static int finish_call(lua_State *L, int status, lua_KContext found) {
    mr_restore_unwinding(mr_vm_of(L), (int)(found >> 2));
    if (status == LUA_OK || status == LUA_YIELD) return lua_gettop(L) - (int)(found & 3);
    lua_pushboolean(L, 0);
    lua_insert(L, -2);
    return 2;
}

static int protected_call(lua_State *L) {
    luaL_checkany(L, 1);
    lua_pushcfunction(L, relocate);
    lua_pushboolean(L, 1);
    lua_rotate(L, 1, 2);
    lua_KContext found = (lua_KContext)mr_vm_of(L)->flags << 2 | 1;
    int status = lua_pcallk(L, lua_gettop(L) - 3, LUA_MULTRET, 1, found, finish_call);
    return finish_call(L, status, found);
}

static int handled_call(lua_State *L) {
    int given = lua_gettop(L);
    luaL_checktype(L, 2, LUA_TFUNCTION);
    lua_pushvalue(L, 2);
    lua_pushcclosure(L, relocate_and_handle, 1);
    lua_replace(L, 2);
    lua_pushboolean(L, 1);
    lua_pushvalue(L, 1);
    lua_rotate(L, 3, 2);
    lua_KContext found = (lua_KContext)mr_vm_of(L)->flags << 2 | 2;
    int status = lua_pcallk(L, given - 2, LUA_MULTRET, 2, found, finish_call);
    return finish_call(L, status, found);
}

void mr_open_protected_calls(lua_State *L) {
    lua_register(L, "pcall", protected_call);
    lua_register(L, "xpcall", handled_call);
}

// ----------------------------------------------------------------------------------------------- frames

static bool is_handler_frame(lua_State *L, lua_State *of, lua_Debug *frame) {
    lua_getinfo(of, "f", frame);
    if (L != of) lua_xmove(of, L, 1);
    bool found = lua_tocfunction(L, -1) == relocate_and_handle;
    lua_pop(L, 1);
    return found;
}

// relocate_and_handle is at most this many levels from the handler that it calls.
enum { searched_levels = 16 };

int mr_script_level(lua_State *L, lua_State *of, int level) {
    lua_Debug frame;
    if (level < 0 || !lua_checkstack(of, 1)) return level;
    for (int real = 0; real <= level && real < searched_levels && lua_getstack(of, real, &frame); real++)
        if (is_handler_frame(L, of, &frame)) level++;
    return level;
}

// Removes line `number` (0 is the first) of the string on top.
static void remove_line(lua_State *L, int number) {
    const char *text = lua_tostring(L, -1), *line = text;
    for (; number > 0 && (line = strchr(line, '\n')) != NULL; number--) line++;
    if (line == NULL || line == text) return;
    const char *end = strchr(line, '\n');
    // The newline before the line is removed too.
    lua_pushlstring(L, text, (size_t)(line - text) - 1);
    lua_pushstring(L, end == NULL ? "" : end);
    lua_concat(L, 2);
    lua_remove(L, -2);
}

void mr_push_traceback(lua_State *L, lua_State *of, int level) {
    lua_Debug frame;
    level = mr_script_level(L, of, level);
    luaL_traceback(L, of, NULL, level);
    int line = 1;
    // luaL_traceback shows the first 10 levels, then "..." if there are many.
    for (int real = level; real < level + 10 && lua_getstack(of, real, &frame); real++) {
        if (is_handler_frame(L, of, &frame)) remove_line(L, line);
        else line++;
    }
    // The last lines are functions of the host.
    size_t length;
    const char *text = lua_tolstring(L, -1, &length);
    for (int levels = mr_host_levels(L, of); levels > 0; levels--) {
        const char *last = memrchr(text, '\n', length);
        if (last == NULL) break;
        length = (size_t)(last - text);
    }
    lua_pushlstring(L, text, length);
    lua_remove(L, -2);
}
