// Child processes of scripts. Each leads a process group, so that everything a command started can be ended. If the
// group of this process owns the terminal, a child stays in it: otherwise it could neither read the terminal nor
// receive Ctrl-C.

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

// Running children: the process id of a group leader, or the negated id of a child in our group. Signal handlers and
// the watchdog read it. Children beyond the end of the table are not ended with the process.
enum { MOST_CHILDREN = 1024 };
static _Atomic pid_t children[MOST_CHILDREN];

static void add(const mp_child *child) {
    for (int i = 0; i < MOST_CHILDREN; i++) {
        pid_t none = 0;
        pid_t entry = child->shares_terminal ? -child->pid : child->pid;
        if (atomic_compare_exchange_strong(&children[i], &none, entry)) return;
    }
}

void mp_forget(const mp_child *child) {
    pid_t entry = child->shares_terminal ? -child->pid : child->pid;
    for (int i = 0; i < MOST_CHILDREN; i++) {
        pid_t seen = entry;
        if (atomic_compare_exchange_strong(&children[i], &seen, 0)) return;
    }
}

// Writes "/proc/PID/task/PID/children" (proc(5)); snprintf(3) is not async-signal-safe.
static void name_children_file(pid_t pid, char *path) {
    char digits[12];
    int count = 0;
    for (unsigned rest = (unsigned)pid; count == 0 || rest > 0; rest /= 10) digits[count++] = (char)('0' + rest % 10);
    char *end = path;
    const char *const parts[] = {"/proc/", "/task/", "/children"};
    for (int part = 0; part < 3; part++) {
        size_t length = strlen(parts[part]);
        memcpy(end, parts[part], length);
        end += length;
        for (int i = count; part < 2 && i > 0; i--) *end++ = digits[i - 1];
    }
    *end = '\0';
}

// Signals a process and its descendants, the deepest first. For those that share our group.
static void signal_tree(pid_t pid, int signal_number, int depth) {
    char path[64], text[4096];
    name_children_file(pid, path);
    int file = depth < 16 ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file >= 0) {
        ssize_t count = read(file, text, sizeof text);
        close(file);
        pid_t number = 0;
        for (ssize_t i = 0; i < count; i++) {
            if (text[i] >= '0' && text[i] <= '9') {
                number = number * 10 + (text[i] - '0');
            } else if (number > 0) {
                signal_tree(number, signal_number, depth + 1);
                number = 0;
            }
        }
    }
    kill(pid, signal_number);
}

static void signal_entry(pid_t entry, int signal_number) {
    if (entry > 0) {
        kill(-entry, signal_number);
        // A stopped process acts on SIGKILL alone until it continues.
        if (signal_number != SIGKILL) kill(-entry, SIGCONT);
    } else if (entry < 0) {
        signal_tree(-entry, signal_number, 0);
    }
}

void mp_signal_children(int signal_number) {
    int saved = errno;
    for (int i = 0; i < MOST_CHILDREN; i++) signal_entry(atomic_load(&children[i]), signal_number);
    errno = saved;
}

static bool has_terminal(void) {
    int terminal = open("/dev/tty", O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (terminal < 0) return false;
    bool is_ours = tcgetpgrp(terminal) == getpgrp();
    close(terminal);
    return is_ours;
}

// The descriptors from 3 that this process started with, sorted. -1: not recorded, or too many.
enum { MOST_INHERITED = 64 };
static int inherited[MOST_INHERITED], inherited_count = -1;

void mp_note_descriptors(void) {
    DIR *folder = opendir("/proc/self/fd");
    if (folder == NULL) return;
    bool found[4096] = {false};
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        int number = atoi(entry->d_name);
        if (number > STDERR_FILENO && number != dirfd(folder) && number < 4096) found[number] = true;
    }
    closedir(folder);
    int count = 0;
    for (int number = STDERR_FILENO + 1; number < 4096; number++) {
        if (!found[number]) continue;
        if (count == MOST_INHERITED) return;
        inherited[count++] = number;
    }
    inherited_count = count;
}

