// The C side of the Lua embedding: every call that may longjmp. Used by LuaVM only.
//
// `lua_error`, `lua_yield` and every API call that can raise leave a frame by longjmp, which is undefined behaviour across a
// Swift frame. Swift bodies return a status, and the functions here raise or yield after every Swift frame has returned.
// Swift runs Lua only through the protected functions below.
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

/// One Lua state with its allocator, running coroutine, and stop and kill state.
typedef struct mr_vm mr_vm;

/// Results of a host body besides a count.
enum {
    /// The error value is on top of the stack: raise it.
    MR_RAISE = -1,
    /// Suspend the coroutine until the scheduler resumes it.
    MR_WAIT = -2,
};

/// Body of a host function: finds the arguments on L's stack, returns the number of results or one of the above.
typedef int (*mr_host_body)(lua_State *L, void *context);
/// Releases the context of a host function that Lua has collected.
typedef void (*mr_host_release)(void *context);

/// Makes a state without libraries. `memory_limit` in bytes; 0 means none. NULL when memory is out.
mr_vm *_Nullable mr_vm_new(size_t memory_limit, mr_host_body body, mr_host_release release);
/// Closes the state: runs finalizers and frees all memory.
void mr_vm_free(mr_vm *vm);
/// The main thread of the state.
lua_State *mr_vm_main(mr_vm *vm);
/// The state that a thread belongs to.
mr_vm *mr_vm_of(lua_State *L);
/// Bytes that Lua holds now.
size_t mr_vm_memory(const mr_vm *vm);
/// Makes the nth allocation of scripts from now on fail (0: none). For tests.
void mr_vm_fail_allocation(mr_vm *vm, long nth);

/// Opens the standard libraries, without what could break the host.
/// Returns a Lua status; on failure the message is on top of the main stack.
int mr_vm_open_libraries(mr_vm *vm);

/// Opens `package` and the stock `require`, with Lua's default paths. Returns a Lua status.
int mr_open_packages(mr_vm *vm);

/// Takes bytes that a script writes; returns 0 if the output is closed.
typedef int (*mr_sink)(void *context, const char *bytes, size_t count);
/// Sends what scripts write to standard output (1) or error (2) to `sink`. Returns a Lua status.
int mr_set_output(mr_vm *vm, int which, mr_sink sink, void *context);
/// Gives a script bytes of standard input: returns their number, 0 at the end, -1 for an error with errno set.
typedef long (*mr_source)(void *context, char *bytes, size_t count);
/// Makes standard input come from `source`. Returns a Lua status.
int mr_set_input(mr_vm *vm, mr_source source, void *context);
/// Passes the buffered standard output to its sink.
void mr_flush_output(mr_vm *vm);

/// Pushes a host function whose body is called with `context`. Lua owns `context`.
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

/// What mr_get_field returns in place of a type.
enum { MR_NO_TABLE = -2 };
/// Pushes `table[key]`, read raw, and returns its type. MR_NO_TABLE, with nothing pushed, if there is no table at `index` or no
/// space on the stack. `key` must be a constant: Lua caches it by its address.
int mr_get_field(lua_State *L, int index, const char *key);
/// Sets `table[key]` to the value on top, raw, and pops it. False, with nothing changed, if there is no table at `index` or no
/// space on the stack.
bool mr_set_field(lua_State *L, int index, const char *key);

/// Flags of a coroutine of the host. The state holds them while it runs, the host between runs.
enum {
    /// Its task was cancelled.
    MR_CANCELLED = 1,
    /// An error unwinds it: __close handlers run, until a pcall catches the error.
    MR_UNWINDING = 2,
    /// A stop does not interrupt it (llm.shield).
    MR_SHIELDED = 4,
};
/// Flags of the running coroutine.
int mr_flags(const mr_vm *vm);
void mr_set_flags(mr_vm *vm, int flags);
/// True if a __close handler runs on L: a cancelled task may wait in it.
bool mr_is_cleaning_up(mr_vm *vm, lua_State *L);

/// Resumes the coroutine of a task with `nargs` values on its stack.
/// Returns LUA_OK, LUA_YIELD (it waits for the host) or an error status with the value on top, after its __close handlers.
int mr_resume(mr_vm *vm, lua_State *L, int nargs, int *nresults, int *flags);
/// Pushes onto the main stack the traceback of the error that ended L, and forgets it.
void mr_push_noted_traceback(mr_vm *vm, lua_State *L);
/// Calls the function at registry reference `function` with strings `from` to below `to` of a batch, on a coroutine that runs
/// nothing. String i is between `ends[i - 1]` (0 for the first) and `ends[i]`. Ends after the last string, after
/// mr_stop_delivery, or with a call that returns `false`, waits or raises. Results as of mr_resume, without return values;
/// `stops`: the last call returned `false`.
int mr_deliver_batch(
    mr_vm *vm, lua_State *L, int function, const char *_Nullable bytes, const uint32_t *_Nullable ends, size_t from,
    size_t to, bool *stops, int *flags);
