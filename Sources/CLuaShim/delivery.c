// Telling a callback strings, one after the other in one resume: what is done here is done for every piece of text. The
// loop is a C function on the coroutine's stack; where a call waits, the coroutine is left as any other that does.

#include "vm.h"

// What one mr_deliver_batch tells. It lives on the host's stack: the loop below is over before mr_deliver_batch returns, and what a wait
// leaves behind looks at it no more.
struct telling {
    int function;
    const char *bytes;
    const uint32_t *ends;
    size_t from, to;
    bool stops;
};

// The call that waited is over. Whoever resumed it has the next string delivered.
static int continue_telling(lua_State *L, int status, lua_KContext context) {
    (void)L;
    (void)status;
    (void)context;
    return 1;
}

static int tell_each(lua_State *L) {
    mr_vm *vm = mr_vm_of(L);
    struct telling *telling = lua_touserdata(L, 1);
    lua_rawgeti(L, LUA_REGISTRYINDEX, telling->function);
    // The third slot holds the function while it is called, and its result afterwards.
    lua_pushnil(L);
    size_t start = telling->from > 0 ? telling->ends[telling->from - 1] : 0;
    for (size_t i = telling->from; i < telling->to; i++) {
        size_t end = telling->ends[i];
        vm->delivered++;
        lua_copy(L, 2, 3);
        lua_pushlstring(L, telling->bytes + start, end - start);
        lua_callk(L, 1, 1, 0, continue_telling);
        if (lua_isboolean(L, -1) && !lua_toboolean(L, -1)) {
            telling->stops = true;
            break;
        }
        if (vm->stops_telling) break;
        start = end;
    }
    return 0;
}

int mr_deliver_batch(
    mr_vm *vm, lua_State *L, int function, const char *bytes, const uint32_t *ends, size_t from, size_t to, bool *stops, int *flags
) {
    struct telling telling = {function, bytes, ends, from, to, false};
    int nresults = 0;
    vm->delivered = 0;
    vm->stops_telling = false;
    lua_pushcfunction(L, tell_each);
    lua_pushlightuserdata(L, &telling);
    int status = mr_resume(vm, L, 1, &nresults, flags);
    *stops = telling.stops;
    if (status == LUA_OK) lua_settop(L, 0);
    return status;
}

size_t mr_delivered(const mr_vm *vm) { return vm->delivered; }

void mr_stop_delivery(mr_vm *vm) { vm->stops_telling = true; }

static lua_CFunction function_at(lua_State *L, lua_State *of, int level) {
    lua_Debug ar;
    if (level < 0 || !lua_getstack(of, level, &ar)) return NULL;
    lua_getinfo(of, "f", &ar);
    if (L != of) lua_xmove(of, L, 1);
    lua_CFunction function = lua_tocfunction(L, -1);
    lua_pop(L, 1);
    return function;
}

int mr_host_levels(lua_State *L, lua_State *of) {
    lua_Debug ar;
    // Each look begins at the innermost function: going out level by level would take a deep stack for ever.
    int inside = 0, outside = 1;
    while (lua_getstack(of, outside, &ar)) inside = outside, outside *= 2;
    while (outside - inside > 1) {
        int middle = inside + (outside - inside) / 2;
        if (lua_getstack(of, middle, &ar)) inside = middle;
        else outside = middle;
    }
    if (!mr_is_body(function_at(L, of, inside))) return 0;
    return function_at(L, of, inside - 1) == tell_each ? 2 : 1;
}
