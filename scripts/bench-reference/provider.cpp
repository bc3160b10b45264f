// A provider for `scripts/bench serve`: Chat Completions as paced streams. Prints its origin.
// Usage: provider RATE DELTAS
//
// Each stream has DELTAS deltas, RATE a second, the first after a random part of the interval. With RATE 0 it has one
// delta and stays open. The text of a delta is "NUMBER:TIME ", TIME in nanoseconds of CLOCK_MONOTONIC when it was sent.
// GET /closes lists the streams that were closed before their end: the number in the prompt "client-NUMBER", and the time.
// Its last line is "open COUNT", the streams that run.

#include "sockets.hpp"

#include <queue>
#include <random>

struct Connection {
    std::string request;
    Output output;
    int client = -1, sent = 0;
    bool is_streaming = false;
    uint32_t generation = 0;
};

struct Due {
    int64_t time;
    int socket;
    uint32_t generation;
    bool operator<(const Due &other) const { return time > other.time; }
};

static std::vector<Connection> connections(1 << 17);
static std::priority_queue<Due> schedule;
static std::vector<std::pair<int, int64_t>> closes;
static std::minstd_rand chance(1);
static int64_t interval;
static int deltas, running;

#define FRAME \
    "data: {\"id\":\"chatcmpl-9f3b2c1d8e7a4f60\",\"object\":\"chat.completion.chunk\",\"created\":1732300000," \
    "\"model\":\"mock\",\"choices\":[{\"index\":0,\"delta\":{%s},\"logprobs\":null,\"finish_reason\":%s}]}\n\n"

static void drop(int socket) {
    Connection &connection = connections[socket];
    if (connection.is_streaming) {
        closes.emplace_back(connection.client, now());
        running--;
    }
    uint32_t generation = connection.generation + 1;
    connection = Connection();
    connection.generation = generation;
    close(socket);
}

static void send_chunk(int socket, const char *data, int length) {
    char chunk[1024];
    int size = std::snprintf(chunk, sizeof chunk, "%x\r\n%.*s\r\n", length, length, data);
    if (!connections[socket].output.send(socket, {chunk, static_cast<size_t>(size)})) drop(socket);
}

static void send_delta(const Due &due) {
    Connection &connection = connections[due.socket];
    if (connection.generation != due.generation || !connection.is_streaming) return;
    char text[64], data[900];
    if (connection.sent == deltas) {
        int length = std::snprintf(data, sizeof data, FRAME "data: [DONE]\n\n", "", "\"stop\"");
        connection.is_streaming = false;
        running--;
        connection.request.clear();
        send_chunk(due.socket, data, length);
        connection.output.send(due.socket, "0\r\n\r\n");
        return;
    }
    std::snprintf(text, sizeof text, "\"content\":\"%d:%lld \"", connection.sent, static_cast<long long>(now()));
    connection.sent++;
    send_chunk(due.socket, data, std::snprintf(data, sizeof data, FRAME, text, "null"));
    if (interval > 0) schedule.push({due.time + interval, due.socket, due.generation});
}

static void answer(int socket) {
    Connection &connection = connections[socket];
    if (connection.request.compare(0, 4, "GET ") == 0) {
        std::string body;
        for (auto [client, time] : closes) body += std::to_string(client) + " " + std::to_string(time) + "\n";
        body += "open " + std::to_string(running) + "\n";
        closes.clear();
        connection.request.clear();
        connection.output.send(socket, "HTTP/1.1 200 OK\r\ncontent-length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
        return;
    }
    size_t prompt = connection.request.find("client-");
    connection.client = prompt == std::string::npos ? -1 : std::atoi(connection.request.c_str() + prompt + 7);
    connection.sent = 0;
    connection.is_streaming = true;
    running++;
    connection.output.send(socket, "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n");
    int64_t delay = interval > 0 ? chance() % interval : 0;
    schedule.push({now() + delay, socket, connection.generation});
}

static bool is_whole(const std::string &request) {
    size_t end = request.find("\r\n\r\n");
    if (end == std::string::npos) return false;
    const char *length = strcasestr(request.c_str(), "\r\ncontent-length:");
    return !length || request.size() >= end + 4 + std::strtoull(length + 17, nullptr, 10);
}

int main(int argc, char **argv) {
    if (argc != 3) fail("usage: provider RATE DELTAS");
    prepare();
    double rate = std::atof(argv[1]);
    interval = rate > 0 ? static_cast<int64_t>(1e9 / rate) : 0;
    deltas = rate > 0 ? std::atoi(argv[2]) : 1'000'000'000;
    int listener = listen_on_loopback();
    Poll poll;
    poll.add(listener);
    for (;;) {
        int64_t left = schedule.empty() ? 1'000'000'000 : schedule.top().time - now();
        int count = poll.wait(left <= 0 ? 0 : static_cast<int>((left + 999'999) / 1'000'000));
        for (int index = 0; index < count; index++) {
            auto [events, data] = poll.events[index];
            int socket = data.fd;
            if (socket == listener) {
                for (int next; (next = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK)) >= 0;) {
                    without_delay(next);
                    poll.add(next);
                }
                continue;
            }
            Connection &connection = connections[socket];
            bool is_open = receive(socket, events, [&](std::string_view bytes) { connection.request += bytes; });
            if (!is_open || !connection.output.flush(socket))
                drop(socket);
            else if (!connection.is_streaming && is_whole(connection.request))
                answer(socket);
        }
        for (int64_t time = now(); !schedule.empty() && schedule.top().time <= time;) {
            Due due = schedule.top();
            schedule.pop();
            send_delta(due);
        }
    }
}
