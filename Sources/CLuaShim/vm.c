// The state: host functions, running coroutines, stop and kill. Errors are raised only after every Swift frame has returned,
// so no longjmp crosses one.

#include "vm.h"

#include <CProcess.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

char mr_wait_tag;
char mr_raise_tag;

// --------------------------------------------------------------------------------------------- lifetime

// Every call that can raise is protected, so only a bug of the host gets here.
static int panic(lua_State *L) {
    const char *message = lua_tostring(L, -1);
    fprintf(stderr, "moonrill: unprotected Lua error: %s\n", message ? message : "(not a string)");
    abort();
}

const char *const mr_host_metatable = "moonrill.host";

static int collect_host_function(lua_State *L) {
    void **box = lua_touserdata(L, 1);
    mr_vm *vm = mr_vm_of(L);
    if (box != NULL && *box != NULL) {
        void *context = *box;
        *box = NULL;
        vm->host++;
        vm->release(context);
        vm->host--;
    }
    return 0;
}

mr_vm *mr_vm_new(size_t memory_limit, mr_host_body body, mr_host_release release) {
    mr_vm *vm = calloc(1, sizeof *vm);
    if (vm == NULL) return NULL;
    vm->body = body;
    vm->release = release;
    vm->memory_limit = memory_limit;
    vm->host = 1;
    vm->wake_descriptor = -1;
    vm->cancellation = LUA_NOREF;
    mr_open_pool(&vm->pool);
    lua_State *L = lua_newstate(mr_allocate, vm);
    if (L == NULL) {
        mr_close_pool(&vm->pool);
        free(vm);
        return NULL;
    }
    vm->main = L;
    // New threads copy the extra space of the main thread, so mr_vm_of works on all of them.
    *(mr_vm **)lua_getextraspace(L) = vm;
    lua_atpanic(L, panic);
    luaL_newmetatable(L, mr_host_metatable);
    lua_pushcfunction(L, collect_host_function);
    lua_setfield(L, -2, "__gc");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_settop(L, 0);
    return vm;
}

void mr_vm_free(mr_vm *vm) {
    mr_deadline_stop(vm);
    mr_release_signals(vm);
    // Command streams that are closed from here on do not wait for their command.
    if (vm->phase != MR_RUNNING) vm->killed = 1;
    // Runs finalizers, which are script code. In a killed state they cannot run an instruction.
    lua_close(vm->main);
    mr_close_outputs(vm);
    mr_close_pool(&vm->pool);
    free(vm);
}

lua_State *mr_vm_main(mr_vm *vm) { return vm->main; }

mr_vm *mr_vm_of(lua_State *L) { return *(mr_vm **)lua_getextraspace(L); }

// --------------------------------------------------------------------------------------- host functions

static int continue_wait(lua_State *L, int status, lua_KContext context) {
    (void)status;
    (void)context;
    if (lua_gettop(L) >= 2 && lua_touserdata(L, 1) == &mr_raise_tag) {
        lua_settop(L, 2);
        mr_note_raise(mr_vm_of(L));
        return lua_error(L);
    }
    return lua_gettop(L);
}

static int call_host(lua_State *L) {
    mr_vm *vm = mr_vm_of(L);
    void **box = lua_touserdata(L, lua_upvalueindex(1));
    vm->host++;
    int answer = vm->body(L, *box);
    vm->host--;
    if (answer >= 0) return answer;
    if (answer == MR_RAISE) {
        mr_note_raise(vm);
        return lua_error(L);
    }
    lua_settop(L, 0);
    lua_pushlightuserdata(L, &mr_wait_tag);
    return lua_yieldk(L, 1, 0, continue_wait);
}

void mr_push_host_function(lua_State *L, void *context) {
    void **box = lua_newuserdatauv(L, sizeof *box, 0);
    *box = context;
    luaL_setmetatable(L, mr_host_metatable);
    lua_pushcclosure(L, call_host, 1);
}

void mr_push_raise_mark(lua_State *L) { lua_pushlightuserdata(L, &mr_raise_tag); }

// --------------------------------------------------------------------------------------------- running

static void kill_hook(lua_State *L, lua_Debug *ar) {
    (void)ar;
    mr_vm *vm = mr_vm_of(L);
    // With count 1, neither pcall nor __close runs a second instruction. The error is a memory error, because Lua runs no
    // message handler for it: a handler of xpcall would run inside this hook with hooks off, without a time limit. The host
    // replaces the message.
    lua_sethook(L, kill_hook, LUA_MASKCOUNT, 1);
    vm->fail_in = 1;
    lua_newuserdatauv(L, 64, 0);
    vm->fail_in = 0;
    luaL_error(L, "%s", vm->kill_reason ? vm->kill_reason : "stopped");
}

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define HOLDS_SIGNALS
#endif
#endif

