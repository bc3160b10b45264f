// Many clients of one server for `scripts/bench serve`.
//
//   listeners stay PORT CLIENTS          reads CLIENTS streams to their ends. Lines: "open" when each has a delta; "full" at
//                                        the first end; "done DELTAS LOST FAILED P50 P99 MAX" (microseconds from the
//                                        provider's send to the receipt here, from a second after "open")
//   listeners hold PORT CLIENTS SECONDS  the same for streams without an end: "open", then "done" after SECONDS
//   listeners leave PORT CLIENTS SECONDS closes each stream at a random time of SECONDS. Lines: "left CLIENT TIME", "done"
//   listeners idle PORT CLIENTS          a GET /hello on each connection. Lines: "open ANSWERED"; then, after a line on
//                                        standard input, once more: "done ANSWERED"
//   listeners half PORT CLIENTS          sends the beginning of a head, and waits for the end of the connection. Lines:
//                                        "open"; "done TIMEOUTS REFUSED SILENT FIRST LAST" (status 408; status 503; no
//                                        response; seconds from "open" to the first and the last end)
//   listeners probe PORT                 GET /hello every 20 ms on a new connection until SIGTERM: "done ANSWERED FAILED MAX"
//
// STREAM deltas are "NUMBER:TIME " as provider.cpp sends them. The time is CLOCK_MONOTONIC in nanoseconds.

#include "sockets.hpp"

#include <random>

// Connections opened in a second. Beginnings of heads come faster, so that all are open before the first is refused, and
// clients that leave slower, so that the cost of opening is not measured.
static int ramp = 1000;

struct Client {
    int socket = -1, number = 0;
    Response response;
    Output output;
    std::string body;
    int deltas = 0, events = 0;
    bool is_over = false, has_failed = false;
    int64_t leave_at = 0;
};

static Poll poll;
static std::vector<Client> clients;
static std::vector<int> by_socket(1 << 17, -1);
static int port, opened, begun, over, lost, failed;
static int64_t deltas, measured_from = INT64_MAX;
static std::vector<uint32_t> latencies;
static std::minstd_rand chance(7);

static void open_client(const std::string &request) {
    Client &client = clients[opened];
    client.number = opened++;
    client.socket = connect_to(port, client.number / 5000);
    by_socket[client.socket] = client.number;
    client.output.waiting = request;
    poll.add(client.socket);
}

static void close_client(Client &client) {
    by_socket[client.socket] = -1;
    close(client.socket);
    client.socket = -1;
}

static void end_client(Client &client) {
    if (client.is_over) return;
    client.is_over = true;
    over++;
    close_client(client);
}

static void fail_client(Client &client, std::string_view why) {
    if (client.is_over || client.has_failed) return;
    client.has_failed = true;
    if (failed++ < 3) std::fprintf(stderr, "client %d: %.*s\n", client.number, static_cast<int>(why.size()), why.data());
}

// Counts the deltas in the text of one event.
static void take_text(Client &client, const char *text) {
    int64_t time = now();
    while (*text >= '0' && *text <= '9') {
        char *next;
        int number = std::strtol(text, &next, 10);
        int64_t sent = std::strtoll(next + 1, &next, 10);
        if (number != client.deltas) lost += std::abs(number - client.deltas);
        client.deltas = number + 1;
        deltas++;
        if (number == 0) begun++;
        if (time >= measured_from) latencies.push_back((time - sent) / 1000);
        text = *next == ' ' ? next + 1 : next;
    }
}

// One event: the id must follow the one before.
static void take_event(Client &client, const std::string &event) {
    const char *id = std::strstr(event.c_str(), "id: "), *data = std::strstr(event.c_str(), "data: {\"content\":\"");
    if (id) {
        const char *line = std::strchr(id, '\n');
        const char *dash = line ? line : id + std::strlen(id);
        while (*dash != '-') dash--;
        int number = std::atoi(dash + 1);
        if (number != client.events + 1) lost += std::abs(number - client.events - 1);
        client.events = number;
    }
    if (std::strstr(event.c_str(), "event: failure")) fail_client(client, event);
    if (std::strstr(event.c_str(), "event: finish")) end_client(client);
    if (data) take_text(client, data + 18);
}

static void read_stream(Client &client, uint32_t events) {
    bool is_open = receive(client.socket, events, [&](std::string_view bytes) { client.response.take(bytes, client.body); });
    if (client.response.status != 0 && client.response.status != 200) fail_client(client, client.body);
    size_t start = 0;
    for (size_t end; !client.is_over && (end = client.body.find("\n\n", start)) != std::string::npos; start = end + 2)
        take_event(client, client.body.substr(start, end - start));
    client.body.erase(0, start);
    if (client.is_over) return;
    if (!is_open || client.has_failed || !client.output.flush(client.socket)) {
        fail_client(client, is_open ? "sending failed" : "the connection ended, " + std::string(std::strerror(errno)) + ", status "
            + std::to_string(client.response.status) + ", events " + std::to_string(client.events));
        end_client(client);
    }
}

template <typename Read> static void turn(Read read, int milliseconds = 1) {
    int count = poll.wait(milliseconds);
    for (int index = 0; index < count; index++) {
        auto [events, data] = poll.events[index];
        if (int number = by_socket[data.fd]; number >= 0) read(clients[number], events);
    }
}

static void say(const char *line) {
    std::puts(line);
    std::fflush(stdout);
}

static std::string stream_request(int number) {
    return "GET /stream?prompt=client-" + std::to_string(number) + " HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n";
}

