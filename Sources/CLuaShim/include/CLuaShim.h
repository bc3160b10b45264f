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

/// Resumes a task's coroutine from the host with `nargs` values on its stack.
/// Returns LUA_OK, LUA_YIELD (the coroutine waits for the host) or an error status with the value on top.
int mr_resume(mr_vm *vm, lua_State *L, int nargs, int *nresults);
/// Runs the function that the registry keeps at `function` with each of some strings, one after the other, on a
/// coroutine that runs nothing: string i is what lies between `ends[i - 1]` (0 for the first) and `ends[i]`, and those
/// from `from` to below `to` are told. It is over when all were, when mr_stop_telling was called, or when one call
/// returned `false`, waits or raised: as in mr_resume, but what calls return is dropped, and `stops` says whether the
/// last of them returned `false`.
int mr_tell(
    mr_vm *vm, lua_State *L, int function, const char *_Nullable bytes, const uint32_t *_Nullable ends, size_t from,
    size_t to, bool *stops);
/// How many strings the present mr_tell, or the last one, has told, the one whose call runs among them.
size_t mr_told(const mr_vm *vm);
/// Lets the present mr_tell tell no more.
void mr_stop_telling(mr_vm *vm);
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

/// Makes every Lua instruction from now on raise `reason`, in every coroutine, until mr_unkill.
/// Async-signal-safe on the Lua thread. `reason` must outlive the state.
void mr_kill(mr_vm *vm, const char *reason);
/// Takes a kill back.
void mr_unkill(mr_vm *vm);
/// True once killed.
bool mr_killed(const mr_vm *vm);
/// Why it was killed; NULL when it was not.
const char *_Nullable mr_kill_reason(const mr_vm *vm);
/// Kills the state after `seconds` of CLOCK_MONOTONIC, by a timer signal to the calling thread, which must be the
/// one that runs Lua. Costs nothing until it fires. Returns 0 or an errno.
int mr_deadline_start(mr_vm *vm, double seconds, const char *reason);
/// Disarms the deadline.
void mr_deadline_stop(mr_vm *vm);

/// Lets `signal_number` kill the state and wake its loop through the eventfd `wake_descriptor`. One state a process; to
/// be called on the thread that runs it.
void mr_catch_signal(mr_vm *vm, int signal_number, int wake_descriptor);
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
