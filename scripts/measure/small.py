"""Measures a whole process with one small reply: start, request and end."""

import statistics

from process import located, run_checked, spawn_silent
from static_server import nginx
from stream import make
from table import Table
from throughput import BODY

DELTAS = 25
RUNS = 200


def measure(settings) -> Table:
    path = settings.out / f"stream-{DELTAS}.sse"
    stream = make(path, DELTAS)
    table = Table(f"One reply of {DELTAS} deltas on loopback, the whole process, {RUNS} runs each in turn",
                  ["client", "median", "least", "95th percentile", "against curl"])
    with nginx({"small": path}) as origin:
        base = f"{origin}/small/v1"
        commands = {
            "curl": [located("curl"), "-N", "-s", "--fail", "-X", "POST", "-d", BODY, base + "/chat/completions"],
            "C++: libcurl, simdjson, one Lua call a delta":
                [str((settings.out / "reference").resolve()), base + "/chat/completions"],
        }
        if settings.binary:
            commands["moonrill run"] = [settings.binary, "run", str(settings.references / "count.lua"), base]
        walls: dict[str, list[float]] = {name: [] for name in commands}
        for name, command in commands.items():
            run_checked(settings.out / "launch", command, None if name == "curl" else stream.report)
        for _ in range(RUNS):
            for name, command in commands.items():
                walls[name].append(spawn_silent(command))
    curl = statistics.median(walls["curl"])
    for name, times in walls.items():
        median = statistics.median(times)
        late = statistics.quantiles(times, n=20)[-1]
        table.add(name, f"{median * 1e3:.1f} ms", f"{min(times) * 1e3:.1f} ms", f"{late * 1e3:.1f} ms",
                  f"{median / curl:.2f}")
    if not settings.binary:
        table.missing("moonrill run", "not measured")
    return table
