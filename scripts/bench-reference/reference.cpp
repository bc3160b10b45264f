// The plain C++ client that Moonrill is compared with: libcurl's easy interface, lines split by memchr, simdjson's DOM,
// and one Lua 5.4 call a delta. It has no retries, limits or error events, and does not keep the reply.
// Usage: reference URL [DIALECT [TIMES]]. With TIMES: requests once, then TIMES in a row, counts all, and prints also the seconds of
// CPU of those after the first.

#include "client.hpp"

#include <simdjson.h>

#include <cstring>
#include <iterator>
#include <string_view>
#include <vector>

// The path of the text in the chunks of a wire format: names of members; an empty name is the first element of an
// array.
using Path = std::vector<const char *>;
struct Shape {
    const char *name;
    Path text, reasoning;
    // Whether chunks are lines that begin with `data:`, and the payload of the last line.
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

// Buffers the received data up to a whole line. simdjson reads past the end of its input, so the buffer has padding.
struct Reader {
    const Shape *shape = shapes;
    std::vector<char> buffer;
    size_t length = 0;
    simdjson::dom::parser parser;
    Counter counter;
    bool done = false;

    void call(int reference, std::string_view text) {
        lua_State *lua = counter.lua;
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
        deliver(chunk, shape->reasoning, counter.on_reasoning);
        deliver(chunk, shape->text, counter.on_token);
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

int main(int argc, char **argv) {
    if (argc < 2 || argc > 4) fail("usage: reference URL [DIALECT [TIMES]]");
    Reader reader;
    while (argc > 2 && std::strcmp(reader.shape->name, argv[2]) != 0)
        if (++reader.shape == std::end(shapes)) fail("the dialect is unknown");
    double used = post(argv[1], reader, CURL_MAX_WRITE_SIZE, argc == 4 ? std::atoi(argv[3]) : 0);
    if (reader.shape->last && !reader.done) fail("the stream ended without [DONE]");
    reader.counter.print();
    if (argc == 4) std::printf("%.6f\n", used);
}
