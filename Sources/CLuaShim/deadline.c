// The time limit: a POSIX timer signals the Lua thread, and the handler stops the script. It costs nothing until it fires; a
// count hook makes plain Lua 1.7 to 2.1 times slower.

#include "vm.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

static void fire(int signal_number, siginfo_t *info, void *context) {
    (void)signal_number;
    (void)context;
    mr_vm *vm = info->si_value.sival_ptr;
    if (vm == NULL) return;
    // First call: the deadline, or the end of the time after a first signal. Second call: the time of the __close handlers is
    // up.
    if (vm->phase == MR_RUNNING && vm->graceful_signal != 0) mr_stop_by_signal(vm, vm->graceful_signal);
    else if (vm->phase == MR_RUNNING) mr_stop(vm, vm->timer_reason);
    else mr_kill(vm, vm->kill_reason);
}

static int make_timer(mr_vm *vm) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = fire;
    // No SA_RESTART, so that a blocking io.read is interrupted.
    action.sa_flags = SA_SIGINFO;
    if (sigaction(SIGRTMIN + 7, &action, NULL) != 0) return errno;
    // Threads of libdispatch's pool run with all signals blocked.
    sigset_t ours;
    sigemptyset(&ours);
    sigaddset(&ours, SIGRTMIN + 7);
    int masked = pthread_sigmask(SIG_UNBLOCK, &ours, NULL);
    if (masked != 0) return masked;
    struct sigevent event;
    memset(&event, 0, sizeof event);
    event.sigev_notify = SIGEV_THREAD_ID;
    event.sigev_signo = SIGRTMIN + 7;
    event.sigev_value.sival_ptr = vm;
    event.sigev_notify_thread_id = (pid_t)syscall(SYS_gettid);
    if (timer_create(CLOCK_MONOTONIC, &event, &vm->timer) != 0) return errno;
    vm->has_timer = 1;
    return 0;
}

int mr_set_timer(mr_vm *vm, double seconds) {
    // Signal handlers call this only after the timer was made.
    int error = vm->has_timer ? 0 : make_timer(vm);
    if (error != 0) return error;
    struct itimerspec when;
    memset(&when, 0, sizeof when);
    // The kernel refuses times that overflow time_t; 1e9 seconds are 31 years.
    if (!(seconds < 1e9)) seconds = 1e9;
    double whole = floor(seconds);
    when.it_value.tv_sec = (time_t)whole;
    when.it_value.tv_nsec = (long)((seconds - whole) * 1e9);
    return timer_settime(vm->timer, 0, &when, NULL) == 0 ? 0 : errno;
}

int mr_deadline_start(mr_vm *vm, double seconds, const char *reason) {
    mr_deadline_stop(vm);
    vm->timer_reason = reason;
    // 1 ns is the smallest value that arms a timer.
    int error = mr_set_timer(vm, seconds < 1e-9 ? 1e-9 : seconds);
    if (error != 0) mr_deadline_stop(vm);
    return error;
}

void mr_deadline_stop(mr_vm *vm) {
    if (!vm->has_timer) return;
    vm->has_timer = 0;
    timer_delete(vm->timer);
}
