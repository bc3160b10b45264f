// os.execute and io.popen as in stock Lua, with three differences: pending output is flushed first, the host can end the
// child (mp_start), and a stopped script does not wait for it.

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "vm.h"

#include <CProcess.h>
#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

// True while a time limit or a signal stops the script: the command that it waits for is ended. False again once the script
// has noticed, so that its __close handlers may run commands.
static bool is_stopping(void *context) {
    const mr_vm *vm = context;
    return (vm->phase == MR_STOP_REQUESTED || vm->killed) && (vm->caught_signal != 0 || vm->kill_reason == vm->timer_reason);
}

static int push_end(lua_State *L, int error, int status) {
    errno = error;
    return luaL_execresult(L, error != 0 ? -1 : status);
}

// As in system(3): while a command has the terminal, Ctrl-C and Ctrl-\ go to the command. The script gets the signal only
// if the command ended by SIGINT.
static void take_back_signals(const sigset_t *held, const sigset_t *before, int status) {
    bool is_interrupted = (WIFSIGNALED(status) && WTERMSIG(status) == SIGINT)
        || (WIFEXITED(status) && WEXITSTATUS(status) == 128 + SIGINT);
    struct timespec now = {0, 0};
    while (!is_interrupted && sigtimedwait(held, NULL, &now) > 0) {}
    pthread_sigmask(SIG_SETMASK, before, NULL);
}

static int execute(lua_State *L) {
    const char *command = luaL_optstring(L, 1, NULL);
    if (command == NULL) {
        lua_pushboolean(L, access("/bin/sh", X_OK) == 0);
        return 1;
    }
    fflush(NULL);
    sigset_t held, before;
    sigemptyset(&held);
    sigaddset(&held, SIGINT);
    sigaddset(&held, SIGQUIT);
    mp_child child;
    int status = 0;
    int error = mp_start(command, 0, &child);
    if (error != 0) return push_end(L, error, 0);
    if (child.shares_terminal) pthread_sigmask(SIG_BLOCK, &held, &before);
    error = mp_wait(&child, is_stopping, mr_vm_of(L), &status);
    if (child.shares_terminal) take_back_signals(&held, &before, status);
    return push_end(L, error, status);
}

// The io library recognizes a file by its metatable and reads the first member only.
struct command_stream {
    luaL_Stream stream;
    mp_child child;
};

static int close_command(lua_State *L) {
    struct command_stream *command = luaL_checkudata(L, 1, LUA_FILEHANDLE);
    mr_vm *vm = mr_vm_of(L);
    fclose(command->stream.f);
    // As in stock Lua, a script that called os.exit or whose output is closed does not wait.
    if (vm->killed && !is_stopping(vm)) {
        mp_forget(&command->child);
        return 0;
    }
    int status = 0;
    int error = mp_wait(&command->child, is_stopping, vm, &status);
    return push_end(L, error, status);
}

static int open_command(lua_State *L) {
    const char *text = luaL_checkstring(L, 1);
    const char *mode = luaL_optstring(L, 2, "r");
    luaL_argcheck(L, (mode[0] == 'r' || mode[0] == 'w') && mode[1] == '\0', 2, "invalid mode");
    struct command_stream *command = lua_newuserdatauv(L, sizeof *command, 0);
    command->stream.closef = NULL;
    command->stream.f = NULL;
    luaL_setmetatable(L, LUA_FILEHANDLE);
    fflush(NULL);
    int error = mp_start(text, mode[0], &command->child);
    if (error == 0) {
        command->stream.f = fdopen(command->child.pipe, mode);
        if (command->stream.f != NULL) {
            command->stream.closef = close_command;
            return 1;
        }
        error = errno;
        close(command->child.pipe);
        mp_forget(&command->child);
    }
    errno = error;
    return luaL_fileresult(L, 0, text);
}

void mr_open_children(lua_State *L) {
    lua_getglobal(L, "os");
    lua_pushcfunction(L, execute);
    lua_setfield(L, -2, "execute");
    lua_getglobal(L, "io");
    lua_pushcfunction(L, open_command);
    lua_setfield(L, -2, "popen");
    lua_pop(L, 2);
}
