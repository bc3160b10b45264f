// A thread that ends the process at its deadline. Independent of other threads, which may be inside a C function that
// never returns.

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "process.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

// Deadline (nanoseconds of CLOCK_MONOTONIC) and status. 0: none yet.
static _Atomic int64_t leave_at;
static _Atomic int leave_status;
// True once the end has begun: a signal, or the deadline; grace follows.
static _Atomic int64_t begins_at;
static char *_Atomic leave_message;
static _Atomic bool styled;
static _Atomic bool is_leaving;
static _Atomic bool is_message_claimed;
static int wake = -1;

static FILE *_Atomic pending_file;
static const char *_Atomic pending_buffer;
static const volatile int *_Atomic pending_busy;

int64_t mp_now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

// Writes what the reader accepts within a tenth of a second per piece: a pipe without a reader must not delay the
// end.
static void write_briefly(int descriptor, const char *bytes, size_t count) {
    while (count > 0) {
        struct pollfd state = {.fd = descriptor, .events = POLLOUT};
        if (poll(&state, 1, 100) != 1 || (state.revents & POLLOUT) == 0) return;
        // A writable pipe accepts PIPE_BUF bytes without blocking (pipe(7)).
        ssize_t written = write(descriptor, bytes, count < 4096 ? count : 4096);
        if (written <= 0) return;
        bytes += written;
        count -= (size_t)written;
    }
}

void mp_leave(int status) {
    atomic_store(&is_leaving, true);
    mp_signal_children(SIGKILL);
    if (atomic_load(&styled)) write_briefly(STDERR_FILENO, "\033[0m", 4);
    _exit(status);
}

void mp_wait_if_leaving(void) {
    while (atomic_load(&is_leaving)) pause();
}

bool mp_claim_message(void) { return !atomic_exchange(&is_message_claimed, true); }

static void leave(void) {
    // The end of the children may unblock other threads: they must not end the process in another way.
    atomic_store(&is_leaving, true);
    FILE *file = atomic_load(&pending_file);
    const volatile int *busy = atomic_load(&pending_busy);
    // The thread of the stream is stuck elsewhere; inside a write it may have written a part.
    if (file != NULL && !*busy) write_briefly(STDOUT_FILENO, atomic_load(&pending_buffer), __fpending(file));
    if (atomic_load(&styled)) write_briefly(STDERR_FILENO, "\033[0m\n", 5);
    atomic_store(&styled, false);
    const char *message = atomic_load(&leave_message);
    if (message != NULL && mp_claim_message()) write_briefly(STDERR_FILENO, message, strlen(message));
    mp_leave(atomic_load(&leave_status));
}

static void *watch(void *unused) {
    (void)unused;
    while (true) {
        int64_t at = atomic_load(&leave_at);
        int64_t left = at - mp_now();
        if (at != 0 && left <= 0) leave();
        int timeout = -1;
        if (at != 0) timeout = left > 1000000000000 ? 1000000 : (int)(left / 1000000) + 1;
        struct pollfd state = {.fd = wake, .events = POLLIN};
        if (poll(&state, 1, timeout) != 1) continue;
        uint64_t count;
        ssize_t got = read(wake, &count, sizeof count);
        (void)got; // What counts is what it was written for.
    }
    return NULL;
}

static void wake_up(void) {
    uint64_t one = 1;
    ssize_t written = write(wake, &one, sizeof one);
    (void)written; // A full counter means that the thread is awake.
}

int mp_start_watchdog(void) {
    if (wake >= 0) return 0;
    wake = eventfd(0, EFD_CLOEXEC);
    if (wake < 0) return errno;
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, 1 << 17);
    pthread_t thread;
    int error = pthread_create(&thread, &attributes, watch, NULL);
    pthread_attr_destroy(&attributes);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

void mp_leave_in(double seconds, int status, const char *message) {
    // Thirty years equal no limit.
    if (!(seconds < 1e9)) seconds = 1e9;
    free(atomic_exchange(&leave_message, strdup(message)));
    atomic_store(&leave_status, status);
    int64_t at = mp_now() + (int64_t)(seconds * 1e9);
    // The last second is grace.
    atomic_store(&begins_at, at - 1000000000);
    atomic_store(&leave_at, at);
    if (wake >= 0) wake_up();
}

void mp_leave_soon(int status) {
    int64_t now = mp_now(), before = atomic_load(&leave_at);
    // The first cause wins.
    if (before != 0 && atomic_load(&begins_at) <= now) return;
    atomic_store(&leave_status, status);
    atomic_store(&leave_message, NULL);
    atomic_store(&begins_at, now);
    atomic_store(&leave_at, now + 1000000000);
    if (wake >= 0) wake_up();
}

void mp_extend(double seconds) {
    int64_t now = mp_now(), before = atomic_load(&leave_at);
    if (before == 0 || atomic_load(&begins_at) > now) return;
    int64_t at = now + (int64_t)(seconds * 1e9);
    if (at > before) atomic_store(&leave_at, at);
}

static void on_early_signal(int signal_number) { mp_leave(128 + signal_number); }

void mp_catch_early_signals(void) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_early_signal;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    // A parent may have started this process with these signals blocked.
    sigset_t ours;
    sigemptyset(&ours);
    sigaddset(&ours, SIGINT);
    sigaddset(&ours, SIGTERM);
    pthread_sigmask(SIG_UNBLOCK, &ours, NULL);
}

void mp_set_styled(bool is_styled) { atomic_store(&styled, is_styled); }

void mp_set_pending_output(FILE *file, const char *buffer, const volatile int *is_busy) {
    atomic_store(&pending_file, NULL);
    atomic_store(&pending_buffer, buffer);
    atomic_store(&pending_busy, is_busy);
    atomic_store(&pending_file, file);
}
