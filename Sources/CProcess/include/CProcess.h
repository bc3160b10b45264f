// What belongs to the whole process and not to one script: the environment's secrets, child processes, and the watchdog
// that ends the process when Lua cannot. No Lua here. Called by CLuaShim (children) and MoonrillCommand (the rest).
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

/// The entry "NAME=value" of the environment with that index; NULL past the last.
const char *_Nullable mp_variable(size_t index);
/// Keeps a variable in the environment whatever is erased later (`--pass-env`).
void mp_keep_variable(const char *name);
/// Removes a variable from the environment and overwrites its bytes, so that neither child processes nor
/// /proc/self/environ show it. Does nothing for one that is kept.
void mp_erase_variable(const char *name);
/// The same for each variable whose value contains `secret`.
void mp_erase_variables_holding(const char *secret);

/// Sets the soft limit of core files to 0. Children get the original limit back.
void mp_forbid_core_files(void);
/// Makes the memory unreadable to other processes of the user (prctl PR_SET_DUMPABLE 0): no core dump, no ptrace, and
/// /proc/self belongs to root.
void mp_protect_memory(void);
/// Raises the soft limit of open files to the hard one. Children get the original limit back.
void mp_raise_file_limit(void);

// ------------------------------------------------------------------------------------------ child processes

/// A child process.
typedef struct {
    /// Its number; 0 for none.
    pid_t pid;
    /// The parent's end of the pipe; -1 without one.
    int pipe;
    /// True if the child is in this process's own group, because that group has the terminal; otherwise the child leads
    /// a group.
    bool shares_terminal;
} mp_child;

/// Notes the descriptors that this process was started with: children get these, and none that was opened since. To be
/// called before anything is opened; without it children get all that are not close-on-exec.
void mp_note_descriptors(void);
/// Starts `sh -c command`. `pipe_mode` is 'r' (its standard output is read), 'w' (its standard input is written) or 0.
/// The child has default signals, an empty signal mask and the limits that this process was started with.
/// Returns 0 or an errno.
int mp_start(const char *command, char pipe_mode, mp_child *child);
/// Waits for its end and reaps it. While `stops(context)` is true the child's group is ended: SIGTERM first, SIGKILL
/// 0.7 s later. `status` is as waitpid(2) gives it. Returns 0 or an errno.
int mp_wait(const mp_child *child, bool (*stops)(void *context), void *context, int *status);
/// Forgets a child: nobody waits for it or ends it any more.
void mp_forget(const mp_child *child);
/// Sends a signal to the groups of all children. Async-signal-safe.
void mp_signal_children(int signal_number);

// ------------------------------------------------------------------------------------------------- watchdog

/// Starts the thread that ends the process when its time is up, whatever the other threads do. Once a process.
/// Returns 0 or an errno.
int mp_start_watchdog(void);
/// Lets the watchdog end the process with `status` in `seconds` from now, after writing `message` to standard error.
void mp_leave_in(double seconds, int status, const char *message);
/// Lets the watchdog end the process with `status` in one second, if not sooner. Async-signal-safe.
void mp_leave_soon(int status);
/// True for the first caller, the watchdog among them: the others do not say why the process ends.
bool mp_claim_message(void);
/// Gives the process at least `seconds` more, if its end has begun.
void mp_extend(double seconds);
/// Ends the process at once: children too, and the terminal's style is reset. Async-signal-safe.
void mp_leave(int status) __attribute__((noreturn));
/// Waits for ever once the process is being ended by the watchdog or a signal, so that no other thread gives it another
/// status. To be called before any other end.
void mp_wait_if_leaving(void);
/// Lets SIGINT and SIGTERM end the process with 128 + the signal's number, until something else handles them.
void mp_catch_early_signals(void);
/// Whether standard error has a style that must be reset before the process ends.
void mp_set_styled(bool is_styled);
/// The stream of the script's standard output and its buffer: what is pending when the watchdog ends the process is
/// written to descriptor 1. `is_busy` is set while the stream is being written. NULL: no longer.
void mp_set_pending_output(FILE *_Nullable file, const char *_Nullable buffer, const volatile int *_Nullable is_busy);

#if defined(__clang__)
#pragma clang assume_nonnull end
#endif

#ifdef __cplusplus
}
#endif
#endif
