// The outermost call of a task, and MR_UNWINDING: whether an error unwinds a cancelled task, so that its __close handlers
// run.

#include "vm.h"

#include <string.h>

void mr_note_raise(mr_vm *vm) {
    if (vm->flags & MR_CANCELLED) vm->flags |= MR_UNWINDING;
}

void mr_restore_unwinding(mr_vm *vm, int flags) {
    vm->flags = (vm->flags & ~MR_UNWINDING) | (flags & MR_UNWINDING);
}

// ---- The body of a task. It is a protected call, because only there can __close handlers wait during an error; in a
// coroutine that is reset they cannot. The traceback is noted before the stack is unwound.

static int note_failure(lua_State *L) {
    mr_vm *vm = mr_vm_of(L);
    mr_note_raise(vm);
    vm->host++;
    mr_relocate_error(L, L);
    mr_push_traceback(L, L, 1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, L);
    vm->host--;
    return 1;
}

static int finish_body(lua_State *L, int status, lua_KContext context) {
    (void)context;
    if (status != LUA_OK && status != LUA_YIELD) return lua_error(L);
    return lua_gettop(L) - 1;
}

static int run_body(lua_State *L) {
    lua_pushcfunction(L, note_failure);
    lua_insert(L, 1);
    return finish_body(L, lua_pcallk(L, lua_gettop(L) - 2, LUA_MULTRET, 1, 0, finish_body), 0);
}

void mr_push_body(lua_State *L, int nargs) {
    lua_pushcfunction(L, run_body);
    lua_insert(L, -(nargs + 2));
}

bool mr_is_body(lua_CFunction function) { return function == run_body; }

void mr_push_noted_traceback(mr_vm *vm, lua_State *L) {
    lua_State *host = vm->main;
    if (lua_rawgetp(host, LUA_REGISTRYINDEX, L) != LUA_TSTRING) {
        lua_pop(host, 1);
        lua_pushliteral(host, "");
        return;
    }
    lua_pushnil(host);
    lua_rawsetp(host, LUA_REGISTRYINDEX, L);
}

// ---- Whether a __close handler runs because its block ended without an error.

static bool is_closing(lua_State *L) {
    // lua_getstack walks from the innermost function, so the search is bounded.
    enum { DEPTH = 1000 };
    lua_Debug ar;
    for (int level = 0; level < DEPTH && lua_getstack(L, level, &ar); level++) {
        lua_getinfo(L, "n", &ar);
        if (ar.namewhat != NULL && strcmp(ar.namewhat, "metamethod") == 0 && ar.name != NULL
            && strcmp(ar.name, "close") == 0)
            return true;
    }
    return false;
}

bool mr_is_cleaning_up(mr_vm *vm, lua_State *L) {
    if (vm->flags & MR_UNWINDING) return true;
    return is_closing(L) || (vm->task != NULL && vm->task != L && is_closing(vm->task));
}
