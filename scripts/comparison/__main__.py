"""Compares Moonrill with Python clients; called by scripts/compare, which installs and builds first."""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path

from servers import moonrill
from table import Table

HERE = Path(__file__).parent
BINARY = os.environ["MOONRILL_COMPARE_BINARY"]

# Questions whose replies are longer than AT bytes. Their texts differ, so that a fault at a fixed byte or event is at
# another place of a frame in each.
ASKS = [
    "Why is the moon round?", "写一首关于月亮的短诗", "Explain tides in a few sentences.", "What is a rill?",
    "Write a poem about the moon", "How does a token bucket work?", "用三句话解释量子力学", "Name three uses of Lua.",
]
AT = 700
# Description -> argument of `moonrill mock --fault`. With each of these faults the reply is incomplete or missing.
FAULTS = {
    "status 503": "503",
    "status 429": "429",
    "connection reset in the stream": f"stall@{AT}:0.05,cut@{AT}",
    "connection closed inside a chunk": f"stall@{AT}:0.05,chunkcut@{AT}",
    "fewer bytes than Content-Length": f"stall@{AT}:0.05,short-length@{AT}",
    "connection closed, body without framing": f"eof@{AT}",
    "stream ends without finish reason and `[DONE]`": "no-finish,no-done",
    "error object in the stream": "error-frame@5",
    "broken JSON in the stream": "bad-json@5",
    "HTML page with status 200": "html",
    "empty body with status 200": "empty",
    "bytes that are not HTTP": "garbage",
}


def commands() -> dict[str, list[str]]:
    """Returns the command of each client. A base URL is appended as the last argument."""
    return {"Moonrill": [BINARY, "run", str(HERE / "client.lua")]} | {
        f"{title} {metadata.version(name)}": [sys.executable, str(HERE / "clients.py"), name]
        for name, title in (("openai", "OpenAI SDK"), ("llm", "llm"), ("litellm", "LiteLLM"))}


def run(command: list[str], origin: str, asks: list[str]) -> tuple[dict, float]:
    """Runs one process that sends the questions one after the other. Returns its output and its seconds."""
    started = time.perf_counter()
    done = subprocess.run([*command, origin + "/v1"], input=json.dumps(asks), stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, env=os.environ | {"MOONRILL_COMPARE_KEY": "compare-key"})
    seconds = time.perf_counter() - started
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}: {done.stderr[-1000:]}")
    # LiteLLM prints hints on standard output before the result.
    return json.loads(done.stdout.splitlines()[-1]), seconds


def check_agreement(clients: dict[str, list[str]], origin: str):
    """Checks that all clients receive the same text if there is no fault."""
    texts = {name: [each.get("text") for each in run(command, origin, ASKS)[0]["outcomes"]]
             for name, command in clients.items()}
    first = texts["Moonrill"]
    for name, each in texts.items():
        if each != first or any(len(text.encode()) < 50 for text in first):
            sys.exit(f"{name} receives another text than Moonrill although there is no fault: {each} {first}")


def faults(clients: dict[str, list[str]]) -> Table:
    """Counts the replies that each client reports as a success, for each fault."""
    table = Table(f"Replies that were cut or failed and that the client reported as a success, of {len(ASKS)} for each fault",
                  ["fault", *clients])
    wrong = {name: 0 for name in clients}
    finished = {name: 0 for name in clients}
    for title, fault in FAULTS.items():
        row = []
        with moonrill(BINARY, "--fault", fault) as origin:
            for name, command in clients.items():
                successes = [each for each in run(command, origin, ASKS)[0]["outcomes"] if each["ok"]]
                wrong[name] += len(successes)
                finished[name] += sum(each["finish"] is not None for each in successes)
                row.append(str(len(successes)))
        table.add(title, *row)
    table.add(f"**wrong successes of {len(FAULTS) * len(ASKS)}**", *(f"**{count}**" for count in wrong.values()))
    table.add("of these with a finish reason", *map(str, finished.values()))
    return table


def costs(clients: dict[str, list[str]], rounds: int) -> Table:
    """Measures start-up, time and memory. The clients run in turn, because the speed of the machine changes."""
    table = Table(f"Time and memory, the whole process, medians of {rounds} runs in turn",
                  ["", *clients])
    starts = {name: [] for name in clients}
    walls = {name: [] for name in clients}
    peaks = {name: [] for name in clients}
    with moonrill(BINARY) as origin:
        check_agreement(clients, origin)
        for _ in range(rounds):
            for name, command in clients.items():
                starts[name].append(run(command, origin, [])[1])
                result, seconds = run(command, origin, ASKS)
                walls[name].append(seconds)
                peaks[name].append(result["peak"])
    median = statistics.median
    table.add("start-up (no request)", *(f"{median(times) * 1e3:,.0f} ms" for times in starts.values()))
    table.add(f"{len(ASKS)} requests, one after the other", *(f"{median(times) * 1e3:,.0f} ms" for times in walls.values()))
    table.add("peak memory", *(f"{median(sizes) / 1e6:.0f} MB" for sizes in peaks.values()))
    return table


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/compare")
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    clients = commands()
    print(f"Machine: {len(os.sched_getaffinity(0))} cores, Linux {platform.release()}; Python {platform.python_version()}; "
          f"streamed Chat Completions, no retries (`llm`: the SDK's two).\n", flush=True)
    print(f"{costs(clients, rounds)}\n", flush=True)
    print(faults(clients))
    return 0


sys.exit(main())
