// Shared by the programs of `scripts/bench serve`: nonblocking sockets on loopback, epoll, chunked bodies, percentiles.

#pragma once

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

[[noreturn]] inline void fail(const char *what) {
    std::fprintf(stderr, "bench: %s: %s\n", what, std::strerror(errno));
    std::exit(1);
}

/// CLOCK_MONOTONIC in nanoseconds: the same clock in all processes of the machine.
inline int64_t now() {
    timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1'000'000'000LL + time.tv_nsec;
}

/// Raises the limit of descriptors to the hard limit, and ignores SIGPIPE.
inline void prepare() {
    rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    signal(SIGPIPE, SIG_IGN);
}

/// A descriptor is registered once, edge-triggered, for everything: a read that fills less than its buffer has read all,
/// unless the peer has closed (EPOLLRDHUP).
struct Poll {
    int descriptor = epoll_create1(0);
    epoll_event events[512];

    void add(int socket) {
        epoll_event event{};
        event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
        event.data.fd = socket;
        if (epoll_ctl(descriptor, EPOLL_CTL_ADD, socket, &event) != 0) fail("epoll_ctl");
    }
    int wait(int milliseconds) {
        int count = epoll_wait(descriptor, events, 512, milliseconds);
        if (count < 0 && errno != EINTR) fail("epoll_wait");
        return std::max(count, 0);
    }
};

inline void without_delay(int socket) {
    int one = 1;
    setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

inline sockaddr_in loopback(int port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    return address;
}

/// Listens on a free port of 127.0.0.1 and prints the origin.
inline int listen_on_loopback() {
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    sockaddr_in address = loopback(0);
    socklen_t length = sizeof address;
    if (bind(listener, reinterpret_cast<sockaddr *>(&address), sizeof address) != 0 || listen(listener, 4096) != 0)
        fail("listen");
    getsockname(listener, reinterpret_cast<sockaddr *>(&address), &length);
    std::printf("http://127.0.0.1:%d\n", ntohs(address.sin_port));
    std::fflush(stdout);
    return listener;
}

/// Begins to connect. Sources beyond 0 are other addresses of loopback: above 14,000 connections of one address to one port,
/// connect() is slow.
inline int connect_to(int port, int source = 0) {
    int connection = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (connection < 0) fail("socket");
    without_delay(connection);
    if (source > 0) {
        int one = 1;
        setsockopt(connection, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
        sockaddr_in own = loopback(0);
        own.sin_addr.s_addr = htonl(INADDR_LOOPBACK + source);
        if (bind(connection, reinterpret_cast<sockaddr *>(&own), sizeof own) != 0) fail("bind");
    }
    sockaddr_in address = loopback(port);
    if (connect(connection, reinterpret_cast<sockaddr *>(&address), sizeof address) != 0 && errno != EINPROGRESS)
        fail("connect");
    return connection;
}

/// What a socket has not taken yet.
struct Output {
    std::string waiting;

    /// Sends, or keeps what the socket does not take. Returns false if the connection is broken.
    bool send(int socket, std::string_view bytes) {
        if (!waiting.empty()) {
            waiting += bytes;
            return true;
        }
        ssize_t sent = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN && errno != ENOTCONN) return false;
        waiting.assign(bytes.substr(std::max<ssize_t>(sent, 0)));
        return true;
    }
    bool flush(int socket) {
        if (waiting.empty()) return true;
        std::string bytes;
        bytes.swap(waiting);
        return send(socket, bytes);
    }
};

/// Reads the head of a response, then the data of its chunks (RFC 9112 section 7.1) or its plain body.
struct Response {
    std::string head;
    int status = 0;
    bool is_complete = false;

    /// Appends the data in `bytes` to `body`.
    void take(std::string_view bytes, std::string &body) {
        while (!bytes.empty() && !is_complete) {
            if (status == 0) {
                size_t before = head.size();
                head += bytes;
                size_t end = head.find("\r\n\r\n", before < 3 ? 0 : before - 3);
                if (end == std::string::npos) return;
                bytes.remove_prefix(end + 4 - before);
                head.resize(end + 2);
                read_head();
                continue;
            }
            if (!is_chunked || left > 0) {
                size_t count = std::min(bytes.size(), left);
                body += bytes.substr(0, count);
                left -= count;
                bytes.remove_prefix(count);
                if (left == 0 && !is_chunked) is_complete = true;
                continue;
            }
            // The line of a size, or the empty line after data.
            char byte = bytes.front();
            bytes.remove_prefix(1);
            if (byte == '\n') {
                if (!has_digits) continue;
                left = size;
                if (size == 0) is_complete = true;
                size = 0;
                has_digits = false;
            } else if (byte != '\r') {
                has_digits = true;
                size = size * 16 + (byte <= '9' ? byte - '0' : (byte | 0x20) - 'a' + 10);
            }
        }
    }

  private:
    bool is_chunked = false, has_digits = false;
    size_t left = SIZE_MAX, size = 0;

    void read_head() {
        status = std::atoi(head.c_str() + 9);
        is_chunked = strcasestr(head.c_str(), "\r\ntransfer-encoding: chunked") != nullptr;
        if (is_chunked) left = 0;
        if (const char *length = strcasestr(head.c_str(), "\r\ncontent-length:")) {
            left = std::strtoull(length + 17, nullptr, 10);
            is_complete = left == 0;
        }
        head.clear();
        head.shrink_to_fit();
    }
};

/// Reads all that a socket has. Calls `take(bytes)`. Returns false at the end of the connection.
template <typename Take> bool receive(int socket, uint32_t events, Take take) {
    static char buffer[64 << 10];
    for (;;) {
        ssize_t count = recv(socket, buffer, sizeof buffer, 0);
        if (count < 0) return errno == EAGAIN || errno == ENOTCONN;
        if (count == 0) return false;
        take(std::string_view(buffer, count));
        if (count < static_cast<ssize_t>(sizeof buffer) && !(events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))) return true;
    }
}

/// The value below which `share` of the sorted samples lie; 0 without samples.
template <typename Sample> Sample percentile(const std::vector<Sample> &sorted, double share) {
    return sorted.empty() ? 0 : sorted[std::min(sorted.size() - 1, static_cast<size_t>(sorted.size() * share))];
}
