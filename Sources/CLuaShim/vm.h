// Internals of the shim: the fields of a state and the functions that its files share.
#ifndef MR_VM_H
#define MR_VM_H

#include "CLuaShim.h"

#include <signal.h>
#include <stdio.h>
#include <time.h>

// One standard stream of the script.
struct mr_output {
    mr_vm *vm;
    mr_sink sink;
    void *context;
    FILE *file;
    char *buffer;
    // True while the sink runs.
    volatile int is_busy;
    // Flushed before each write, to keep the order of output; or NULL.
    FILE *other;
};

// An arena for small blocks. `unused`: free lists by size, in steps of MR_GRAIN bytes. `fresh`: bytes of the arena that were
// handed out once.
enum { MR_GRAIN = 16, MR_LARGEST_SMALL = 256 };
struct mr_pool {
    struct mr_block *unused[MR_LARGEST_SMALL / MR_GRAIN];
    char *arena;
    size_t fresh;
};

struct mr_vm {
    lua_State *main;
    mr_host_body body;
    mr_host_release release;
    // The host's table of the objects that userdata stand for, and what releases one.
    mr_object_release release_object;
    void *objects;

    // The cap applies only while no host frame is on top (host == 0), so that pushes by the host need no protected call. If
    // the host exceeds it, the next allocation of the script fails.
    struct mr_pool pool;
    size_t memory;
    size_t memory_limit;
    long fail_in;
    int host;

    // The running coroutine, for stop and kill; NULL while the host waits in its loop.
    lua_State *volatile running;
    // The outermost coroutine of the running task. It must not yield except for a wait.
    lua_State *task;
    // The coroutine that is being closed. Its __close handlers cannot wait.
    lua_State *closing;
    // Number of enclosing resumes whose own coroutine cannot yield.
    int blocked;

    // The number of strings that mr_deliver_batch has delivered, and whether it must stop.
    size_t delivered;
    bool stops_delivery;

    // MR_CANCELLED and others, of the running coroutine.
    int flags;

    // MR_RUNNING and others: a stop unwinds tasks; if that takes too long, the kill follows.
    _Atomic int phase;
    // The host has cancelled all tasks.
    bool stop_taken;
    // The registry's reference to the error value that a stop raises.
    int cancellation;
    // The eventfd that ends the host's sleep; -1 for none.
    int wake_descriptor;

    volatile sig_atomic_t killed;
    const char *volatile kill_reason;
    volatile sig_atomic_t caught_signal;
    // The first signal only asks the host to end by itself (mr_set_graceful); `graceful_signal` is that signal.
    volatile sig_atomic_t is_graceful;
    double graceful_seconds;
    volatile sig_atomic_t graceful_signal;
    volatile sig_atomic_t reload_asked;
    int has_timer;
    timer_t timer;
    const char *timer_reason;

    struct mr_output outputs[2];
    // Standard input from the host; NULL for that of the process.
    mr_source input_source;
    void *input_context;
    FILE *input;
};

// Ends the host's sleep. Async-signal-safe.
void mr_wake(mr_vm *vm);

// Stops the state because of a signal. Async-signal-safe on the Lua thread.
void mr_stop_by_signal(mr_vm *vm, int signal_number);

// Tags compared by address. mr_wait_tag is yielded by a coroutine that waits for the host; mr_raise_tag as the first value of
// a resume makes the wait raise the second.
extern char mr_wait_tag;
extern char mr_raise_tag;

// lua_resume with the state's fields set: running coroutine, host depth, hook of stop and kill.
int mr_run(mr_vm *vm, lua_State *co, lua_State *from, int nargs, int *nresults);

// lua_resetthread of `co`, which does not run, with the state's fields set. The caller checks `killed` before.
int mr_close_coroutine(mr_vm *vm, lua_State *co);

// Number of outermost functions of `of` that belong to the host. Uses one slot of L's stack.
int mr_host_levels(lua_State *L, lua_State *of);

// Notes that an error is raised in the running coroutine.
void mr_note_raise(mr_vm *vm);
// Restores MR_UNWINDING from `flags`: an error raised since then has been caught.
void mr_restore_unwinding(mr_vm *vm, int flags);
// Pushes the error value that a stop raises.
void mr_push_cancellation(mr_vm *vm, lua_State *L);
// Inserts the outermost function of a task below the task's function and its `nargs` arguments.
void mr_push_body(lua_State *L, int nargs);
bool mr_is_body(lua_CFunction function);

// Sets the deadline timer, made on first use; 0 seconds disarm it. Returns 0 or an errno.
int mr_set_timer(mr_vm *vm, double seconds);

// The lua_Alloc of a state; `ud` is the mr_vm.
void *mr_allocate(void *ud, void *block, size_t old_size, size_t new_size);

// Opens the pool; without memory for it, every block comes from malloc. Close it after the state.
void mr_open_pool(struct mr_pool *pool);
void mr_close_pool(struct mr_pool *pool);

// Closes the streams made by mr_set_output, after the state.
void mr_close_outputs(mr_vm *vm);

// Registry key of the metatable of a host function's box.
extern const char *const mr_host_metatable;

// Whether the value at `index` is the metatable of objects of the host.
bool mr_is_object_metatable(lua_State *L, int index);

// True for the source of one of the host's chunks.
bool mr_is_host_source(const char *source);

// If the message on top of `of` begins with a position in one of the host's chunks, replaces that position with the nearest
// frame of the script, in `of` or else in L. Strings are built on L.
void mr_relocate_error(lua_State *L, lua_State *of);

// The lua_getstack level for the level that a script names. The frame between xpcall's message handler and the error is not
// counted. Uses one slot of L's stack.
int mr_script_level(lua_State *L, lua_State *of, int level);

// Sets pcall and xpcall, which relocate errors.
void mr_open_protected_calls(lua_State *L);

// Opens the reduced `debug`.
int mr_open_debug(lua_State *L);

// Sets os.execute and io.popen.
void mr_open_children(lua_State *L);

// Opens `coroutine` with functions that pass a wait through to the scheduler.
int mr_open_coroutine(lua_State *L);

#endif
