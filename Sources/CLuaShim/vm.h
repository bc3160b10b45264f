// Private to the shim: what a machine holds.
#ifndef MR_VM_H
#define MR_VM_H

#include "CLuaShim.h"

#include <signal.h>
#include <time.h>

struct mr_vm {
    lua_State *main;
    mr_host_body body;
    mr_host_release release;

    // Memory. The cap binds only while no host frame is on top (host == 0), so that pushes made by the host need no
    // protected call; the host's own excess is met by the next allocation a script makes.
    size_t memory;
    size_t memory_limit;
    long fail_in;
    int host;

    // The coroutine that runs now, for the kill switch; NULL while the host waits in its loop.
    lua_State *volatile running;
    // The outermost coroutine of the running task: yielding from it would leave the scheduler without a wait.
    lua_State *task;
    // How many enclosing resumes were made where their own coroutine cannot yield.
    int blocked;

    volatile sig_atomic_t killed;
    const char *volatile kill_reason;
    int has_timer;
    timer_t timer;
    const char *timer_reason;
};

// Tags compared by address: what a coroutine yields while it waits for the host, and what the host passes back to
// make the wait raise.
extern char mr_wait_tag;
extern char mr_raise_tag;

// Runs `co` with the switchboard set: running coroutine, host depth, armed kill.
int mr_run(mr_vm *vm, lua_State *co, lua_State *from, int nargs, int *nresults);

// Opens `coroutine` with resume, wrap and yield that let a wait pass through to the scheduler.
int mr_open_coroutine(lua_State *L);

#endif
