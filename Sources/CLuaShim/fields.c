// Fields of tables by constant names, in one call each: the host reads and writes dozens of them for a request.

#include "vm.h"

// The index counted from the bottom; 0 if there is no table.
static int table_at(lua_State *L, int index) {
    int top = lua_gettop(L);
    if (index < 0) index += top + 1;
    return index >= 1 && index <= top && lua_type(L, index) == LUA_TTABLE ? index : 0;
}

int mr_get_field(lua_State *L, int index, const char *key) {
    int table = table_at(L, index);
    if (table == 0 || !lua_checkstack(L, 1)) return MR_NO_TABLE;
    lua_pushstring(L, key);
    return lua_rawget(L, table);
}

bool mr_set_field(lua_State *L, int index, const char *key) {
    int table = table_at(L, index);
    if (table == 0 || !lua_checkstack(L, 1)) return false;
    lua_pushstring(L, key);
    lua_insert(L, -2);
    lua_rawset(L, table);
    return true;
}
