// The plain reference that moonrill is measured against: libcurl's easy interface, lines split by memchr, simdjson's
// DOM, and one Lua 5.4 call a delta. No retries, no limits, no error events, nothing kept of the reply: the least work
// that gives the same counts. Usage: reference URL [DIALECT]. It prints reasoning deltas, content deltas and bytes of
// text, as count.lua does.

#include <curl/curl.h>
#include <lua.hpp>
#include <simdjson.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <string_view>
#include <vector>

static const char script[] =
    "local reasoning, content, bytes = 0, 0, 0\n"
    "return function(text) reasoning = reasoning + 1; bytes = bytes + #text end,\n"
    "    function(text) content = content + 1; bytes = bytes + #text end,\n"
    "    function() print(reasoning, content, bytes) end\n";

[[noreturn]] static void fail(const char *what) {
    std::fprintf(stderr, "reference: %s\n", what);
    std::exit(1);
}

// Where a dialect's chunks hold text: through members, and where a name is empty through the first element.
using Path = std::vector<const char *>;
struct Shape {
    const char *name;
    Path text, reasoning;
    // Whether chunks are lines that begin with `data:`, and what the last of these holds.
    bool is_sse = true;
    const char *last = nullptr;
};
static const Shape shapes[] = {
    {"openai", {"choices", "", "delta", "content"}, {"choices", "", "delta", "reasoning_content"}, true, "[DONE]"},
    {"anthropic", {"delta", "text"}, {}},
    {"responses", {"delta"}, {}},
    {"gemini", {"candidates", "", "content", "parts", "", "text"}, {}},
    {"tgi", {"token", "text"}, {}},
    {"ollama", {"message", "content"}, {}, false},
    {"cohere", {"delta", "message", "content", "text"}, {}},
};

// What has arrived and is not yet a whole line; simdjson may read past its end, so room is kept there.
struct Reader {
    const Shape *shape = shapes;
    std::vector<char> buffer;
    size_t length = 0;
    simdjson::dom::parser parser;
    lua_State *lua = nullptr;
    int on_reasoning = LUA_NOREF, on_token = LUA_NOREF;
    bool done = false;

    void call(int reference, std::string_view text) {
        lua_rawgeti(lua, LUA_REGISTRYINDEX, reference);
        lua_pushlstring(lua, text.data(), text.size());
        if (lua_pcall(lua, 1, 0, 0) != LUA_OK) fail(lua_tostring(lua, -1));
    }

    void deliver(simdjson::dom::element chunk, const Path &path, int reference) {
        if (path.empty()) return;
        for (const char *name : path) {
            auto next = *name ? chunk[name] : chunk.at(0);
            if (next.get(chunk) != simdjson::SUCCESS) return;
        }
        std::string_view text;
        if (chunk.get_string().get(text) == simdjson::SUCCESS && !text.empty()) call(reference, text);
    }

    void line(const char *start, size_t size) {
        if (shape->is_sse) {
            if (size < 5 || std::memcmp(start, "data:", 5) != 0) return;
            size_t prefix = size > 5 && start[5] == ' ' ? 6 : 5;
            start += prefix;
            size -= prefix;
        }
        if (shape->last && std::string_view(start, size) == shape->last) {
            done = true;
            return;
        }
        simdjson::dom::element chunk;
        if (parser.parse(start, size, false).get(chunk) != simdjson::SUCCESS) fail("a chunk is not JSON");
        deliver(chunk, shape->reasoning, on_reasoning);
        deliver(chunk, shape->text, on_token);
    }

    void take(const char *bytes, size_t count) {
        if (buffer.size() < length + count + simdjson::SIMDJSON_PADDING)
            buffer.resize(2 * (length + count) + simdjson::SIMDJSON_PADDING);
        std::memcpy(buffer.data() + length, bytes, count);
        length += count;
        const char *start = buffer.data(), *end = start + length;
        while (const char *newline = static_cast<const char *>(std::memchr(start, '\n', end - start))) {
            line(start, newline - start);
            start = newline + 1;
        }
        length = end - start;
        std::memmove(buffer.data(), start, length);
    }
};

static size_t write_body(char *bytes, size_t, size_t count, void *reader) {
    static_cast<Reader *>(reader)->take(bytes, count);
    return count;
}

int main(int argc, char **argv) {
    if (argc != 2 && argc != 3) fail("usage: reference URL [DIALECT]");
    Reader reader;
    while (argc == 3 && std::strcmp(reader.shape->name, argv[2]) != 0)
        if (++reader.shape == std::end(shapes)) fail("the dialect is unknown");
    reader.lua = luaL_newstate();
    luaL_openlibs(reader.lua);
    if (luaL_loadstring(reader.lua, script) != LUA_OK || lua_pcall(reader.lua, 0, 3, 0) != LUA_OK)
        fail(lua_tostring(reader.lua, -1));
    int report = luaL_ref(reader.lua, LUA_REGISTRYINDEX);
    reader.on_token = luaL_ref(reader.lua, LUA_REGISTRYINDEX);
    reader.on_reasoning = luaL_ref(reader.lua, LUA_REGISTRYINDEX);

    curl_global_init(CURL_GLOBAL_DEFAULT);
    CURL *easy = curl_easy_init();
    curl_slist *headers = curl_slist_append(nullptr, "Content-Type: application/json");
    curl_easy_setopt(easy, CURLOPT_URL, argv[1]);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, "{\"model\":\"deepseek-reasoner\",\"stream\":true,\"messages\":[]}");
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, write_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, &reader);
    CURLcode code = curl_easy_perform(easy);
    long status = 0;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    if (code != CURLE_OK) fail(curl_easy_strerror(code));
    if (status != 200) fail("the status is not 200");
    if (reader.shape->last && !reader.done) fail("the stream ended without [DONE]");

    lua_rawgeti(reader.lua, LUA_REGISTRYINDEX, report);
    if (lua_pcall(reader.lua, 0, 0, 0) != LUA_OK) fail(lua_tostring(reader.lua, -1));
    curl_easy_cleanup(easy);
    curl_slist_free_all(headers);
    lua_close(reader.lua);
}
