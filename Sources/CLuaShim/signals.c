// SIGINT and SIGTERM for the foreground script: the first one stops the script and wakes its loop, the second one ends the
// process. A script that serves ends its server first (mr_set_graceful), and SIGHUP makes that read its certificate again. The
// watchdog (CProcess) ends a process that does not stop.

#include "vm.h"

#include <CProcess.h>
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

static mr_vm *volatile foreground;
static pthread_t foreground_thread;

void mr_stop_by_signal(mr_vm *vm, int signal_number) {
    vm->caught_signal = signal_number;
    mp_leave_soon(128 + signal_number);
    mr_stop(vm, "interrupted");
}

static void on_signal(int signal_number) {
    int saved = errno;
    mr_vm *vm = foreground;
    if (vm == NULL) mp_leave(128 + signal_number);
    // A process-directed signal may arrive on any thread, but the hook may be set only on the Lua thread.
    if (!pthread_equal(pthread_self(), foreground_thread)) {
        pthread_kill(foreground_thread, signal_number);
        errno = saved;
        return;
    }
    if (signal_number == SIGHUP) {
        vm->reload_asked = 1;
        mr_wake(vm);
        errno = saved;
        return;
    }
    if (vm->is_graceful && vm->graceful_signal == 0 && vm->phase == MR_RUNNING) {
        vm->graceful_signal = signal_number;
        // A script that does not come back to the host is stopped then.
        mr_set_timer(vm, vm->graceful_seconds);
        mr_wake(vm);
        errno = saved;
        return;
    }
    // The second signal, or one while the script is stopped for another reason, ends the process at once.
    if (vm->phase != MR_RUNNING) mp_leave(128 + signal_number);
    mr_stop_by_signal(vm, signal_number);
    errno = saved;
}

// Without SA_RESTART a blocking io.read is interrupted.
static void install(int signal_number, int flags) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal;
    action.sa_flags = flags;
    sigaction(signal_number, &action, NULL);
}

void mr_catch_signal(mr_vm *vm, int signal_number) {
    foreground_thread = pthread_self();
    // Made here, because timer_create is not async-signal-safe.
    if (!vm->has_timer) mr_set_timer(vm, 0);
    foreground = vm;
    install(signal_number, signal_number == SIGHUP ? SA_RESTART : 0);
    // The parent may have started this process with the signal blocked.
    sigset_t ours;
    sigemptyset(&ours);
    sigaddset(&ours, signal_number);
    pthread_sigmask(SIG_UNBLOCK, &ours, NULL);
}

void mr_set_graceful(mr_vm *vm, double seconds) {
    vm->graceful_seconds = seconds;
    vm->is_graceful = seconds >= 0;
    static const int signals[] = {SIGINT, SIGTERM};
    for (int i = 0; i < 2; i++) {
        struct sigaction current;
        if (sigaction(signals[i], NULL, &current) != 0 || current.sa_handler != on_signal) continue;
        install(signals[i], vm->is_graceful ? SA_RESTART : 0);
    }
}

int mr_graceful_signal(const mr_vm *vm) { return vm->graceful_signal; }

void mr_finish_graceful(mr_vm *vm) {
    if (vm->graceful_signal != 0 && vm->phase == MR_RUNNING) mr_stop_by_signal(vm, vm->graceful_signal);
}

bool mr_take_reload(mr_vm *vm) {
    bool is_asked = vm->reload_asked != 0;
    vm->reload_asked = 0;
    return is_asked;
}

int mr_caught_signal(const mr_vm *vm) { return vm->caught_signal; }

void mr_release_signals(mr_vm *vm) {
    if (foreground == vm) foreground = NULL;
}
