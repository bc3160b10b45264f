// The `coroutine` library with one difference from stock Lua: a host function that waits inside a coroutine of the script
// suspends every enclosing coroutine up to the task, so that the wait reaches the scheduler and not the script's resume.
// When the task is resumed, the values pass down the same way.

#include "vm.h"

#include <string.h>

static lua_State *checked_coroutine(lua_State *L, int index) {
    lua_State *co = lua_tothread(L, index);
    luaL_argexpected(L, co, index, "thread");
    return co;
}

static int waits_for_host(lua_State *co) {
    return lua_status(co) == LUA_YIELD && lua_gettop(co) > 0 && lua_touserdata(co, -1) == &mr_wait_tag;
}

bool mr_can_wait(mr_vm *vm, lua_State *L) {
    // A coroutine that a C module resumed with lua_resume is not `running`: the module would receive its yield.
    return vm->blocked == 0 && vm->running == L && lua_isyieldable(L);
}

void mr_push_wait_obstacle(mr_vm *vm, lua_State *L) {
    lua_Debug ar;
    if (vm->running != L) {
        lua_pushliteral(L, "a coroutine that a C module resumed");
        return;
    }
    if (vm->closing != NULL) {
        lua_pushliteral(L, "a __close handler of a coroutine that is being closed");
        return;
    }
    // Level 0 is the host function that has to wait. The first C function above it is the obstacle.
    for (int level = 1; lua_getstack(L, level, &ar); level++) {
        lua_getinfo(L, "nS", &ar);
        if (ar.namewhat != NULL && strcmp(ar.namewhat, "metamethod") == 0) {
            lua_pushfstring(L, "the metamethod __%s", ar.name ? ar.name : "?");
            return;
        }
        if (strcmp(ar.what, "C") == 0 && ar.name != NULL && strcmp(ar.name, "pcall") != 0
            && strcmp(ar.name, "xpcall") != 0) {
            lua_pushfstring(L, "a function called by '%s'", ar.name);
            return;
        }
    }
    // A C function that another C function calls has no name.
    bool is_nested = lua_getstack(L, 1, &ar) && vm->blocked == 0;
    lua_pushstring(L, is_nested ? "a function that a C function called" : "a function that the host called");
}

// Resumes `co` with the `nargs` values on top of L. Returns the number of results moved to L, -1 with the error
// value on top of L, or -2 when `co` waits for the host. `before` holds the flags of the resuming coroutine. If `co` has
// failed, the caller restores MR_UNWINDING after the __close handlers.
static int step(lua_State *L, lua_State *co, int nargs, lua_KContext before) {
    mr_vm *vm = mr_vm_of(L);
    if (!lua_checkstack(co, nargs)) {
        lua_pushliteral(L, "too many arguments to resume");
        return -1;
    }
    lua_xmove(L, co, nargs);
    int stuck = !lua_isyieldable(L);
    int nresults = 0;
    vm->blocked += stuck;
    int status = mr_run(vm, co, L, nargs, &nresults);
    vm->blocked -= stuck;
    if (status == LUA_YIELD && nresults == 1 && waits_for_host(co)) return -2;
    if (status == LUA_OK || status == LUA_YIELD) {
        mr_restore_unwinding(vm, (int)before);
        if (!lua_checkstack(L, nresults + 1)) {
            lua_pop(co, nresults);
            lua_pushliteral(L, "too many results to resume");
            return -1;
        }
        lua_xmove(co, L, nresults);
        return nresults;
    }
    lua_xmove(co, L, 1);
    return -1;
}

// Closes `co` if it has failed: its __close handlers run and may change the error value on top of L. Returns the status of
// that error.
static int close_failed(lua_State *L, lua_State *co) {
    mr_vm *vm = mr_vm_of(L);
    int status = lua_status(co);
    if (status == LUA_OK || status == LUA_YIELD || vm->killed) return status;
    status = mr_close_coroutine(vm, co);
    if (status != LUA_OK) {
        lua_pop(L, 1);
        lua_xmove(co, L, 1);
        mr_relocate_error(L, L);
    }
    return status;
}

static int refuse_if_waiting(lua_State *L, lua_State *co) {
    if (!waits_for_host(co)) return 0;
    lua_pushliteral(L, "cannot resume a coroutine that waits for a request, a task or a timer");
    return 1;
}

// ---- coroutine.resume: the coroutine stays at index 1, its values are above it.

static int finish_resume(lua_State *L, lua_State *co, int nargs, lua_KContext before);

static int continue_resume(lua_State *L, int status, lua_KContext before) {
    (void)status;
    lua_State *co = lua_tothread(L, 1);
    if (waits_for_host(co)) lua_pop(co, 1);
    return finish_resume(L, co, lua_gettop(L) - 1, before);
}

