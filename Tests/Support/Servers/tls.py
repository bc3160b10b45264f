"""A server over TLS that breaks HTTP/2 and the handshake in the ways that a test names.

    python3 tls.py CERTIFICATE KEY SCENARIO

Listens on a port of 127.0.0.1 that the kernel chooses, says "ready PORT", then a line for each request that came whole:
"request CONNECTION STREAM". Connections count from 0. What each scenario does stands beside it below. A good answer is
the chat stream "one two three", and its rest waits until standard input is closed.
"""

import socket
import ssl
import struct
import sys
import threading

DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
END_STREAM, ACK, END_HEADERS = 1, 1, 4
NO_ERROR, INTERNAL_ERROR, REFUSED_STREAM, ENHANCE_YOUR_CALM = 0, 2, 7, 11
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def token(text, reason="null"):
    delta = '{"content":"%s"}' % text
    return ('data: {"id":"c1","choices":[{"index":0,"delta":%s,"finish_reason":%s}]}\n\n' % (delta, reason)).encode()


REST = token("two ") + token("three", '"stop"') + b"data: [DONE]\n\n"


class Gone(Exception):
    """The client closed."""


class Connection:
    def __init__(self, tls, number):
        self.tls, self.number, self.requests = tls, number, 0

    def read(self, count):
        data = b""
        while len(data) < count:
            piece = self.tls.recv(count - len(data))
            if not piece:
                raise Gone
            data += piece
        return data

    def frame(self, kind, flags, stream, payload=b""):
        # RFC 9113 section 4.1.
        self.tls.sendall(struct.pack("!I", len(payload))[1:] + struct.pack("!BBI", kind, flags, stream) + payload)

    def next_frame(self):
        """The next frame that is not the machinery's own; that is answered here."""
        while True:
            head = self.read(9)
            kind, flags, stream = head[3], head[4], struct.unpack("!I", head[5:])[0]
            payload = self.read(int.from_bytes(head[:3], "big"))
            if kind == SETTINGS and not flags & ACK:
                self.frame(SETTINGS, ACK, 0)
            elif kind == PING and not flags & ACK:
                self.frame(PING, ACK, 0, payload)
            elif kind not in (SETTINGS, WINDOW_UPDATE):
                return kind, flags, stream

    def head(self, stream, status=b"\x88", content_type=b"text/event-stream"):
        # HPACK (RFC 7541): :status 200 is entry 8; content-type is name 31, its value written out.
        self.frame(HEADERS, END_HEADERS, stream, status + b"\x0f\x10" + bytes([len(content_type)]) + content_type)

    def data(self, stream, payload, end=False):
        self.frame(DATA, END_STREAM if end else 0, stream, payload)

    def reset(self, stream, code):
        self.frame(RST_STREAM, 0, stream, struct.pack("!I", code))

    def goaway(self, last, code=NO_ERROR):
        self.frame(GOAWAY, 0, 0, struct.pack("!II", last, code))

    def settle(self):
        """Returns when the client has read all that was sent: it answers a ping."""
        self.frame(PING, 0, 0, b"01234567")
        while self.next_frame()[0] != PING:
            pass

    def begin(self, stream):
        self.head(stream)
        self.data(stream, token("one "))
        sys.stdin.readline()

    def answer(self, stream):
        self.begin(stream)
        self.data(stream, REST, end=True)

    def serve(self, scenario):
        if self.tls.selected_alpn_protocol() != "h2":
            return self.serve_http1()
        self.read(len(PREFACE))
        self.frame(SETTINGS, 0, 0)
        while True:
            kind, flags, stream = self.next_frame()
            if kind in (HEADERS, DATA) and flags & END_STREAM:
                print("request", self.number, stream, flush=True)
                scenario(self, stream)
                self.requests += 1

    def serve_http1(self):
        request = b""
        while not request.endswith(b"}"):  # the body is JSON, and ends the request
            piece = self.tls.recv(65536)
            if not piece:
                raise Gone
            request += piece
        print("request", self.number, 0, flush=True)
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
        self.tls.sendall(head + token("one ") + REST)


# The scenarios of HTTP/2: what becomes of a request that came whole. Raising Gone closes the connection.


def plain(c, stream):
    c.answer(stream)


def reset_before_head_once(c, stream):
    c.answer(stream) if c.number or c.requests else c.reset(stream, INTERNAL_ERROR)


def reset_in_stream(c, stream):
    c.begin(stream)
    c.reset(stream, INTERNAL_ERROR)


def refused_once(c, stream):
    c.answer(stream) if c.number or c.requests else c.reset(stream, REFUSED_STREAM)


def refused_always(c, stream):
    c.reset(stream, REFUSED_STREAM)


def goaway_below_stream(c, stream):
    """The first connection has processed nothing and goes."""
    if c.number:
        return c.answer(stream)
    c.goaway(0)
    raise Gone


def goaway_below_stream_always(c, stream):
    c.goaway(0)
    raise Gone


def goaway_in_stream(c, stream):
    """The connection goes after this stream, which is brought to its end."""
    c.begin(stream)
    c.goaway(stream)
    c.settle()
    c.data(stream, REST, end=True)


def calm_in_stream(c, stream):
    c.begin(stream)
    c.goaway(stream, ENHANCE_YOUR_CALM)
    raise Gone


def closed_in_stream(c, stream):
    c.begin(stream)
    raise Gone


def closed_before_head(c, stream):
    raise Gone


def closed_at_second(c, stream):
    """A kept connection dies under the next request."""
    if c.requests:
        raise Gone
    c.head(stream)
    c.data(stream, token("one ") + REST, end=True)


def ended_without_done(c, stream):
    """A clean end of the stream that is no end of the reply."""
    c.begin(stream)
    c.data(stream, b"", end=True)


def overloaded(c, stream):
    c.head(stream, b"\x08\x03529", b"application/json")
    c.data(stream, b'{"error":{"message":"too busy","type":"overloaded_error"}}', end=True)


def refuses_status(c, stream):
    c.head(stream, b"\x08\x03401", b"application/json")
    c.data(stream, b'{"error":{"message":"who?","type":"invalid_api_key"}}', end=True)


# Scenarios of the handshake, for the first connection; those after it are served.


def handshake_cut(raw):
    raw.recv(65536)
    raw.close()
    return True


def handshake_stalls(raw):
    while raw.recv(65536):
        pass
    raw.close()
    return True


HANDSHAKES = {"handshake-cut": handshake_cut, "handshake-stalls": handshake_stalls}


def serve(raw, number, context, name):
    try:
        if number == 0 and name in HANDSHAKES:
            HANDSHAKES[name](raw)
            return
        tls = context.wrap_socket(raw, server_side=True)
        scenario = plain if name in HANDSHAKES or name == "http1" else globals()[name.replace("-", "_")]
        Connection(tls, number).serve(scenario)
        tls.close()
    except Gone:
        tls.close()
    except OSError:
        raw.close()  # a client that trusts us not, or has gone


def main():
    certificate, key, name = sys.argv[1:]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    context.set_alpn_protocols(["http/1.1"] if name in HANDSHAKES or name == "http1" else ["h2"])
    server = socket.create_server(("127.0.0.1", 0))
    print("ready", server.getsockname()[1], flush=True)
    number = 0
    while True:
        raw = server.accept()[0]
        threading.Thread(target=serve, args=[raw, number, context, name], daemon=True).start()
        number += 1


main()
