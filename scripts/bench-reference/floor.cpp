// The lower bound for a client that calls a Lua function for each piece of text: it receives the body but does not
// parse it. For every BYTES bytes of the body it calls the function with the next text of a file, and starts again at
// the end.
// Usage: floor URL BYTES TEXTS. In the file TEXTS, the length of each text in bytes and a line end precede the text.

#include "client.hpp"

#include <fstream>
#include <string>
#include <vector>

struct Reader {
    Counter counter;
    double bytes_a_delta = 1;
    std::vector<std::string> texts;
    size_t received = 0, delivered = 0;

    void take(const char *, size_t count) {
        received += count;
        // Rounds up at half a delta, so that the last delta is not lost.
        for (auto due = static_cast<size_t>(received / bytes_a_delta + 0.5); delivered < due; delivered++) {
            const std::string &text = texts[delivered % texts.size()];
            lua_rawgeti(counter.lua, LUA_REGISTRYINDEX, counter.on_token);
            lua_pushlstring(counter.lua, text.data(), text.size());
            lua_call(counter.lua, 1, 0);
        }
    }
};

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
    post(argv[1], reader, 64L << 10);
    reader.counter.print();
}
