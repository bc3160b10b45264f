"""Measures the streams of all wire formats over TLS: the time a byte, without the start of the process."""

import statistics

from dialects import DELTAS
from process import RunError, Timing, run_checked
from static_server import nginx
from shapes import PATHS, make
from table import Table

DIALECTS = ("openai", "anthropic", "responses", "gemini", "tgi", "ollama", "cohere")
ROUNDS = 9
# A short reply, which takes only the time to start the process and the connection.
START, START_DELTAS = "start", 25


def measure(settings) -> Table:
    table = Table(
        f"One stream of {DELTAS:,} deltas of text in each wire format, over TLS, from a static server on loopback; "
        f"whole process, {ROUNDS} runs of all in turn. A byte excludes the time of a reply of {START_DELTAS} deltas",
        ["dialect", "a delta", "median", "CPU", "a byte", "a byte against openai"])
    if not settings.binary:
        for dialect in DIALECTS:
            table.missing(dialect, "not measured")
        return table
    streams = {dialect: make(settings.out, dialect, DELTAS) for dialect in DIALECTS}
    streams[START] = make(settings.out, "openai", START_DELTAS)
    timings = {name: Timing() for name in streams}
    paths = PATHS | {START: PATHS["openai"]}
    with nginx({name: path for name, (path, _) in streams.items()}, paths, tls=True) as origin:
        for round_number in range(ROUNDS + 1):
            for name, (_, stream) in streams.items():
                command = [settings.binary, "run", str(settings.references / "count.lua"), f"{origin}/{name}/v1",
                           "openai" if name == START else name]
                try:
                    cost = run_checked(settings.out / "launch", command, stream.report)
                except (RunError, OSError) as problem:
                    table.missing(name, f"failed: {problem}")
                    return table
                # The first round is a warm-up.
                if round_number > 0:
                    timings[name].add(cost)

    def bytes_cost(name: str) -> list[float]:
        """Seconds a byte in each round."""
        size = streams[name][1].total_bytes
        return [(wall - start) / size for wall, start in zip(timings[name].walls, timings[START].walls)]

    for name in DIALECTS:
        stream, timing = streams[name][1], timings[name]
        against = statistics.median(own / openai for own, openai in zip(bytes_cost(name), bytes_cost("openai")))
        table.add(name, f"{stream.total_bytes / DELTAS:.0f} bytes", f"{timing.median * 1e3:.0f} ms",
                  f"{timing.median_processor * 1e3:.0f} ms",
                  f"{statistics.median(bytes_cost(name)) * 1e9:.2f} ns", f"{against:.2f}")
    return table
