// The least that a client can cost which reads a stream through libcurl and calls a Lua function with each piece of its
// text: this one looks at nothing of what it is sent. For every BYTES bytes of body that came it calls the function with
// the next of some texts that it was given, over and over: the stream's own. What a client costs beyond this is its own
// work. Usage: floor URL BYTES TEXTS, where TEXTS is a file of texts, each behind its length in bytes and a line end. It
// prints what count.lua does.

#include <curl/curl.h>
#include <lua.hpp>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

static const char script[] =
    "local reasoning, content, bytes = 0, 0, 0\n"
    "return function(text) content = content + 1; bytes = bytes + #text end,\n"
    "    function() print(reasoning, content, bytes) end\n";

[[noreturn]] static void fail(const char *what) {
    std::fprintf(stderr, "floor: %s\n", what);
    std::exit(1);
}

struct Reader {
    lua_State *lua = nullptr;
    int on_token = LUA_NOREF;
    double bytes_a_delta = 1;
    std::vector<std::string> texts;
    size_t received = 0, told = 0;

    void take(size_t count) {
        received += count;
        // Half a delta early: the last one must not be missed for a rounding.
        for (auto due = static_cast<size_t>(received / bytes_a_delta + 0.5); told < due; told++) {
            const std::string &text = texts[told % texts.size()];
            lua_rawgeti(lua, LUA_REGISTRYINDEX, on_token);
            lua_pushlstring(lua, text.data(), text.size());
            lua_call(lua, 1, 0);
        }
    }
};

static size_t write_body(char *, size_t, size_t count, void *reader) {
    static_cast<Reader *>(reader)->take(count);
    return count;
}

static std::vector<std::string> read_texts(const char *path) {
    std::ifstream in(path, std::ios::binary);
    std::vector<std::string> texts;
    for (size_t length; in >> length && in.get() == '\n';) {
        texts.emplace_back(length, '\0');
        in.read(texts.back().data(), length);
    }
    return texts;
}

int main(int argc, char **argv) {
    if (argc != 4) fail("usage: floor URL BYTES TEXTS");
    Reader reader;
    reader.bytes_a_delta = std::atof(argv[2]);
    reader.texts = read_texts(argv[3]);
    if (reader.texts.empty() || !(reader.bytes_a_delta >= 1)) fail("no texts, or no bytes a delta");
    reader.lua = luaL_newstate();
    luaL_openlibs(reader.lua);
    if (luaL_loadstring(reader.lua, script) != LUA_OK || lua_pcall(reader.lua, 0, 2, 0) != LUA_OK)
        fail(lua_tostring(reader.lua, -1));
    int report = luaL_ref(reader.lua, LUA_REGISTRYINDEX);
    reader.on_token = luaL_ref(reader.lua, LUA_REGISTRYINDEX);

    curl_global_init(CURL_GLOBAL_DEFAULT);
    CURL *easy = curl_easy_init();
    curl_easy_setopt(easy, CURLOPT_URL, argv[1]);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, "{}");
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 64L << 10);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, write_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, &reader);
    CURLcode code = curl_easy_perform(easy);
    long status = 0;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    if (code != CURLE_OK) fail(curl_easy_strerror(code));
    if (status != 200) fail("the status is not 200");

    lua_rawgeti(reader.lua, LUA_REGISTRYINDEX, report);
    if (lua_pcall(reader.lua, 0, 0, 0) != LUA_OK) fail(lua_tostring(reader.lua, -1));
    curl_easy_cleanup(easy);
    lua_close(reader.lua);
}
