"""Measures one large stream with each client at full speed."""

import subprocess
from pathlib import Path

from process import RunError, Timing, run_checked
from static_server import nginx
from stream import Stream, make
from table import Table

DELTAS = 200_000
ROUNDS = 5
# A client that takes longer than this many seconds runs only twice, without a warm-up.
SLOW = 5
BODY = '{"model":"deepseek-reasoner","stream":true,"messages":[]}'


def commands(settings, base: str, stream: Stream) -> dict[str, tuple[list[str] | None, list[str] | None, str]]:
    """Name of the row -> (command, its expected output, the reason if there is no command)."""
    here = settings.references
    url = base + "/chat/completions"
    rows = {
        "curl to /dev/null": (
            ["curl", "-N", "-s", "--fail", "-o", "/dev/null", "-X", "POST", "-d", BODY, url], None, ""),
        "C++: libcurl, simdjson, one Lua call a delta": ([str(settings.out / "reference"), url], stream.report, ""),
        "moonrill run, one Lua callback a delta": (
            [settings.binary, "run", str(here / "count.lua"), base] if settings.binary else None,
            stream.report, "not measured"),
    }
    for name, module, file in (("Python httpx-sse", "httpx_sse", "httpx_sse_client.py"),
                               ("Python openai SDK", "openai", "openai_sdk.py")):
        version = installed(settings.python, module)
        rows[f"{name} {version}".strip()] = (
            [settings.python, str(here / file), base] if version else None, stream.report, "not installed")
    return rows


def installed(python: str, module: str) -> str:
    """The version of the package with `module` in that Python; empty if the module cannot be imported."""
    code = f"import {module}, importlib.metadata as m; print(m.version('{module.replace('_', '-')}'))"
    found = subprocess.run([python, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    return found.stdout.strip() if found.returncode == 0 else ""


def measure(settings) -> Table:
    path: Path = settings.out / f"stream-{DELTAS}.sse"
    stream = make(path, DELTAS)
    table = Table(
        f"One stream of {stream.deltas:,} deltas, {stream.total_bytes / 1e6:.1f} MB, from a static server on loopback; "
        f"whole process, runs of all clients in turn",
        ["client", "median", "least", "CPU", "runs", "deltas/s", "against curl", "against C++", "peak memory"])
    with nginx({"large": path}) as origin:
        rows = commands(settings, f"{origin}/large/v1", stream)
        timings = {name: Timing() for name, (command, _, _) in rows.items() if command}
        problems: dict[str, str] = {}
        # The runs are interleaved, so that changes of the machine's speed affect all clients.
        for round_number in range(ROUNDS + 1):
            for name, timing in timings.items():
                if name in problems or (len(timing.walls) >= 2 and timing.least > SLOW):
                    continue
                try:
                    cost = run_checked(settings.out / "launch", rows[name][0], rows[name][1])
                except (RunError, OSError) as problem:
                    problems[name] = f"failed: {problem}"
                    continue
                # The first round is a warm-up.
                if round_number > 0 or cost.wall > SLOW:
                    timing.add(cost)
    curl, plain = list(rows)[:2]
    for name, (_, _, reason) in rows.items():
        if name not in timings or name in problems:
            table.missing(name, problems.get(name, reason))
            continue
        timing = timings[name]
        median = timing.median
        against = [ratio(median, timings, other, problems) for other in (curl, plain)]
        table.add(name, f"{median * 1e3:.0f} ms", f"{timing.least * 1e3:.0f} ms", f"{timing.median_processor * 1e3:.0f} ms",
                  str(len(timing.walls)), f"{stream.deltas / median:,.0f}", *against, f"{timing.peak / 1e6:.0f} MB")
    return table


def ratio(median: float, timings: dict[str, Timing], other: str, problems: dict[str, str]) -> str:
    return "-" if other in problems else f"{median / timings[other].median:.2f}"
