// The plain C++ client for many short calls: libcurl's multi interface with epoll, over kept connections. It reads each body to its end
// and requires [DONE] in it; no JSON, no retries, no Lua.
// Usage: calls URL CALLS AT_ONCE [MOST_CONNECTIONS]. Prints the seconds of CPU and of wall time of all calls.

#include "client.hpp"

#include <sys/epoll.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <string>
#include <vector>

struct Call {
    CURL *easy = nullptr;
    std::string body;
};

static size_t take(char *bytes, size_t, size_t count, void *call) {
    static_cast<Call *>(call)->body.append(bytes, count);
    return count;
}

static int poll_descriptor;
static long timeout = -1;

static int watch(CURL *, curl_socket_t socket, int what, void *, void *) {
    epoll_event event{};
    event.data.fd = socket;
    if (what != CURL_POLL_OUT) event.events |= EPOLLIN;
    if (what != CURL_POLL_IN) event.events |= EPOLLOUT;
    if (what == CURL_POLL_REMOVE) {
        epoll_ctl(poll_descriptor, EPOLL_CTL_DEL, socket, nullptr);
    } else if (epoll_ctl(poll_descriptor, EPOLL_CTL_MOD, socket, &event) != 0) {
        epoll_ctl(poll_descriptor, EPOLL_CTL_ADD, socket, &event);
    }
    return 0;
}

static int set_timeout(CURLM *, long milliseconds, void *) {
    timeout = milliseconds;
    return 0;
}

static double processor() {
    rusage used;
    getrusage(RUSAGE_SELF, &used);
    return static_cast<double>(used.ru_utime.tv_sec + used.ru_stime.tv_sec)
        + static_cast<double>(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

int main(int argc, char **argv) {
    if (argc != 4 && argc != 5) fail("usage: calls URL CALLS AT_ONCE [MOST_CONNECTIONS]");
    int left = std::atoi(argv[2]), at_once = std::atoi(argv[3]);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    CURLM *multi = curl_multi_init();
    poll_descriptor = epoll_create1(EPOLL_CLOEXEC);
    curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, watch);
    curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, set_timeout);
    if (argc == 5) curl_multi_setopt(multi, CURLMOPT_MAX_HOST_CONNECTIONS, std::atol(argv[4]));
    curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, static_cast<long>(at_once));
    curl_slist *headers = curl_slist_append(nullptr, "Content-Type: application/json");
    auto began = std::chrono::steady_clock::now();
    double processor_began = processor();
    std::vector<Call> calls(at_once);
    auto start = [&](Call &call) {
        left--;
        call.body.clear();
        curl_multi_add_handle(multi, call.easy);
    };
    for (Call &call : calls) {
        call.easy = curl_easy_init();
        curl_easy_setopt(call.easy, CURLOPT_URL, argv[1]);
        curl_easy_setopt(call.easy, CURLOPT_HTTPHEADER, headers);
        curl_easy_setopt(call.easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_2TLS));
        curl_easy_setopt(call.easy, CURLOPT_PIPEWAIT, 1L);
        if (const char *authorities = std::getenv("SSL_CERT_FILE"))
            curl_easy_setopt(call.easy, CURLOPT_CAINFO, authorities);
        curl_easy_setopt(call.easy, CURLOPT_POSTFIELDS,
                         "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"stream\":true}");
        curl_easy_setopt(call.easy, CURLOPT_WRITEFUNCTION, take);
        curl_easy_setopt(call.easy, CURLOPT_WRITEDATA, &call);
        curl_easy_setopt(call.easy, CURLOPT_PRIVATE, &call);
        if (left > 0) start(call);
    }
    for (int running = 1; running > 0;) {
        epoll_event events[256];
        int count = epoll_wait(poll_descriptor, events, 256, static_cast<int>(std::min(timeout, 1000L)));
        for (int index = 0; index < count; index++) {
            int flags = (events[index].events & (EPOLLIN | EPOLLHUP | EPOLLERR) ? CURL_CSELECT_IN : 0)
                | (events[index].events & EPOLLOUT ? CURL_CSELECT_OUT : 0);
            curl_multi_socket_action(multi, events[index].data.fd, flags, &running);
        }
        if (count <= 0) {
            timeout = -1;
            curl_multi_socket_action(multi, CURL_SOCKET_TIMEOUT, 0, &running);
        }
        int waiting = 0;
        while (CURLMsg *message = curl_multi_info_read(multi, &waiting)) {
            if (message->msg != CURLMSG_DONE) continue;
            Call *call = nullptr;
            curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &call);
            long status = 0;
            curl_easy_getinfo(message->easy_handle, CURLINFO_RESPONSE_CODE, &status);
            if (message->data.result != CURLE_OK) fail(curl_easy_strerror(message->data.result));
            if (status != 200 || call->body.find("[DONE]") == std::string::npos) fail("a reply is not whole");
            curl_multi_remove_handle(multi, call->easy);
            if (left > 0) {
                start(*call);
                running++;
            }
        }
    }
    std::chrono::duration<double> wall = std::chrono::steady_clock::now() - began;
    std::printf("%.6f %.6f\n", processor() - processor_began, wall.count());
}