#ifdef HOLDS_SIGNALS
// The thread sanitizer delays signals until the next call into libc, and an endless Lua loop makes none. Only in its builds,
// a hook calls libc regularly.
static void take_held_signals(lua_State *L, lua_Debug *ar) {
    (void)L;
    (void)ar;
    usleep(0);
}
static const lua_Hook usual_hook = take_held_signals;
#else
static const lua_Hook usual_hook = NULL;
#endif

// Lua has noticed the stop: the watchdog allows the time of the __close handlers and one second more.
static void note_stop(mr_vm *vm) {
    if (vm->phase != MR_STOP_REQUESTED) return;
    vm->phase = MR_UNWINDING_TASKS;
    mp_extend(MR_CLEANUP_SECONDS + 1);
}

// Raises the cancellation, again after each pcall that catches it. __close handlers and shielded code continue, and, once the
// host has cancelled the tasks, also tasks that began since.
static void stop_hook(lua_State *L, lua_Debug *ar) {
    mr_vm *vm = mr_vm_of(L);
    if (vm->killed) {
        kill_hook(L, ar);
        return;
    }
    bool is_taken = vm->phase == MR_UNWINDING_TASKS && vm->stop_taken;
    note_stop(vm);
    if (is_taken && !(vm->flags & MR_CANCELLED)) {
        lua_sethook(L, usual_hook, usual_hook ? LUA_MASKCOUNT : 0, 10000);
        return;
    }
    if (vm->flags & MR_UNWINDING) return;
    if (vm->flags & MR_SHIELDED || mr_is_cleaning_up(vm, L)) {
        lua_sethook(L, stop_hook, LUA_MASKCOUNT, 100);
        return;
    }
    lua_sethook(L, stop_hook, LUA_MASKCOUNT, 1);
    vm->flags |= MR_CANCELLED | MR_UNWINDING;
    mr_push_cancellation(vm, L);
    lua_error(L);
}

static void arm_if_killed(mr_vm *vm, lua_State *L) {
    if (vm->killed) lua_sethook(L, kill_hook, LUA_MASKCOUNT, 1);
    else if (vm->phase != MR_RUNNING) lua_sethook(L, stop_hook, LUA_MASKCOUNT, 1);
    else if (lua_gethook(L) != usual_hook) lua_sethook(L, usual_hook, usual_hook ? LUA_MASKCOUNT : 0, 10000);
}

// Restores what ran before. A kill of the inner coroutine must continue in the outer one.
static void leave(mr_vm *vm, lua_State *outer, int host) {
    vm->running = outer;
    vm->host = host;
    if (outer != NULL && vm->phase != MR_RUNNING) arm_if_killed(vm, outer);
}

int mr_run(mr_vm *vm, lua_State *co, lua_State *from, int nargs, int *nresults) {
    lua_State *outer = vm->running;
    int host = vm->host;
    vm->host = 0;
    vm->running = co;
    arm_if_killed(vm, co);
    int status = lua_resume(co, from, nargs, nresults);
    leave(vm, outer, host);
    if (status == LUA_ERRRUN) {
        // No memory cap here: neither a dead coroutine nor the main thread could catch an error.
        vm->host++;
        mr_relocate_error(from != NULL ? from : vm->main, co);
        vm->host--;
    }
    return status;
}

int mr_resume(mr_vm *vm, lua_State *L, int nargs, int *nresults, int *flags) {
    lua_State *outer_task = vm->task;
    int blocked = vm->blocked, outer_flags = vm->flags;
    vm->task = L;
    vm->blocked = 0;
    vm->flags = *flags;
    if (lua_status(L) == LUA_OK) {
        mr_push_body(L, nargs++);
        mr_restore_unwinding(vm, 0);
    }
    int status = mr_run(vm, L, NULL, nargs, nresults);
    *flags = vm->flags;
    vm->flags = outer_flags;
    vm->task = outer_task;
    vm->blocked = blocked;
    if (status == LUA_YIELD) {
        // Pops the yielded values only: the values below belong to the waiting frame.
        lua_pop(L, *nresults);
        *nresults = 0;
    }
    return status;
}

