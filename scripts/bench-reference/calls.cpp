// The plain C++ client for many short calls: libcurl's multi interface with epoll, over kept connections. It reads each body to its end
// and requires [DONE] in it; no JSON, no retries, no Lua.
// Usage: calls URL CALLS AT_ONCE [MOST_CONNECTIONS]. Prints the seconds of CPU and of wall time of all calls.

#include "transfers.hpp"

struct Call {
    CURL *easy = nullptr;
    std::string body;
};

static size_t take(char *bytes, size_t, size_t count, void *call) {
    static_cast<Call *>(call)->body.append(bytes, count);
    return count;
}

int main(int argc, char **argv) {
    if (argc != 4 && argc != 5) end_with("usage: calls URL CALLS AT_ONCE [MOST_CONNECTIONS]");
    prepare();
    int left = std::atoi(argv[2]), at_once = std::min(std::atoi(argv[3]), left), running = 0;
    curl_global_init(CURL_GLOBAL_DEFAULT);
    Transfers transfers;
    if (argc == 5) curl_multi_setopt(transfers.multi, CURLMOPT_MAX_HOST_CONNECTIONS, std::atol(argv[4]));
    curl_multi_setopt(transfers.multi, CURLMOPT_MAXCONNECTS, static_cast<long>(at_once));
    curl_slist *headers = curl_slist_append(nullptr, "Content-Type: application/json");
    int64_t began = now();
    double processor_began = processor();
    std::vector<Call> calls(at_once);
    auto start = [&](Call &call) {
        left--;
        running++;
        call.body.clear();
        curl_multi_add_handle(transfers.multi, call.easy);
    };
    for (Call &call : calls) {
        call.easy = chat_request(argv[1], headers);
        curl_easy_setopt(call.easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_2TLS));
        curl_easy_setopt(call.easy, CURLOPT_PIPEWAIT, 1L);
        curl_easy_setopt(call.easy, CURLOPT_WRITEFUNCTION, take);
        curl_easy_setopt(call.easy, CURLOPT_WRITEDATA, &call);
        curl_easy_setopt(call.easy, CURLOPT_PRIVATE, &call);
        start(call);
    }
    while (running > 0) {
        transfers.turn(INT64_MAX, [&](CURL *easy) {
            Call *call = nullptr;
            curl_easy_getinfo(easy, CURLINFO_PRIVATE, &call);
            if (call->body.find("[DONE]") == std::string::npos) end_with("a reply is not whole");
            running--;
            if (left > 0) start(*call);
        });
    }
    std::printf("%.6f %.6f\n", processor() - processor_began, static_cast<double>(now() - began) / 1e9);
}
