// Private to the shim: what a machine holds.
#ifndef MR_VM_H
#define MR_VM_H

#include "CLuaShim.h"

#include <signal.h>
#include <stdio.h>
#include <time.h>

// Where one standard stream of the script goes.
struct mr_output {
    mr_vm *vm;
    mr_sink sink;
    void *context;
    FILE *file;
    char *buffer;
    // True while the sink runs.
    volatile int is_busy;
    // Flushed before this one is written: what was printed first shows first.
    FILE *other;
};

// An arena for small blocks of memory: by size, in steps of MR_GRAIN bytes, those given back; and how much of the arena
// none was cut from yet.
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

    // Memory. The cap binds only while no host frame is on top (host == 0), so that pushes made by the host need no
    // protected call; the host's own excess is met by the next allocation a script makes.
    struct mr_pool pool;
    size_t memory;
    size_t memory_limit;
    long fail_in;
    int host;

    // The coroutine that runs now, for the kill switch; NULL while the host waits in its loop.
    lua_State *volatile running;
    // The outermost coroutine of the running task: yielding from it would leave the scheduler without a wait.
    lua_State *task;
    // The coroutine that is being closed: its __close handlers run where nothing can wait.
    lua_State *closing;
    // How many enclosing resumes were made where their own coroutine cannot yield.
    int blocked;

    // What mr_deliver_batch has delivered, and whether it is to tell no more.
    size_t delivered;
    bool stops_telling;

    // MR_CANCELLED and the like, of the coroutine that runs.
    int flags;

    // Stopping in two steps: an orderly stop that unwinds tasks, and, when that takes too long, the kill.
    _Atomic int phase;
    // The host has cancelled the tasks that there were.
    bool stop_taken;
    // The registry's reference to the error value that a stop raises.
    int cancellation;
    // The eventfd that ends the host's sleep; -1 for none.
    int wake_descriptor;

    volatile sig_atomic_t killed;
    const char *volatile kill_reason;
    volatile sig_atomic_t caught_signal;
    int has_timer;
    timer_t timer;
    const char *timer_reason;

    struct mr_output outputs[2];
};

// Tags compared by address: what a coroutine yields while it waits for the host, and what the host passes back to
// make the wait raise.
extern char mr_wait_tag;
extern char mr_raise_tag;

// Runs `co` with the switchboard set: running coroutine, host depth, armed kill.
int mr_run(mr_vm *vm, lua_State *co, lua_State *from, int nargs, int *nresults);

// Closes `co`, which does not run, as lua_resetthread does, with the switchboard set. The kill switch is the caller's to
// look at before.
int mr_close_coroutine(mr_vm *vm, lua_State *co);

// How many of the outermost functions of `of` are the host's own. L lends a slot of its stack.
int mr_host_levels(lua_State *L, lua_State *of);

// Notes that an error is raised in the coroutine that runs.
void mr_note_raise(mr_vm *vm);
// Gives MR_UNWINDING back as it is in `flags`: an error that was raised since has been caught.
void mr_restore_unwinding(mr_vm *vm, int flags);
// Pushes the error value that a stop raises.
void mr_push_cancellation(mr_vm *vm, lua_State *L);
// Puts the function of a task's outermost call under its function and its arguments.
void mr_push_body(lua_State *L, int nargs);
bool mr_is_body(lua_CFunction function);

// Sets the timer of the deadline, which is made if need be; 0 seconds disarm it. Returns 0 or an errno.
int mr_set_timer(mr_vm *vm, double seconds);

// The lua_Alloc of a machine, which is `ud`.
void *mr_allocate(void *ud, void *block, size_t old_size, size_t new_size);

// Opens the pool; where there is no memory for it, every block is the C library's. It is closed after the state.
void mr_open_pool(struct mr_pool *pool);
void mr_close_pool(struct mr_pool *pool);

// Closes the streams made by mr_set_output, after the state.
void mr_close_outputs(mr_vm *vm);

// The name in the registry of the metatable of a host function's box.
extern const char *const mr_host_metatable;

// Whether the value at `index` is the metatable of objects of the host.
bool mr_is_object_metatable(lua_State *L, int index);

// Whether a chunk with that source is one of the host's own.
bool mr_is_host_source(const char *source);

// If the value on top of `of`, a thread that raised it, is a message that begins with a position in one of the host's
// chunks, puts the position of the nearest frame of the script in its place: one of `of`'s, else one of L's. The strings
// are made on L.
void mr_relocate_error(lua_State *L, lua_State *of);

// The level for lua_getstack that scripts know as `level`: they do not see the frame between xpcall's message handler and
// the error. L lends a slot of its stack.
int mr_script_level(lua_State *L, lua_State *of, int level);

// Sets pcall and xpcall, which relocate errors.
void mr_open_protected_calls(lua_State *L);

// Opens `debug` without what writes.
int mr_open_debug(lua_State *L);

// Puts os.execute and io.popen in their places.
void mr_open_children(lua_State *L);

// Opens `coroutine` with resume, wrap and yield that let a wait pass through to the scheduler.
int mr_open_coroutine(lua_State *L);

#endif
