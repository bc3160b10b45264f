// SIGINT and SIGTERM for the foreground script: the first one stops the script and wakes its loop, the second one ends the
// process. The watchdog (CProcess) ends a process that does not stop.

#include "vm.h"

#include <CProcess.h>
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

static mr_vm *volatile foreground;
static pthread_t foreground_thread;

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
    // The second signal, or one while the script is stopped for another reason, ends the process at once.
    if (vm->phase != MR_RUNNING) mp_leave(128 + signal_number);
    vm->caught_signal = signal_number;
    mp_leave_soon(128 + signal_number);
    mr_stop(vm, "interrupted");
    errno = saved;
}

void mr_catch_signal(mr_vm *vm, int signal_number) {
    foreground_thread = pthread_self();
    // Made here, because timer_create is not async-signal-safe.
    mr_set_timer(vm, 0);
    foreground = vm;
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal;
    // No SA_RESTART, so that a blocking io.read is interrupted.
    sigaction(signal_number, &action, NULL);
    // The parent may have started this process with the signal blocked.
    sigset_t ours;
    sigemptyset(&ours);
    sigaddset(&ours, signal_number);
    pthread_sigmask(SIG_UNBLOCK, &ours, NULL);
}

int mr_caught_signal(const mr_vm *vm) { return vm->caught_signal; }

void mr_release_signals(mr_vm *vm) {
    if (foreground == vm) foreground = NULL;
}
