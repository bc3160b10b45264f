"""Measures the same reply in each wire format at full speed: the time a byte in Moonrill, in plain C++, and in a
minimal client (the floor) that only calls the Lua function."""

import statistics
from pathlib import Path

from process import RunError, Timing, run_checked
from static_server import nginx
from shapes import AGAINST, PATHS, READ_AS, make, repeated
from stream import Stream
from table import Table

# Enough to make the start of the process negligible. The longest of the streams is below the size limit of a reply.
DELTAS = 600_000
ROUNDS = 15
CLIENTS = ("moonrill", "C++", "floor")


def command(settings, client: str, origin: str, shape: str, path: Path, stream: Stream) -> list[str]:
    dialect = READ_AS.get(shape, shape)
    url = f"{origin}/{shape}/{PATHS[shape]}"
    if client == "C++":
        return [str(settings.out / "reference"), url, dialect]
    if client == "floor":
        return [str(settings.out / "floor"), url, f"{stream.total_bytes / DELTAS:.9f}", str(path.with_suffix(".texts"))]
    return [settings.binary, "run", str(settings.references / "count.lua"), f"{origin}/{shape}/v1", dialect]


def measure(settings) -> Table:
    table = Table(
        f"One stream of {DELTAS:,} deltas of text in each wire format, from a static server on loopback; "
        f"whole process, {ROUNDS} runs of all in turn; C++ is libcurl, simdjson and one Lua call a delta, and keeps no "
        "reply; the floor is libcurl and the same Lua calls, without parsing",
        ["dialect", "stream", "a delta", "median", "CPU", "deltas/s", "a byte", "a byte against openai",
         "against C++", "C++: a byte against openai", "against the floor", "the floor: a byte against openai"])
    if not settings.binary:
        for shape in PATHS:
            table.missing(shape, "not measured")
        return table
    streams = {shape: make(settings.out, shape, DELTAS) for shape in PATHS}
    reports = {(client, shape): (repeated(path, DELTAS) if client == "floor" else stream).report
               for shape, (path, stream) in streams.items() for client in CLIENTS}
    timings = {(client, shape): Timing() for shape in PATHS for client in CLIENTS}
    problems: dict[str, str] = {}
    served = {shape: path for shape, (path, _) in streams.items()}
    with nginx(served, PATHS) as origin:
        for round_number in range(ROUNDS + 1):
            for client, shape in timings:
                if shape in problems:
                    continue
                try:
                    cost = run_checked(settings.out / "launch",
                                       command(settings, client, origin, shape, *streams[shape]),
                                       reports[client, shape])
                except (RunError, OSError) as problem:
                    problems[shape] = f"failed: {problem}"
                    continue
                # The first round is a warm-up.
                if round_number > 0:
                    timings[client, shape].add(cost)

    def against(client: str, shape: str, other_client: str, other_shape: str) -> str:
        """The median of the ratios of each round, because the speed of the machine differs between rounds."""
        if shape in problems or other_shape in problems:
            return "-"
        size, other_size = streams[shape][1].total_bytes, streams[other_shape][1].total_bytes
        pairs = zip(timings[client, shape].walls, timings[other_client, other_shape].walls)
        return f"{statistics.median((wall / size) / (other / other_size) for wall, other in pairs):.2f}"

    for shape, (_, stream) in streams.items():
        if shape in problems:
            table.missing(shape, problems[shape])
            continue
        timing = timings["moonrill", shape]
        other = AGAINST.get(shape, "openai")
        table.add(shape, f"{stream.total_bytes / 1e6:.1f} MB", f"{stream.total_bytes / DELTAS:.0f} bytes",
                  f"{timing.median * 1e3:.0f} ms", f"{timing.median_processor * 1e3:.0f} ms",
                  f"{DELTAS / timing.median:,.0f}", f"{timing.median / stream.total_bytes * 1e9:.2f} ns",
                  against("moonrill", shape, "moonrill", other), against("moonrill", shape, "C++", shape),
                  against("C++", shape, "C++", other), against("moonrill", shape, "floor", shape),
                  against("floor", shape, "floor", other))
    return table