static int finish_resume(lua_State *L, lua_State *co, int nargs, lua_KContext before) {
    int n = step(L, co, nargs, before);
    if (n == -2) {
        lua_settop(L, 1);
        lua_pushlightuserdata(L, &mr_wait_tag);
        return lua_yieldk(L, 1, before, continue_resume);
    }
    if (n == -1) {
        // The script may close a failed coroutine later or never. One that was ended by a cancellation is closed now.
        mr_vm *vm = mr_vm_of(L);
        if (vm->flags & MR_UNWINDING) close_failed(L, co);
        mr_restore_unwinding(vm, (int)before);
        lua_pushboolean(L, 0);
        lua_insert(L, -2);
        return 2;
    }
    lua_pushboolean(L, 1);
    lua_insert(L, -(n + 1));
    return n + 1;
}

static int co_resume(lua_State *L) {
    lua_State *co = checked_coroutine(L, 1);
    if (refuse_if_waiting(L, co)) {
        lua_pushboolean(L, 0);
        lua_insert(L, -2);
        return 2;
    }
    return finish_resume(L, co, lua_gettop(L) - 1, mr_vm_of(L)->flags);
}

// ---- coroutine.wrap: the coroutine is the upvalue; the whole stack is values.

static int finish_wrap(lua_State *L, lua_State *co, int nargs, lua_KContext before);

static int continue_wrap(lua_State *L, int status, lua_KContext before) {
    (void)status;
    lua_State *co = lua_tothread(L, lua_upvalueindex(1));
    if (waits_for_host(co)) lua_pop(co, 1);
    return finish_wrap(L, co, lua_gettop(L), before);
}

static int finish_wrap(lua_State *L, lua_State *co, int nargs, lua_KContext before) {
    int n = step(L, co, nargs, before);
    if (n == -2) {
        lua_settop(L, 0);
        lua_pushlightuserdata(L, &mr_wait_tag);
        return lua_yieldk(L, 1, before, continue_wrap);
    }
    if (n >= 0) return n;
    int status = close_failed(L, co);
    mr_restore_unwinding(mr_vm_of(L), (int)before);
    if (status != LUA_ERRMEM && lua_type(L, -1) == LUA_TSTRING) {
        luaL_where(L, 1);
        lua_insert(L, -2);
        lua_concat(L, 2);
    }
    mr_note_raise(mr_vm_of(L));
    return lua_error(L);
}

static int call_wrapped(lua_State *L) {
    lua_State *co = lua_tothread(L, lua_upvalueindex(1));
    if (refuse_if_waiting(L, co)) return lua_error(L);
    return finish_wrap(L, co, lua_gettop(L), mr_vm_of(L)->flags);
}

static int co_create(lua_State *L) {
    luaL_checktype(L, 1, LUA_TFUNCTION);
    lua_State *co = lua_newthread(L);
    lua_pushvalue(L, 1);
    lua_xmove(L, co, 1);
    return 1;
}

static int co_wrap(lua_State *L) {
    co_create(L);
    lua_pushcclosure(L, call_wrapped, 1);
    return 1;
}

// ---- coroutine.close, as luaB_close, with errors of `__close` relocated.

static int co_close(lua_State *L) {
    lua_State *co = checked_coroutine(L, 1);
    lua_Debug frame;
    if (L == co) return luaL_error(L, "cannot close a running coroutine");
    if (lua_status(co) == LUA_OK && lua_getstack(co, 0, &frame))
        return luaL_error(L, "cannot close a normal coroutine");
    bool is_clean = mr_close_coroutine(mr_vm_of(L), co) == LUA_OK;
    lua_pushboolean(L, is_clean);
    if (is_clean) return 1;
    lua_xmove(co, L, 1);
    mr_relocate_error(L, L);
    return 2;
}

// ---- coroutine.yield: a task has no coroutine to yield to.

static int co_yield(lua_State *L) {
    if (mr_vm_of(L)->task == L)
        return luaL_error(L, "attempt to yield from outside a coroutine (llm.sleep lets other tasks run)");
    return lua_yield(L, lua_gettop(L));
}

int mr_open_coroutine(lua_State *L) {
    static const luaL_Reg replaced[] = {
        {"create", co_create}, {"resume", co_resume}, {"wrap", co_wrap}, {"yield", co_yield},
        {"close", co_close},   {NULL, NULL},
    };
    luaL_requiref(L, LUA_COLIBNAME, luaopen_coroutine, 1);
    luaL_setfuncs(L, replaced, 0);
    return 1;
}
