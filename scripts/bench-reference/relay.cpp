// The relay that `moonrill serve` is compared with: one thread, epoll, edge-triggered. Prints its origin.
// Usage: relay PROVIDER_PORT
//
// For each GET /stream?prompt=TEXT it connects to the provider, asks for a stream, decodes the chunks, finds the text of each
// delta by its name, and sends it as a numbered event in a chunk of its own: `id: STREAM-N`, `data: {"content":TEXT}`. The
// text stays in its JSON form. A slow reader stops the reading from the provider. A client that leaves closes the provider's
// connection. It does not parse JSON, and has no other routes, no retries, no resumption, no log.

#include "sockets.hpp"

struct Side {
    struct Stream *stream = nullptr;
    bool is_client = false;
};

struct Stream {
    int client = -1, provider = -1;
    std::string request, frames;
    Response response;
    Output to_client, to_provider;
    uint64_t id = 0;
    int events = 0;
    bool is_over = false;
};

static std::vector<Side> sides(1 << 17);
static Poll poll;
static int provider_port;
static uint64_t next_id = 0x9e3779b97f4a7c15;

// Unsent bytes of a client beyond which the provider's connection is not read.
static constexpr size_t most_waiting = 64 << 10;

static void end(Stream *stream) {
    for (int socket : {stream->client, stream->provider}) {
        if (socket < 0) continue;
        sides[socket] = {};
        close(socket);
    }
    delete stream;
}

static bool send_event(Stream *stream, const char *name, std::string_view value) {
    static thread_local std::string frame, chunk;
    char number[80], size[16];
    stream->events++;
    frame.assign(number, std::snprintf(number, sizeof number, "id: %016llx-%d\n", static_cast<unsigned long long>(stream->id),
                                       stream->events));
    if (name) frame.append("event: ").append(name).append("\n");
    frame.append("data: ").append(value).append("\n\n");
    chunk.assign(size, std::snprintf(size, sizeof size, "%zx\r\n", frame.size()));
    chunk.append(frame).append("\r\n");
    return stream->to_client.send(stream->client, chunk);
}

/// The end of a JSON string: its closing quote.
static const char *end_of_string(const char *text, const char *end) {
    for (; text < end && *text != '"'; text++)
        if (*text == '\\') text++;
    return text;
}

static bool pass_frame(Stream *stream, std::string_view frame) {
    if (frame == "data: [DONE]") {
        if (!send_event(stream, "finish", "{\"finish_reason\":\"stop\"}")) return false;
        stream->is_over = true;
        return stream->to_client.send(stream->client, "0\r\n\r\n");
    }
    static constexpr std::string_view name = "\"content\":\"";
    auto *found = static_cast<const char *>(memmem(frame.data(), frame.size(), name.data(), name.size()));
    if (!found) return true;
    const char *text = found + name.size(), *end = end_of_string(text, frame.data() + frame.size());
    if (end == text) return true;
    static thread_local std::string value;
    value.assign("{\"content\":\"").append(text, end - text).append("\"}");
    return send_event(stream, nullptr, value);
}

/// Passes whole frames on. Returns false if the client is gone.
static bool pass_frames(Stream *stream) {
    size_t start = 0;
    for (size_t end; (end = stream->frames.find("\n\n", start)) != std::string::npos; start = end + 2)
        if (!pass_frame(stream, std::string_view(stream->frames).substr(start, end - start))) return false;
    stream->frames.erase(0, start);
    return true;
}

static bool begin(Stream *stream) {
    size_t prompt = stream->request.find("?prompt=");
    size_t stop = stream->request.find_first_of("& ", prompt + 8);
    if (prompt == std::string::npos || stop == std::string::npos) return false;
    std::string body = "{\"model\":\"mock\",\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":\""
        + stream->request.substr(prompt + 8, stop - prompt - 8) + "\"}]}";
    stream->id = next_id = next_id * 6364136223846793005ULL + 1442695040888963407ULL;
    stream->provider = connect_to(provider_port);
    sides[stream->provider] = {stream, false};
    poll.add(stream->provider);
    char start[96];
    std::snprintf(start, sizeof start, "{\"stream\":\"%016llx\",\"model\":\"mock\"}", static_cast<unsigned long long>(stream->id));
    // The connection is not established yet: the request is sent with the event that says so.
    stream->to_provider.waiting = "POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
        "content-length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
    return stream->to_client.send(stream->client, "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
                                                  "cache-control: no-cache\r\ntransfer-encoding: chunked\r\n\r\n")
        && send_event(stream, "start", start);
}

/// Returns false if the stream is over.
static bool read_client(Stream *stream, uint32_t events) {
    if (!receive(stream->client, events, [&](std::string_view bytes) {
            if (stream->provider < 0) stream->request += bytes;
        }))
        return false;
    if (stream->provider < 0 && stream->request.find("\r\n\r\n") != std::string::npos && !begin(stream)) return false;
    return stream->to_client.flush(stream->client);
}

static bool read_provider(Stream *stream, uint32_t events) {
    if ((events & EPOLLOUT) && !stream->to_provider.flush(stream->provider)) return false;
    if (stream->to_client.waiting.size() > most_waiting) return true;
    bool is_open = receive(stream->provider, events,
                           [&](std::string_view bytes) { stream->response.take(bytes, stream->frames); });
    return pass_frames(stream) && is_open && !(stream->is_over && stream->to_client.waiting.empty());
}

int main(int argc, char **argv) {
    if (argc != 2) fail("usage: relay PROVIDER_PORT");
    prepare();
    provider_port = std::atoi(argv[1]);
    int listener = listen_on_loopback();
    poll.add(listener);
    for (;;) {
        int count = poll.wait(-1);
        for (int index = 0; index < count; index++) {
            auto [events, data] = poll.events[index];
            if (data.fd == listener) {
                for (int next; (next = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK)) >= 0;) {
                    without_delay(next);
                    sides[next] = {new Stream, true};
                    sides[next].stream->client = next;
                    poll.add(next);
                }
                continue;
            }
            auto [stream, is_client] = sides[data.fd];
            if (!stream) continue;
            bool continues = is_client ? read_client(stream, events) : read_provider(stream, events);
            // A client that has caught up: what its provider has sent meanwhile has no event of its own.
            if (continues && is_client && stream->provider >= 0 && (events & EPOLLOUT) && stream->events > 1)
                continues = read_provider(stream, EPOLLIN);
            if (!continues) end(stream);
        }
    }
}
