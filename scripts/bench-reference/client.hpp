// Shared by the C++ clients: Lua functions that count deltas as count.lua does, and one POST with libcurl.

#include "processor.hpp"

#include <curl/curl.h>
#include <lua.hpp>

#include <cstdio>
#include <cstdlib>
#include <initializer_list>

[[noreturn]] inline void fail(const char *what) {
    std::fprintf(stderr, "bench client: %s\n", what);
    std::exit(1);
}

/// A Lua state with references to three functions: count a piece of reasoning, count a piece of text, print the counts.
struct Counter {
    lua_State *lua = luaL_newstate();
    int on_reasoning = LUA_NOREF, on_token = LUA_NOREF, report = LUA_NOREF;

    Counter() {
        static const char script[] =
            "local reasoning, content, bytes = 0, 0, 0\n"
            "return function(text) reasoning = reasoning + 1; bytes = bytes + #text end,\n"
            "    function(text) content = content + 1; bytes = bytes + #text end,\n"
            "    function() print(reasoning, content, bytes) end\n";
        luaL_openlibs(lua);
        if (luaL_loadstring(lua, script) != LUA_OK || lua_pcall(lua, 0, 3, 0) != LUA_OK) fail(lua_tostring(lua, -1));
        for (int *function : {&report, &on_token, &on_reasoning}) *function = luaL_ref(lua, LUA_REGISTRYINDEX);
    }
    ~Counter() { lua_close(lua); }

    void print() {
        lua_rawgeti(lua, LUA_REGISTRYINDEX, report);
        if (lua_pcall(lua, 0, 0, 0) != LUA_OK) fail(lua_tostring(lua, -1));
    }
};

template <typename Reader> size_t write_body(char *bytes, size_t, size_t count, void *reader) {
    static_cast<Reader *>(reader)->take(bytes, count);
    return count;
}

/// Requests a stream and passes each piece of the body to `reader.take(bytes, count)`; then `again` times more, over the same
/// connection. `buffer` is the size of libcurl's buffer in bytes. Returns the seconds of CPU of the requests after the first.
template <typename Reader> double post(const char *url, Reader &reader, long buffer = CURL_MAX_WRITE_SIZE, int again = 0) {
    curl_global_init(CURL_GLOBAL_DEFAULT);
    CURL *easy = curl_easy_init();
    curl_slist *headers = curl_slist_append(nullptr, "Content-Type: application/json");
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, "{\"model\":\"deepseek-reasoner\",\"stream\":true,\"messages\":[]}");
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, buffer);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, write_body<Reader>);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, &reader);
    double began = 0;
    for (int number = 0; number <= again; number++) {
        if (number == 1) began = processor();
        CURLcode code = curl_easy_perform(easy);
        long status = 0;
        curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
        if (code != CURLE_OK) fail(curl_easy_strerror(code));
        if (status != 200) fail("the status is not 200");
    }
    double used = again > 0 ? processor() - began : 0;
    curl_easy_cleanup(easy);
    curl_slist_free_all(headers);
    return used;
}
