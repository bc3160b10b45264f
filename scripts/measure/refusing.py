"""A server that refuses requests: `python3 refusing.py SCENARIOS`. SCENARIOS is a JSON object of scenarios by name. It
prints its port and serves until its standard input is closed.

A request to /NAME/RUN/... is answered by scenario NAME. RUN is any word; the state of each RUN is separate. GET
/NAME/RUN/stats returns the numbers of requests and refusals of a run. Whether a request is refused depends only on the
number of its item ("item 12" in the body) and of its attempt, so that each client gets the same refusals.
"""

import asyncio
import json
import random
import re
import sys
import time
from dataclasses import asdict, dataclass, field

ITEM = re.compile(rb"item (\d+)")
# Maximum refusals of one item in a row; fewer than the retries of both clients.
MOST_IN_A_ROW = 3
REASONS = {200: "OK", 429: "Too Many Requests", 503: "Service Unavailable", 529: "Site Is Overloaded"}
CHUNK = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1732300000, "model": "m"}
REPLY = "".join(f"data: {json.dumps(CHUNK | {'choices': [choice]})}\n\n" for choice in (
    {"index": 0, "delta": {"role": "assistant", "content": "word"}, "finish_reason": None},
    {"index": 0, "delta": {}, "finish_reason": "stop"})) + "data: [DONE]\n\n"


@dataclass
class Scenario:
    """How requests are answered. Times in seconds."""

    shortest: float = 0.0
    longest: float = 0.0
    # Share of requests refused at random with one of `statuses`.
    refused: float = 0.0
    statuses: list[int] = field(default_factory=lambda: [429])
    # Headers of a refusal and of a reply.
    refusal_headers: dict[str, str] = field(default_factory=dict)
    reply_headers: dict[str, str] = field(default_factory=dict)
    # A rate limit: a token bucket of `burst` requests that is filled at `rate` a second. Requests above it get 429.
    rate: float = 0.0
    burst: float = 0.0
    seed: int = 1


class Run:
    """One client's run through a scenario."""

    def __init__(self, scenario: Scenario):
        self.scenario = scenario
        self.requests = self.refusals = 0
        self._attempts: dict[int, int] = {}
        self._tokens, self._filled = scenario.burst, time.monotonic()

    def verdict(self, item: int) -> tuple[int, float]:
        """The status of the next attempt of an item, and the seconds until the reply."""
        self.requests += 1
        attempt = self._attempts[item] = self._attempts.get(item, 0) + 1
        draw = random.Random(f"{self.scenario.seed}/{item}/{attempt}")
        share, status = draw.random(), draw.choice(self.scenario.statuses)
        if attempt <= MOST_IN_A_ROW and share < self.scenario.refused or not self._take_token():
            self.refusals += 1
            return status, 0.0
        return 200, draw.uniform(self.scenario.shortest, self.scenario.longest)

    def _take_token(self) -> bool:
        if not self.scenario.rate:
            return True
        now = time.monotonic()
        self._tokens = min(self.scenario.burst, self._tokens + (now - self._filled) * self.scenario.rate)
        self._filled = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


class Server:
    """Keeps the runs and answers requests."""

    def __init__(self, scenarios: dict[str, Scenario]):
        self.scenarios = scenarios
        self.runs: dict[str, Run] = {}

    def run(self, path: str) -> Run:
        name, word = path.split("/")[1:3]
        return self.runs.setdefault(f"{name}/{word}", Run(self.scenarios[name]))

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter):
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
                length = re.search(r"content-length: *(\d+)", head)
                body = await reader.readexactly(int(length.group(1))) if length else b""
                writer.write(await self.answer(head.split(" ", 2)[1], body))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client has closed the connection
        finally:
            writer.close()

    async def answer(self, path: str, body: bytes) -> bytes:
        run = self.run(path)
        if path.endswith("/stats"):
            return written(200, "application/json", {}, json.dumps([run.requests, run.refusals]))
        found = ITEM.search(body)
        status, wait = run.verdict(int(found.group(1)) if found else 0)
        if status == 200:
            await asyncio.sleep(wait)
            return written(200, "text/event-stream", run.scenario.reply_headers, REPLY)
        error = {"message": "Rate limit reached", "type": "rate_limit_error"} if status == 429 else {
            "message": "Overloaded", "type": "overloaded_error"}
        return written(status, "application/json", run.scenario.refusal_headers, json.dumps({"error": error}))


def written(status: int, kind: str, headers: dict[str, str], body: str) -> bytes:
    lines = [f"HTTP/1.1 {status} {REASONS[status]}", f"Content-Type: {kind}", f"Content-Length: {len(body)}",
             *(f"{name}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


async def main():
    scenarios = {name: Scenario(**fields) for name, fields in json.loads(sys.argv[1]).items()}
    server = await asyncio.start_server(Server(scenarios).serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


def as_argument(scenarios: dict[str, Scenario]) -> str:
    return json.dumps({name: asdict(scenario) for name, scenario in scenarios.items()})


if __name__ == "__main__":
    asyncio.run(main())
