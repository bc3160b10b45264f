// The C side of the Lua embedding: everything that may longjmp, and nothing else.
//
// `lua_error`, `lua_yield` and every API call that can raise leave a frame by longjmp, which is undefined
// behaviour across a Swift frame. So Swift bodies return a status, and the functions here raise or yield after
// every Swift frame is gone; Swift runs Lua only through the protected entries below. Called by LuaVM alone.
#ifndef CLUASHIM_H
#define CLUASHIM_H

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__clang__)
#pragma clang assume_nonnull begin
#endif

/// One Lua state with its accounting: allocator, host depth, running coroutine, kill switch.
typedef struct mr_vm mr_vm;

/// What a host body answers instead of a count of results.
enum {
    /// The error value is on top of the stack: raise it.
    MR_RAISE = -1,
    /// Suspend the running coroutine until the scheduler resumes it.
    MR_WAIT = -2,
};

/// A host function's body: runs with the arguments on `L`'s stack, answers a count of results or one of the above.
typedef int (*mr_host_body)(lua_State *L, void *context);
/// Gives up a host function's context when Lua collects it.
typedef void (*mr_host_release)(void *context);

/// Makes a state without libraries. `memory_limit` in bytes; 0 means none. NULL when memory is out.
mr_vm *_Nullable mr_vm_new(size_t memory_limit, mr_host_body body, mr_host_release release);
/// Closes the state: runs finalizers, frees everything.
void mr_vm_free(mr_vm *vm);
/// The main thread of the state.
lua_State *mr_vm_main(mr_vm *vm);
/// The machine that a thread belongs to.
mr_vm *mr_vm_of(lua_State *L);
/// Bytes that Lua holds now.
size_t mr_vm_memory(const mr_vm *vm);
/// Lets the nth allocation from now that scripts make fail (0: none). For tests of running out of memory.
void mr_vm_fail_allocation(mr_vm *vm, long nth);

/// Opens the standard libraries that a script may use, each pruned to what cannot break the host.
/// Returns a Lua status; on failure the message is on top of the main stack.
int mr_vm_open_libraries(mr_vm *vm);

/// Opens `package` and the stock `require`, with Lua's default paths. Returns a Lua status.
int mr_open_packages(mr_vm *vm);

/// Takes bytes that a script writes; returns 0 when nobody reads them any more.
typedef int (*mr_sink)(void *context, const char *bytes, size_t count);
/// Sends what scripts write to standard output (1) or error (2) to `sink`. Returns a Lua status.
int mr_set_output(mr_vm *vm, int which, mr_sink sink, void *context);
/// Hands the sink what standard output has buffered.
void mr_flush_output(mr_vm *vm);

/// Pushes a host function whose body is called with `context`; Lua owns `context` from here on.
void mr_push_host_function(lua_State *L, void *context);

/// Releases an object of the host by its slot in the host's table `context`. Called from a finalizer, at any allocation
/// that Lua makes and during mr_vm_free, or from `__close`. Must not call Lua.
typedef void (*mr_object_release)(void *context, size_t slot);
/// Sets what releases objects. `context` must outlive the state.
void mr_set_objects(mr_vm *vm, mr_object_release release, void *context);
/// Pushes the metatable of a new type of userdata; `name` is its `__name`. Needs 4 slots of the stack.
void mr_push_object_type(lua_State *L, const char *name);
/// Pushes a userdata that stands for the object in `slot` (above 0). `type` is a registry reference to the metatable.
/// Needs 2 slots of the stack.
void mr_push_object(lua_State *L, int type, size_t slot);
/// The slot of the userdata at `index`; 0 if it was released, or if the value is no userdata of that type. Needs 2 slots of
/// the stack.
size_t mr_object_at(lua_State *L, int index, int type);

/// How a coroutine of the host's stands. Kept by the host between runs, and by the state while it runs.
enum {
    /// Its task was cancelled.
    MR_CANCELLED = 1,
    /// An error is on its way out: what runs is a __close handler, until a pcall catches the error.
    MR_UNWINDING = 2,
    /// A stop does not interrupt what runs (llm.shield).
    MR_SHIELDED = 4,
};
/// Those of the coroutine that runs.
int mr_flags(const mr_vm *vm);
void mr_set_flags(mr_vm *vm, int flags);
/// True when what runs on `L` is a __close handler, so that a cancelled task may wait for its end.
bool mr_is_cleaning_up(mr_vm *vm, lua_State *L);

/// Resumes a task's coroutine from the host with `nargs` values on its stack.
/// Returns LUA_OK, LUA_YIELD (the coroutine waits for the host) or an error status with the value on top, after the
/// pending __close handlers have run.
int mr_resume(mr_vm *vm, lua_State *L, int nargs, int *nresults, int *flags);
/// Pushes on the main stack the traceback of the error that ended `L`, once.
void mr_push_noted_traceback(mr_vm *vm, lua_State *L);
/// Runs the function that the registry keeps at `function` with each of some strings, one after the other, on a
/// coroutine that runs nothing: string i is what lies between `ends[i - 1]` (0 for the first) and `ends[i]`, and those
/// from `from` to below `to` are told. It is over when all were, when mr_stop_delivery was called, or when one call
/// returned `false`, waits or raised: as in mr_resume, but what calls return is dropped, and `stops` says whether the
/// last of them returned `false`.
int mr_deliver_batch(
    mr_vm *vm, lua_State *L, int function, const char *_Nullable bytes, const uint32_t *_Nullable ends, size_t from,
    size_t to, bool *stops, int *flags);