/// Opens the clients that are due.
static void open_due(int64_t since, int count, std::string (*request)(int)) {
    int due = static_cast<int>(std::min<int64_t>(count, (now() - since) * ramp / 1'000'000'000 + 1));
    while (opened < due) open_client(request(opened));
}

static void stay(int count, double hold) {
    bool is_full = false;
    int64_t since = now(), until = INT64_MAX;
    while (over < count && now() < until) {
        open_due(since, count, stream_request);
        turn(read_stream);
        if (measured_from == INT64_MAX && (begun + failed >= count || over >= count)) {
            measured_from = now() + 1'000'000'000;
            if (hold > 0) until = now() + static_cast<int64_t>(hold * 1e9);
            say("open");
        }
        if (!is_full && measured_from != INT64_MAX && over > failed) {
            is_full = true;
            say("full");
        }
        if (now() - since > 120'000'000'000) break;
    }
    if (hold == 0 && !is_full) say("full");
    std::sort(latencies.begin(), latencies.end());
    std::printf("done %lld %d %d %u %u %u\n", static_cast<long long>(deltas), lost, failed, percentile(latencies, 0.5),
                percentile(latencies, 0.99), latencies.empty() ? 0 : latencies.back());
}

static void leave(int count, double seconds) {
    ramp = 250;
    int64_t since = now();
    std::vector<std::pair<int, int64_t>> left;
    std::uniform_real_distribution<double> part(0, seconds);
    int planned = 0;
    while (static_cast<int>(left.size()) + over < count) {
        open_due(since, count, stream_request);
        for (; planned < opened; planned++) clients[planned].leave_at = now() + static_cast<int64_t>(part(chance) * 1e9);
        turn(read_stream);
        int64_t time = now();
        for (Client &client : clients) {
            if (client.socket < 0 || client.leave_at > time) continue;
            left.emplace_back(client.number, now());
            close_client(client);
        }
    }
    for (auto [number, time] : left) std::printf("left %d %lld\n", number, static_cast<long long>(time));
    std::printf("done %d\n", failed);
}

static std::string hello_request(int) { return "GET /hello HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n"; }

static int answered;

static void read_hello(Client &client, uint32_t events) {
    bool is_open = receive(client.socket, events, [&](std::string_view bytes) { client.response.take(bytes, client.body); });
    if (client.response.is_complete) {
        answered += client.response.status == 200;
        client.response = {};
        client.body = {};
    }
    if (!is_open || !client.output.flush(client.socket)) end_client(client);
}

static void idle(int count) {
    int64_t since = now();
    while (answered + over < count && now() - since < 60'000'000'000) {
        open_due(since, count, hello_request);
        turn(read_hello);
    }
    std::printf("open %d\n", answered);
    std::fflush(stdout);
    std::getchar();
    answered = 0;
    since = now();
    for (Client &client : clients) {
        if (!client.is_over && !client.output.send(client.socket, hello_request(0))) end_client(client);
        turn(read_hello, 0);
    }
    while (answered + over < count && now() - since < 30'000'000'000) turn(read_hello);
    std::printf("done %d\n", answered);
}

static std::string half_request(int) { return "GET /hello HTTP/1.1\r\nhost: 127.0"; }

static int timeouts, refused, silent;

static void read_half(Client &client, uint32_t events) {
    bool is_open = receive(client.socket, events, [&](std::string_view bytes) { client.response.take(bytes, client.body); });
    if (is_open && !client.response.is_complete && client.output.flush(client.socket)) return;
    if (client.response.status == 408) timeouts++;
    else if (client.response.status == 503) refused++;
    else silent++;
    end_client(client);
}

static void half(int count) {
    ramp = 3000;
    int64_t since = now(), first = 0;
    bool is_open = false;
    while (over < count && now() - since < 90'000'000'000) {
        open_due(since, count, half_request);
        turn(read_half);
        if (first == 0 && over > 0) first = now();
        if (!is_open && opened == count) {
            is_open = true;
            say("open");
        }
    }
    std::printf("done %d %d %d %.1f %.1f\n", timeouts, refused, silent, (first - since) / 1e9, (now() - since) / 1e9);
}

static volatile sig_atomic_t is_stopped;

static void probe() {
    signal(SIGTERM, [](int) { is_stopped = 1; });
    int64_t longest = 0;
    int good = 0, bad = 0;
    while (!is_stopped) {
        int64_t start = now();
        opened = answered = over = 0;
        clients.assign(1, {});
        open_client(hello_request(0));
        while (answered == 0 && over == 0 && now() - start < 5'000'000'000) turn(read_hello);
        if (answered) good++; else bad++;
        if (clients[0].socket >= 0) close_client(clients[0]);
        longest = std::max(longest, now() - start);
        usleep(20'000);
    }
    std::printf("done %d %d %.1f\n", good, bad, longest / 1e6);
}

int main(int argc, char **argv) {
    if (argc < 3) fail("usage: listeners stay|hold|leave|idle|half|probe PORT [CLIENTS [SECONDS]]");
    prepare();
    std::string mode = argv[1];
    port = std::atoi(argv[2]);
    int count = argc > 3 ? std::atoi(argv[3]) : 1;
    double seconds = argc > 4 ? std::atof(argv[4]) : 0;
    clients.resize(count);
    if (mode == "stay" || mode == "hold") stay(count, seconds);
    else if (mode == "leave") leave(count, seconds);
    else if (mode == "idle") idle(count);
    else if (mode == "half") half(count);
    else probe();
}
