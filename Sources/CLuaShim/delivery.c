// Delivers the strings of a batch to a callback, one call each, in one resume of its coroutine. The loop is a C function on the
// coroutine's stack. If a call waits, the coroutine is left like any other that waits.

#include "vm.h"

// One mr_deliver_batch. It is on the host's stack: the loop ends before mr_deliver_batch returns, and after a wait
// continue_delivery does not use it.
struct delivery {
    int function;
    const char *bytes;
    const uint32_t *ends;
    size_t from, to;
    bool stops;
};

// A call that waited has returned. The host delivers the next string.
static int continue_delivery(lua_State *L, int status, lua_KContext context) {
    (void)L;
    (void)status;
    (void)context;
    return 1;
}

static int deliver_each(lua_State *L) {
    mr_vm *vm = mr_vm_of(L);
    struct delivery *delivery = lua_touserdata(L, 1);
    lua_rawgeti(L, LUA_REGISTRYINDEX, delivery->function);
    // Slot 3 holds the function before a call and its result after it.
    lua_pushnil(L);
    size_t start = delivery->from > 0 ? delivery->ends[delivery->from - 1] : 0;
    for (size_t i = delivery->from; i < delivery->to; i++) {
        size_t end = delivery->ends[i];
        vm->delivered++;
        lua_copy(L, 2, 3);
        lua_pushlstring(L, delivery->bytes + start, end - start);
        lua_callk(L, 1, 1, 0, continue_delivery);
        if (lua_isboolean(L, -1) && !lua_toboolean(L, -1)) {
            delivery->stops = true;
            break;
        }
        if (vm->stops_delivery) break;
        start = end;
    }
    return 0;
}

int mr_deliver_batch(
    mr_vm *vm, lua_State *L, int function, const char *bytes, const uint32_t *ends, size_t from, size_t to, bool *stops,
    int *flags
) {
    struct delivery delivery = {function, bytes, ends, from, to, false};
    int nresults = 0;
    vm->delivered = 0;
    vm->stops_delivery = false;
    lua_pushcfunction(L, deliver_each);
    lua_pushlightuserdata(L, &delivery);
    int status = mr_resume(vm, L, 1, &nresults, flags);
    *stops = delivery.stops;
    if (status == LUA_OK) lua_settop(L, 0);
    return status;
}

size_t mr_delivered(const mr_vm *vm) { return vm->delivered; }

void mr_stop_delivery(mr_vm *vm) { vm->stops_delivery = true; }

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
    // lua_getstack walks from the innermost function, so a linear search would be quadratic on a deep stack.
    int inside = 0, outside = 1;
    while (lua_getstack(of, outside, &ar)) inside = outside, outside *= 2;
    while (outside - inside > 1) {
        int middle = inside + (outside - inside) / 2;
        if (lua_getstack(of, middle, &ar)) inside = middle;
        else outside = middle;
    }
    if (!mr_is_body(function_at(L, of, inside))) return 0;
    return function_at(L, of, inside - 1) == deliver_each ? 2 : 1;
}