// libcurl 7.88 opens its wakeup sockets without close-on-exec. close_range(2) is as old as Linux 5.9 (5.11 with the flag);
// where it fails, children get them.
static void hide_own_descriptors(void) {
    unsigned first = STDERR_FILENO + 1;
    for (int i = 0; i < inherited_count; i++) {
        unsigned kept = (unsigned)inherited[i];
        if (kept > first) syscall(SYS_close_range, first, kept - 1, 4 /* CLOSE_RANGE_CLOEXEC */);
        first = kept + 1;
    }
    if (inherited_count >= 0) syscall(SYS_close_range, first, ~0U, 4);
}

// After vfork(2), in memory shared with the waiting parent: only system calls, no return.
static _Noreturn void become(const char *command, int own, int target, bool leads_group) {
    if (leads_group) setpgid(0, 0);
    // No handlers here; an ignored SIGPIPE would stay ignored in the new program.
    for (int number = 1; number < NSIG; number++) {
        struct sigaction action;
        if (sigaction(number, NULL, &action) != 0) continue;
        if (action.sa_handler == SIG_DFL || (action.sa_handler == SIG_IGN && number != SIGPIPE)) continue;
        memset(&action, 0, sizeof action);
        action.sa_handler = SIG_DFL;
        sigaction(number, &action, NULL);
    }
    if (mp_original_files.is_known) setrlimit(RLIMIT_NOFILE, &mp_original_files.limit);
    if (mp_original_core.is_known) setrlimit(RLIMIT_CORE, &mp_original_core.limit);
    hide_own_descriptors();
    if (own >= 0 && own != target) dup2(own, target);
    if (own >= 0 && own == target) fcntl(own, F_SETFD, 0);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    char *const arguments[] = {"sh", "-c", (char *)command, NULL};
    execve("/bin/sh", arguments, environ);
    _exit(127);
}

int mp_start(const char *command, char pipe_mode, mp_child *child) {
    int ends[2] = {-1, -1};
    if (pipe_mode != 0 && pipe2(ends, O_CLOEXEC) != 0) return errno;
    bool reads = pipe_mode == 'r';
    int own = ends[reads ? 1 : 0];
    child->pipe = ends[reads ? 0 : 1];
    child->shares_terminal = has_terminal();
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    pid_t pid = vfork();
    if (pid == 0) become(command, own, reads ? STDOUT_FILENO : STDIN_FILENO, !child->shares_terminal);
    int error = errno;
    child->pid = pid;
    // Before a signal can end this process: a child outside the table would outlive it.
    if (pid > 0) add(child);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (own >= 0) close(own);
    if (pid > 0) return 0;
    if (child->pipe >= 0) close(child->pipe);
    return error;
}

int mp_wait(const mp_child *child, bool (*stops)(void *context), void *context, int *status) {
    int64_t asked = 0;
    int error = 0;
    // pidfd_open(2): a signal just before the wait cannot make it endless. Before Linux 5.3: short sleeps.
    int handle = (int)syscall(SYS_pidfd_open, child->pid, 0);
    while (true) {
        siginfo_t seen;
        memset(&seen, 0, sizeof seen);
        if (waitid(P_PID, (id_t)child->pid, &seen, WEXITED | WNOHANG | WNOWAIT) != 0 && errno != EINTR) {
            error = errno;
            break;
        }
        if (seen.si_pid == child->pid) break;
        if (stops(context)) {
            pid_t entry = child->shares_terminal ? -child->pid : child->pid;
            if (asked == 0) {
                asked = mp_now();
                signal_entry(entry, SIGTERM);
            } else if (mp_now() - asked > 700000000) {
                signal_entry(entry, SIGKILL);
            }
        }
        struct pollfd state = {.fd = handle, .events = POLLIN};
        poll(&state, 1, handle < 0 ? 5 : 100);
    }
    if (handle >= 0) close(handle);
    // Before it is reaped: afterwards its id may belong to another process.
    mp_forget(child);
    if (error != 0) return error;
    while (waitpid(child->pid, status, 0) < 0)
        if (errno != EINTR) return errno;
    return 0;
}
