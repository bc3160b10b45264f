// Standard streams of scripts: C streams whose bytes go to the host, or come from it. An embedding program can capture them, and a
// closed pipe stops the script instead of raising an error at each write.

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "vm.h"

#include <CProcess.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static ssize_t write_out(void *cookie, const char *bytes, size_t count) {
    struct mr_output *output = cookie;
    mr_vm *vm = output->vm;
    if (output->other != NULL) fflush(output->other);
    vm->host++;
    output->is_busy = 1;
    int open = output->sink(output->context, bytes, count);
    output->is_busy = 0;
    vm->host--;
    if (open) return (ssize_t)count;
    mr_stop(vm, "the output was closed");
    errno = EPIPE;
    return 0;
}

static int keep_open(lua_State *L) {
    luaL_Stream *stream = lua_touserdata(L, 1);
    stream->closef = keep_open;
    luaL_pushfail(L);
    lua_pushliteral(L, "cannot close standard file");
    return 2;
}

static int print(lua_State *L) {
    FILE *file = mr_vm_of(L)->outputs[0].file;
    int count = lua_gettop(L);
    for (int i = 1; i <= count; i++) {
        size_t length;
        const char *text = luaL_tolstring(L, i, &length);
        if (i > 1) fputc('\t', file);
        fwrite(text, 1, length, file);
        lua_pop(L, 1);
    }
    fputc('\n', file);
    return 0;
}

static int install(lua_State *L) {
    int which = (int)lua_tointeger(L, 1);
    lua_getglobal(L, "io");
    luaL_Stream *stream = lua_newuserdatauv(L, sizeof *stream, 0);
    stream->f = mr_vm_of(L)->outputs[which - 1].file;
    stream->closef = keep_open;
    luaL_setmetatable(L, LUA_FILEHANDLE);
    if (which == 1) {
        lua_getfield(L, -2, "output");
        lua_pushvalue(L, -2);
        lua_call(L, 1, 0);
        lua_register(L, "print", print);
    }
    lua_setfield(L, -2, which == 1 ? "stdout" : "stderr");
    return 0;
}

static ssize_t read_in(void *cookie, char *bytes, size_t count) {
    mr_vm *vm = cookie;
    vm->host++;
    long got = vm->input_source(vm->input_context, bytes, count);
    vm->host--;
    // A signal has interrupted the read, as with the stream of the system.
    if (got < 0 && errno == 0) errno = EIO;
    return (ssize_t)got;
}

static int install_input(lua_State *L) {
    lua_getglobal(L, "io");
    luaL_Stream *stream = lua_newuserdatauv(L, sizeof *stream, 0);
    stream->f = mr_vm_of(L)->input;
    stream->closef = keep_open;
    luaL_setmetatable(L, LUA_FILEHANDLE);
    lua_getfield(L, -2, "input");
    lua_pushvalue(L, -2);
    lua_call(L, 1, 0);
    lua_setfield(L, -2, "stdin");
    return 0;
}

int mr_set_input(mr_vm *vm, mr_source source, void *context) {
    vm->input_source = source;
    vm->input_context = context;
    cookie_io_functions_t functions = {.read = read_in};
    vm->input = fopencookie(vm, "r", functions);
    if (vm->input == NULL) return LUA_ERRMEM;
    lua_pushcfunction(vm->main, install_input);
    return mr_call(vm, vm->main, 0, 0, 0);
}

int mr_set_output(mr_vm *vm, int which, mr_sink sink, void *context) {
    struct mr_output *output = &vm->outputs[which - 1];
    output->vm = vm;
    output->sink = sink;
    output->context = context;
    cookie_io_functions_t functions = {.write = write_out};
    output->file = fopencookie(output, "w", functions);
    if (output->file == NULL) return LUA_ERRMEM;
    // The host flushes output before it waits. Standard error is unbuffered and flushes standard output first.
    if (which == 1) {
        enum { BUFFER = 1 << 16 };
        output->buffer = malloc(BUFFER);
        setvbuf(output->file, output->buffer, _IOFBF, BUFFER);
        mp_set_pending_output(output->buffer != NULL ? output->file : NULL, output->buffer, &output->is_busy);
    } else {
        setvbuf(output->file, NULL, _IONBF, 0);
        output->other = vm->outputs[0].file;
    }
    lua_pushcfunction(vm->main, install);
    lua_pushinteger(vm->main, which);
    return mr_call(vm, vm->main, 1, 0, 0);
}

void mr_flush_output(mr_vm *vm) {
    if (vm->outputs[0].file != NULL) fflush(vm->outputs[0].file);
}

void mr_close_outputs(mr_vm *vm) {
    mp_set_pending_output(NULL, NULL, NULL);
    if (vm->input != NULL) fclose(vm->input);
    for (int i = 0; i < 2; i++) {
        if (vm->outputs[i].file != NULL) fclose(vm->outputs[i].file);
        free(vm->outputs[i].buffer);
    }
}
