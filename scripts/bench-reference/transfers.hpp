// Shared by the C++ clients of many transfers: libcurl's multi interface on epoll.

#pragma once

#include "processor.hpp"
#include "sockets.hpp"

#include <curl/curl.h>

[[noreturn]] inline void end_with(const char *what) {
    std::fprintf(stderr, "bench client: %s\n", what);
    std::exit(1);
}

/// A POST of a short chat request to `url`. SSL_CERT_FILE names the certificates to trust. `headers` must outlive the handle.
inline CURL *chat_request(const char *url, curl_slist *headers) {
    CURL *easy = curl_easy_init();
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    if (const char *authorities = std::getenv("SSL_CERT_FILE")) curl_easy_setopt(easy, CURLOPT_CAINFO, authorities);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS,
                     "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"stream\":true}");
    return easy;
}

/// Transfers that run at once. One object a process.
class Transfers {
  public:
    CURLM *multi = curl_multi_init();

    Transfers() {
        curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, watch);
        curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, this);
        curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, set_timer);
        curl_multi_setopt(multi, CURLMOPT_TIMERDATA, this);
    }

    /// Waits for sockets and curl's timer, at most to the time `until`, and handles them. Calls `done(easy)` for each
    /// transfer that has ended with status 200; any other end is fatal. `done` may add transfers.
    template <typename Done> void turn(int64_t until, Done done) {
        int64_t left = std::min({until - now(), due - now(), second});
        epoll_event events[256];
        int count = epoll_wait(descriptor, events, 256, left <= 0 ? 0 : static_cast<int>((left + 999'999) / 1'000'000));
        int running = 0;
        for (int index = 0; index < count; index++) {
            uint32_t ready = events[index].events;
            int flags = (ready & EPOLLIN ? CURL_CSELECT_IN : 0) | (ready & EPOLLOUT ? CURL_CSELECT_OUT : 0)
                | (ready & (EPOLLHUP | EPOLLERR) ? CURL_CSELECT_ERR : 0);
            curl_multi_socket_action(multi, events[index].data.fd, flags, &running);
        }
        if (now() >= due) {
            due = never;
            curl_multi_socket_action(multi, CURL_SOCKET_TIMEOUT, 0, &running);
        }
        int waiting = 0;
        while (CURLMsg *message = curl_multi_info_read(multi, &waiting)) {
            if (message->msg != CURLMSG_DONE) continue;
            CURL *easy = message->easy_handle;
            long status = 0;
            curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
            if (message->data.result != CURLE_OK) end_with(curl_easy_strerror(message->data.result));
            if (status != 200) end_with("the status is not 200");
            curl_multi_remove_handle(multi, easy);
            done(easy);
        }
    }

  private:
    static constexpr int64_t never = INT64_MAX, second = 1'000'000'000;
    int descriptor = epoll_create1(EPOLL_CLOEXEC);
    int64_t due = never;

    static int watch(CURL *, curl_socket_t socket, int what, void *user, void *) {
        int descriptor = static_cast<Transfers *>(user)->descriptor;
        epoll_event event{};
        event.data.fd = socket;
        if (what != CURL_POLL_OUT) event.events |= EPOLLIN;
        if (what != CURL_POLL_IN) event.events |= EPOLLOUT;
        if (what == CURL_POLL_REMOVE) {
            epoll_ctl(descriptor, EPOLL_CTL_DEL, socket, nullptr);
        } else if (epoll_ctl(descriptor, EPOLL_CTL_MOD, socket, &event) != 0) {
            epoll_ctl(descriptor, EPOLL_CTL_ADD, socket, &event);
        }
        return 0;
    }

    static int set_timer(CURLM *, long milliseconds, void *user) {
        static_cast<Transfers *>(user)->due = milliseconds < 0 ? never : now() + milliseconds * 1'000'000;
        return 0;
    }
};