/// How many strings the present mr_deliver_batch, or the last one, has told, the one whose call runs among them.
size_t mr_delivered(const mr_vm *vm);
/// Lets the present mr_deliver_batch tell no more.
void mr_stop_delivery(mr_vm *vm);
/// Pushes the mark that makes the next resume raise the value pushed after it.
void mr_push_raise_mark(lua_State *L);
/// lua_pcall with the memory cap in force and the kill switch armed. Never yields.
int mr_call(mr_vm *vm, lua_State *L, int nargs, int nresults, int handler);

/// lua_resetthread with the memory cap in force and the kill switch armed: runs the pending __close handlers.
void mr_reset(mr_vm *vm, lua_State *L);

/// True when a host function running on `L` may wait: no C frame that cannot yield lies between it and its task.
bool mr_can_wait(mr_vm *vm, lua_State *L);
/// Pushes a text that names what stands in the way of waiting, as "table.sort" or "a finalizer".
void mr_push_wait_obstacle(mr_vm *vm, lua_State *L);

/// Pushes the display form of the value at `index` (__tostring honoured, errors in it caught).
void mr_push_display(mr_vm *vm, lua_State *L, int index);
/// Pushes a traceback of `of` onto `L`, beginning at `level`.
void mr_push_traceback(lua_State *L, lua_State *of, int level);
/// Pushes "file:line:" of the Lua function that called the running host function, or "".
void mr_push_where(lua_State *L);

/// Stopping has two steps. A stop raises the cancellation in the coroutine that runs and lets the host cancel all
/// others; their __close handlers run, and may wait, for MR_CLEANUP_SECONDS. Then, or at a second request, comes the kill.
enum { MR_CLEANUP_SECONDS = 2 };
/// Where a state stands between its beginning and its end: mr_phase. For a watchdog: a state that stays
/// MR_STOP_REQUESTED or MR_KILLED for long is inside a C function that does not return; one that is MR_UNWINDING_TASKS
/// runs __close handlers, and is killed when their time is up.
enum {
    MR_RUNNING = 0,
    MR_STOP_REQUESTED = 1,
    MR_UNWINDING_TASKS = 2,
    MR_KILLED = 3,
};
/// Async-signal-safe, and safe on any thread.
int mr_phase(const mr_vm *vm);
/// Begins to stop the state. The cancellation is raised again after each pcall that catches it.
/// Async-signal-safe on the Lua thread once the timer is made (mr_deadline_start, mr_catch_signal). `reason` must outlive
/// the state.
void mr_stop(mr_vm *vm, const char *reason);
/// The host has cancelled all tasks: what is begun from now on is not stopped before its time is up.
void mr_take_stop(mr_vm *vm);
/// The registry's reference to the error value that a stop raises; without one it is the reason.
void mr_set_cancellation(mr_vm *vm, int reference);
/// The eventfd that ends the host's sleep when the state is stopped or killed.
void mr_set_wake(mr_vm *vm, int wake_descriptor);
/// Makes every Lua instruction from now on raise `reason`, in every coroutine, until mr_unkill: no __close handler runs.
/// Async-signal-safe on the Lua thread. `reason` must outlive the state.
void mr_kill(mr_vm *vm, const char *reason);
/// Takes a stop or a kill back.
void mr_unkill(mr_vm *vm);
/// True once killed.
bool mr_killed(const mr_vm *vm);
/// Why it was stopped or killed; NULL when it was not.
const char *_Nullable mr_kill_reason(const mr_vm *vm);
/// Stops the state after `seconds` of CLOCK_MONOTONIC, by a timer signal to the calling thread, which must be the
/// one that runs Lua. Costs nothing until it fires. Returns 0 or an errno.
int mr_deadline_start(mr_vm *vm, double seconds, const char *reason);
/// Disarms the deadline.
void mr_deadline_stop(mr_vm *vm);

/// Lets `signal_number` stop the state; a second one ends the process. One state a process; to be called on the thread
/// that runs it.
void mr_catch_signal(mr_vm *vm, int signal_number);
/// The signal that did; 0 if none.
int mr_caught_signal(const mr_vm *vm);
/// Gives the signals back, before the state goes.
void mr_release_signals(mr_vm *vm);

// Macros and defaults that Swift cannot import.
static inline int mr_registry_index(void) { return LUA_REGISTRYINDEX; }
static inline int mr_upvalue_index(int i) { return lua_upvalueindex(i); }
static inline int mr_minimum_stack(void) { return LUA_MINSTACK; }

/// Number of declared parameters of the function at `index`; -1 when variadic, 0 when written in C.
int mr_parameter_count(lua_State *L, int index);

#if defined(__clang__)
#pragma clang assume_nonnull end
#endif

#ifdef __cplusplus
}
#endif
#endif
