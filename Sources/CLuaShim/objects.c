// Userdata that stand for objects of the host. A block holds a slot number of the host's table and no pointer, so a
// finalizer that Lua could not call (no stack, no memory) leaks nothing: the host empties the table after lua_close.

#include "vm.h"

struct mr_object {
    // 0 once released.
    size_t slot;
};

// The block at `index` if its metatable is the one at `metatable`. Raw reads only; uses one slot of the stack.
static struct mr_object *block_at(lua_State *L, int index, int metatable) {
    if (lua_type(L, index) != LUA_TUSERDATA || !lua_getmetatable(L, index)) return NULL;
    bool is_same = lua_rawequal(L, -1, metatable);
    lua_pop(L, 1);
    return is_same ? lua_touserdata(L, index) : NULL;
}

// `__gc` and `__close`. Upvalue 1 is the metatable: scripts may call this function with any value. Allocates nothing and
// never raises.
static int release_object(lua_State *L) {
    struct mr_object *block = block_at(L, 1, lua_upvalueindex(1));
    if (block == NULL || block->slot == 0) return 0;
    size_t slot = block->slot;
    block->slot = 0;
    mr_vm *vm = mr_vm_of(L);
    vm->host++;
    vm->release_object(vm->objects, slot);
    vm->host--;
    return 0;
}

void mr_set_objects(mr_vm *vm, mr_object_release release, void *context) {
    vm->release_object = release;
    vm->objects = context;
}

void mr_push_object_type(lua_State *L, const char *name) {
    lua_createtable(L, 0, 4);
    lua_pushstring(L, name);
    lua_setfield(L, -2, "__name");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_pushvalue(L, -1);
    lua_pushcclosure(L, release_object, 1);
    lua_pushvalue(L, -1);
    lua_setfield(L, -3, "__close");
    lua_setfield(L, -2, "__gc");
}

void mr_push_object(lua_State *L, int type, size_t slot) {
    struct mr_object *block = lua_newuserdatauv(L, sizeof *block, 0);
    block->slot = slot;
    lua_rawgeti(L, LUA_REGISTRYINDEX, type);
    lua_setmetatable(L, -2);
}

size_t mr_object_at(lua_State *L, int index, int type) {
    index = lua_absindex(L, index);
    lua_rawgeti(L, LUA_REGISTRYINDEX, type);
    const struct mr_object *block = block_at(L, index, lua_gettop(L));
    lua_pop(L, 1);
    return block != NULL ? block->slot : 0;
}

bool mr_is_object_metatable(lua_State *L, int index) {
    index = lua_absindex(L, index);
    if (!lua_istable(L, index)) return false;
    lua_pushliteral(L, "__gc");
    lua_rawget(L, index);
    bool is_one = lua_tocfunction(L, -1) == release_object;
    lua_pop(L, 1);
    return is_one;
}
