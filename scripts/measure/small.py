"""Measures a whole process with one small reply: start, request and end."""

import statistics

from process import Timing, located, run_checked, spawn_silent
from static_server import nginx
from stream import make
from table import Table
from throughput import BODY

DELTAS = 25
RUNS = 200
CPU_GOAL = 1.5


def measure(settings) -> Table:
    path = settings.out / f"stream-{DELTAS}.sse"
    stream = make(path, DELTAS)
    table = Table(f"One reply of {DELTAS} deltas on loopback, the whole process, {RUNS} runs each in turn",
                  ["client", "median", "least", "95th percentile", "against curl", "CPU", "CPU against curl"])
    with nginx({"small": path}) as origin:
        base = f"{origin}/small/v1"
        commands = {
            "curl": [located("curl"), "-N", "-s", "--fail", "-X", "POST", "-d", BODY, base + "/chat/completions"],
            "C++: libcurl, simdjson, one Lua call a delta":
                [str((settings.out / "reference").resolve()), base + "/chat/completions"],
        }
        if settings.binary:
            commands["moonrill run"] = [settings.binary, "run", str(settings.references / "count.lua"), base]
        timings = {name: Timing() for name in commands}
        for name, command in commands.items():
            run_checked(settings.out / "launch", command, None if name == "curl" else stream.report)
        for _ in range(RUNS):
            for name, command in commands.items():
                timings[name].add(spawn_silent(command))
    curl = timings["curl"]
    for name, timing in timings.items():
        late = statistics.quantiles(timing.walls, n=20)[-1]
        table.add(name, f"{timing.median * 1e3:.1f} ms", f"{timing.least * 1e3:.1f} ms", f"{late * 1e3:.1f} ms",
                  f"{timing.median / curl.median:.2f}", f"{timing.median_processor * 1e3:.1f} ms",
                  f"{timing.median_processor / curl.median_processor:.2f}")
    if not settings.binary:
        table.missing("moonrill run", "not measured")
        return table
    ours = timings["moonrill run"].median_processor
    settings.summary.ratio("a small http call, CPU of the process", f"{ours * 1e3:.1f} ms",
                           f"curl: {curl.median_processor * 1e3:.1f} ms", ours / curl.median_processor, CPU_GOAL)
    return table