/// The number of strings that the running or last mr_deliver_batch has delivered, the current one included.
size_t mr_delivered(const mr_vm *vm);
/// Makes the running mr_deliver_batch stop after the current string.
void mr_stop_delivery(mr_vm *vm);
/// Pushes the mark that makes the next resume raise the value pushed after it.
void mr_push_raise_mark(lua_State *L);
/// lua_pcall with the memory cap and with stop and kill in effect. Never yields.
int mr_call(mr_vm *vm, lua_State *L, int nargs, int nresults, int handler);

/// lua_resetthread with the memory cap and with stop and kill in effect: runs pending __close handlers.
void mr_reset(mr_vm *vm, lua_State *L);

/// True if a host function on L may wait: no C frame between it and its task prevents a yield.
bool mr_can_wait(mr_vm *vm, lua_State *L);
/// Pushes a text that names what prevents a wait: "a function called by 'sort'".
void mr_push_wait_obstacle(mr_vm *vm, lua_State *L);

/// Pushes the display form of the value at `index`; errors of __tostring are caught.
void mr_push_display(mr_vm *vm, lua_State *L, int index);
/// Pushes a traceback of `of`, from `level` on, onto L.
void mr_push_traceback(lua_State *L, lua_State *of, int level);
/// Pushes "file:line: " of the script's function that called the running host function, or "".
void mr_push_where(lua_State *L);

/// A stop raises the cancellation in the running coroutine, and the host cancels all others. Their __close handlers run, and
/// may wait, for MR_CLEANUP_SECONDS. After that, or at a second request, the state is killed.
enum { MR_CLEANUP_SECONDS = 2 };
/// The phases of a state (mr_phase). A state that stays in MR_STOP_REQUESTED or MR_KILLED is inside a C function that does not
/// return. A state in MR_UNWINDING_TASKS runs __close handlers and is killed when their time is up.
enum {
    MR_RUNNING = 0,
    MR_STOP_REQUESTED = 1,
    MR_UNWINDING_TASKS = 2,
    MR_KILLED = 3,
};
/// Async-signal-safe, on any thread.
int mr_phase(const mr_vm *vm);
/// Stops the state. The cancellation is raised again after each pcall that catches it.
/// Async-signal-safe on the Lua thread once the timer is made (mr_deadline_start, mr_catch_signal). `reason` must outlive
/// the state.
void mr_stop(mr_vm *vm, const char *reason);
/// Notes that the host has cancelled all tasks: tasks that begin from now on run until the kill.
void mr_take_stop(mr_vm *vm);
/// Sets the registry reference of the error value that a stop raises. Default: the reason.
void mr_set_cancellation(mr_vm *vm, int reference);
/// Sets the eventfd that wakes the host when the state is stopped or killed.
void mr_set_wake(mr_vm *vm, int wake_descriptor);
/// Makes every Lua instruction in every coroutine raise an error from now on. No __close handler runs.
/// Async-signal-safe on the Lua thread. `reason` must outlive the state.
void mr_kill(mr_vm *vm, const char *reason);
/// True once killed.
bool mr_killed(const mr_vm *vm);
/// The reason of the stop or kill; NULL without one.
const char *_Nullable mr_kill_reason(const mr_vm *vm);
/// Stops the state after `seconds` of CLOCK_MONOTONIC with a timer signal to the calling thread, which must be the Lua
/// thread. Returns 0 or an errno.
int mr_deadline_start(mr_vm *vm, double seconds, const char *reason);
/// Disarms the deadline.
void mr_deadline_stop(mr_vm *vm);

/// Makes `signal_number` stop the state; a second signal ends the process. For one state per process; called on the Lua
/// thread.
void mr_catch_signal(mr_vm *vm, int signal_number);
/// Makes the first signal only wake the host, which ends its server and then calls mr_finish_graceful; a negative time ends
/// that. If that does not happen within `seconds`, or a second signal comes, the state is stopped. Blocking calls go on
/// after the first signal.
void mr_set_graceful(mr_vm *vm, double seconds);
/// The signal that asked for a graceful end; 0 if none came.
int mr_graceful_signal(const mr_vm *vm);
/// Stops the state because of that signal. Without effect if none came.
void mr_finish_graceful(mr_vm *vm);
/// Whether SIGHUP has come since the last call (mr_catch_signal with SIGHUP).
bool mr_take_reload(mr_vm *vm);
/// The signal that stopped the state; 0 if none.
int mr_caught_signal(const mr_vm *vm);
/// Stops catching signals for the state.
void mr_release_signals(mr_vm *vm);

// A macro that Swift cannot import.
static inline int mr_registry_index(void) { return LUA_REGISTRYINDEX; }

/// Number of declared parameters of the function at `index`; -1 if variadic, 0 for a C function.
int mr_parameter_count(lua_State *L, int index);

#if defined(__clang__)
#pragma clang assume_nonnull end
#endif

#ifdef __cplusplus
}
#endif
#endif
