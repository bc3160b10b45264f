"""A server that records requests. It sends the given answers in order, and then status 400."""

import json
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


@dataclass(frozen=True)
class Answer:
    """An answer with status 200: a whole stream."""

    content_type: str
    body: str


def events(*payloads: dict | str) -> Answer:
    """Server-Sent Events. A payload with a `type` has an event name."""
    blocks = []
    for payload in payloads:
        name = f"event: {payload['type']}\n" if isinstance(payload, dict) and "type" in payload else ""
        data = payload if isinstance(payload, str) else json.dumps(payload, ensure_ascii=False)
        blocks.append(f"{name}data: {data}\n\n")
    return Answer("text/event-stream", "".join(blocks))


def lines(*payloads: str) -> Answer:
    """One JSON document a line."""
    return Answer("application/x-ndjson", "".join(payload + "\n" for payload in payloads))


class Recorder(ThreadingHTTPServer):
    """`requests` holds (path, headers by lower-case name, body) in order of arrival."""

    def __init__(self, answers: list[Answer]):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.requests: list[tuple[str, dict[str, str], dict]] = []
        self.answers = answers

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.requests.append((self.path, headers, json.loads(body)))
        if len(self.server.requests) <= len(self.server.answers):
            answer = self.server.answers[len(self.server.requests) - 1]
            self.answer(200, answer.content_type, answer.body.encode())
        else:
            self.answer(400, "application/json", b'{"error":{"message":"kept, not answered"}}')

    def answer(self, status: int, kind: str, body: bytes):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format, *args):
        """Prints nothing: the only output is the table."""


@contextmanager
def recorder(*answers: Answer):
    server = Recorder(list(answers))
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