int mr_call(mr_vm *vm, lua_State *L, int nargs, int nresults, int handler) {
    lua_State *outer = vm->running;
    int host = vm->host;
    vm->host = 0;
    vm->running = L;
    vm->blocked++;
    int flags = vm->flags;
    arm_if_killed(vm, L);
    int status = lua_pcall(L, nargs, nresults, handler);
    mr_restore_unwinding(vm, flags);
    vm->blocked--;
    leave(vm, outer, host);
    return status;
}

int mr_close_coroutine(mr_vm *vm, lua_State *co) {
    lua_State *outer = vm->running, *outer_closing = vm->closing;
    int host = vm->host;
    vm->host = 0;
    vm->running = co;
    vm->closing = co;
    vm->blocked++;
    arm_if_killed(vm, co);
    int status = lua_resetthread(co);
    vm->blocked--;
    vm->closing = outer_closing;
    leave(vm, outer, host);
    return status;
}

void mr_reset(mr_vm *vm, lua_State *L) {
    // A coroutine killed in its hook has hooks off for good, so its __close handlers could not be stopped.
    if (vm->killed) return;
    mr_close_coroutine(vm, L);
    lua_settop(L, 0);
}

// --------------------------------------------------------------------------------------------- display

static int display(lua_State *L) {
    luaL_tolstring(L, 1, NULL);
    return 1;
}

void mr_push_display(mr_vm *vm, lua_State *L, int index) {
    index = lua_absindex(L, index);
    int type = lua_type(L, index);
    lua_pushcfunction(L, display);
    lua_pushvalue(L, index);
    // A stop must not interrupt the display of an error.
    int flags = vm->flags;
    vm->flags |= MR_SHIELDED;
    int status = mr_call(vm, L, 1, 1, 0);
    vm->flags = flags;
    if (status != LUA_OK) {
        lua_pop(L, 1);
        lua_pushfstring(L, "(error object is a %s value)", lua_typename(L, type));
    }
}

int mr_parameter_count(lua_State *L, int index) {
    lua_Debug ar;
    lua_pushvalue(L, index);
    lua_getinfo(L, ">Su", &ar);
    // Lua reports every C function as variadic.
    if (*ar.what == 'C') return 0;
    return ar.isvararg ? -1 : ar.nparams;
}

// ------------------------------------------------------------------------------- stopping, and the kill switch

void mr_wake(mr_vm *vm) {
    if (vm->wake_descriptor < 0) return;
    uint64_t one = 1;
    ssize_t written = write(vm->wake_descriptor, &one, sizeof one);
    (void)written; // Fails only with a full counter; then the loop is awake.
}

void mr_set_wake(mr_vm *vm, int wake_descriptor) { vm->wake_descriptor = wake_descriptor; }

void mr_set_cancellation(mr_vm *vm, int reference) { vm->cancellation = reference; }

void mr_push_cancellation(mr_vm *vm, lua_State *L) {
    if (vm->cancellation != LUA_NOREF) lua_rawgeti(L, LUA_REGISTRYINDEX, vm->cancellation);
    else lua_pushstring(L, vm->kill_reason);
}

void mr_stop(mr_vm *vm, const char *reason) {
    if (vm->killed || vm->phase != MR_RUNNING) return;
    vm->kill_reason = reason;
    vm->phase = MR_STOP_REQUESTED;
    mr_set_timer(vm, MR_CLEANUP_SECONDS);
    lua_State *L = vm->running;
    // lua_sethook is the only API function that may be called in a signal handler (lua.c does it for SIGINT).
    if (L != NULL) lua_sethook(L, stop_hook, LUA_MASKCOUNT, 1);
    mr_wake(vm);
}

void mr_take_stop(mr_vm *vm) {
    note_stop(vm);
    vm->stop_taken = true;
}

int mr_phase(const mr_vm *vm) { return vm->phase; }

int mr_flags(const mr_vm *vm) { return vm->flags; }

void mr_set_flags(mr_vm *vm, int flags) { vm->flags = flags; }

void mr_kill(mr_vm *vm, const char *reason) {
    if (!vm->killed && vm->phase == MR_RUNNING) vm->kill_reason = reason;
    vm->killed = 1;
    vm->phase = MR_KILLED;
    lua_State *L = vm->running;
    if (L != NULL) lua_sethook(L, kill_hook, LUA_MASKCOUNT, 1);
    mr_wake(vm);
}

bool mr_killed(const mr_vm *vm) { return vm->killed != 0; }

const char *mr_kill_reason(const mr_vm *vm) { return vm->kill_reason; }
