// The plain C++ client for many streams at once: libcurl's multi interface with epoll, at most 64 starts a turn, a new connection for
// each stream without a search for an idle one. It finds the texts of provider.cpp in the bytes of whole frames and requires [DONE];
// no JSON parser, no retries, no Lua. Between the turns it keeps a tick of 50 ms.
// Usage: streams URL STREAMS SKIP
// Prints: seconds of CPU and of wall time; deltas; the 99th percentile of the seconds from the server's send to here, for one delta in
// 50 that came after SKIP seconds (0: none came); the longest delay of the tick in seconds; the largest number of streams that had
// their first delta and not their end.

#include "transfers.hpp"

static constexpr int64_t interval = 50'000'000;
static constexpr int starts_a_turn = 64;

static int64_t began, measured_from, deltas, open_streams, most_open;
static std::vector<int64_t> latencies;

struct Stream {
    std::string rest;
    bool is_done = false;

    /// Reads whole frames, and returns the number of bytes read.
    size_t read(std::string_view bytes) {
        auto *end = static_cast<const char *>(memrchr(bytes.data(), '\n', bytes.size()));
        if (!end) return 0;
        bytes = bytes.substr(0, end + 1 - bytes.data());
        static constexpr std::string_view name = "\"content\":\"";
        size_t from = 0;
        for (size_t found; (found = bytes.find(name, from)) != std::string_view::npos;) {
            from = found + name.size();
            if (bytes[from] == '0') most_open = std::max(most_open, ++open_streams);
            if (++deltas % 50 != 0) continue;
            int64_t time = now();
            size_t colon = bytes.find(':', from);
            if (time >= measured_from) latencies.push_back(time - std::atoll(bytes.data() + colon + 1));
        }
        is_done = is_done || bytes.find("[DONE]", from) != std::string_view::npos;
        return bytes.size();
    }

    void take(std::string_view bytes) {
        if (rest.empty()) {
            rest = bytes.substr(read(bytes));
        } else {
            rest += bytes;
            rest.erase(0, read(rest));
        }
    }
};

static size_t take(char *bytes, size_t, size_t count, void *stream) {
    static_cast<Stream *>(stream)->take({bytes, count});
    return count;
}

int main(int argc, char **argv) {
    if (argc != 4) end_with("usage: streams URL STREAMS SKIP");
    prepare();
    size_t count = std::strtoul(argv[2], nullptr, 10), started = 0, ended = 0;
    curl_global_init(CURL_GLOBAL_DEFAULT);
    Transfers transfers;
    curl_multi_setopt(transfers.multi, CURLMOPT_MAXCONNECTS, static_cast<long>(count));
    curl_slist *headers = curl_slist_append(nullptr, "Content-Type: application/json");
    double processor_began = processor();
    began = now();
    measured_from = began + static_cast<int64_t>(std::atof(argv[3]) * 1e9);
    std::vector<Stream> streams(count);
    int64_t tick = began + interval, longest = 0;
    while (ended < count) {
        for (int left = starts_a_turn; left > 0 && started < count; left--) {
            Stream &stream = streams[started++];
            CURL *easy = chat_request(argv[1], headers);
            curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
            curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
            curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take);
            curl_easy_setopt(easy, CURLOPT_WRITEDATA, &stream);
            curl_easy_setopt(easy, CURLOPT_PRIVATE, &stream);
            curl_multi_add_handle(transfers.multi, easy);
        }
        transfers.turn(started < count ? 0 : tick, [&](CURL *easy) {
            Stream *stream = nullptr;
            curl_easy_getinfo(easy, CURLINFO_PRIVATE, &stream);
            if (!stream->is_done) end_with("a reply is not whole");
            curl_easy_cleanup(easy);
            ended++;
            open_streams--;
        });
        if (int64_t time = now(); time >= tick) {
            longest = std::max(longest, time - tick);
            tick = time + interval;
        }
    }
    std::sort(latencies.begin(), latencies.end());
    std::printf("%.6f %.6f %lld %.6f %.6f %lld\n", processor() - processor_began, static_cast<double>(now() - began) / 1e9,
                static_cast<long long>(deltas), static_cast<double>(percentile(latencies, 0.99)) / 1e9,
                static_cast<double>(longest) / 1e9, static_cast<long long>(most_open));
}
