// State of the whole process: secrets in the environment, child processes, the watchdog that ends the process when
// Lua cannot. Used by CLuaShim (children) and MoonrillCommand.
#ifndef CPROCESS_H
#define CPROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__clang__)
#pragma clang assume_nonnull begin
#endif

// ---------------------------------------------------------------------------------------------- environment

/// The entry "NAME=value" of the environment at an index; NULL past the last.
const char *_Nullable mp_variable(size_t index);
/// Keeps a variable in the environment despite later erasure (`--pass-env`).
void mp_keep_variable(const char *name);
/// Removes a variable and overwrites its bytes, so that neither child processes nor /proc/self/environ show it. A
/// kept variable stays.
void mp_erase_variable(const char *name);
/// Removes each variable whose value contains `secret`.
void mp_erase_variables_holding(const char *secret);

/// Sets the soft limit of core files to 0. Children get the original limit.
void mp_forbid_core_files(void);
/// Makes the memory unreadable to other processes of the user (prctl PR_SET_DUMPABLE 0): no core dump, no ptrace,
/// /proc/self belongs to root.
void mp_protect_memory(void);
/// Raises the soft limit of open files to the hard limit. Children get the original limit.
void mp_raise_file_limit(void);

// ------------------------------------------------------------------------------------------ child processes

/// A child process.
typedef struct {
    /// Process id; 0 for none.
    pid_t pid;
    /// The parent's end of the pipe; -1 without one.
    int pipe;
    /// True if the child shares the process group of this process, because that group owns the terminal; otherwise
    /// the child leads its own group.
    bool shares_terminal;
} mp_child;

/// Records the descriptors that this process started with: children inherit only these. Call it before anything is
/// opened; without it children inherit each descriptor that is not close-on-exec.
void mp_note_descriptors(void);
/// Starts `sh -c command`. `pipe_mode` is 'r' (read its standard output), 'w' (write its standard input) or 0. The
/// child has default signals, an empty signal mask and the original limits. Returns 0 or an errno.
int mp_start(const char *command, char pipe_mode, mp_child *child);
/// Waits for the end of the child and reaps it. While `stops(context)` is true, its group is ended: SIGTERM first,
/// SIGKILL 0.7 s later. `status` is as in waitpid(2). Returns 0 or an errno.
int mp_wait(const mp_child *child, bool (*stops)(void *context), void *context, int *status);
/// Drops a child: it is neither awaited nor ended.
void mp_forget(const mp_child *child);
/// Sends a signal to the groups of all children. Async-signal-safe.
void mp_signal_children(int signal_number);

// ------------------------------------------------------------------------------------------------- watchdog

/// Starts the thread that ends the process at its deadline, whatever other threads do. Once a process. Returns 0 or
/// an errno.
int mp_start_watchdog(void);
/// Ends the process with `status` in `seconds` from now, after a `message` to standard error.
void mp_leave_in(double seconds, int status, const char *message);
/// Ends the process with `status` in at most one second. Async-signal-safe.
void mp_leave_soon(int status);
/// True for the first caller, the watchdog included: only that one reports why the process ends.
bool mp_claim_message(void);
/// Extends the grace period to at least `seconds`, if the end has begun.
void mp_extend(double seconds);
/// Ends the process at once: children too, and resets the style of the terminal. Async-signal-safe.
void mp_leave(int status) __attribute__((noreturn));
/// Blocks once the watchdog or a signal is ending the process, so that no other thread changes its status. Call it
/// before any other exit.
void mp_wait_if_leaving(void);
/// Lets SIGINT and SIGTERM end the process with 128 + signal, until something else handles them.
void mp_catch_early_signals(void);
/// Whether standard error has a style that must be reset before the process ends.
void mp_set_styled(bool is_styled);
/// Stream and buffer of the script's standard output: the watchdog writes pending bytes to descriptor 1. `is_busy` is
/// set during a write. NULL: none.
void mp_set_pending_output(FILE *_Nullable file, const char *_Nullable buffer, const volatile int *_Nullable is_busy);

#if defined(__clang__)
#pragma clang assume_nonnull end
#endif

#ifdef __cplusplus
}
#endif
#endif
