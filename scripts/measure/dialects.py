"""The same reply in each dialect's own shape, as fast as it goes: what a byte of each costs."""

from process import RunError, Timing, run_checked
from server import nginx
from shapes import PATHS, READ_AS, make
from table import Table

DELTAS = 200_000
ROUNDS = 5


def measure(settings) -> Table:
    table = Table(
        f"One stream of {DELTAS:,} deltas of text in each dialect, from a static server on loopback; whole process, "
        "runs in turn",
        ["dialect", "stream", "a delta", "median", "processor", "deltas/s", "a byte", "a byte against openai"])
    if not settings.binary:
        for dialect in PATHS:
            table.missing(dialect, "not measured")
        return table
    streams = {dialect: make(settings.out, dialect, DELTAS) for dialect in PATHS}
    timings = {dialect: Timing() for dialect in PATHS}
    problems: dict[str, str] = {}
    served = {dialect: path for dialect, (path, _) in streams.items()}
    with nginx(served, PATHS) as origin:
        for round_number in range(ROUNDS + 1):
            for dialect, (_, stream) in streams.items():
                command = [settings.binary, "run", str(settings.references / "count.lua"), f"{origin}/{dialect}/v1",
                           READ_AS.get(dialect, dialect)]
                if dialect in problems:
                    continue
                try:
                    cost = run_checked(settings.out / "launch", command, stream.report)
                except (RunError, OSError) as problem:
                    problems[dialect] = f"failed: {problem}"
                    continue
                if round_number > 0:
                    timings[dialect].add(cost)
    for dialect, (_, stream) in streams.items():
        if dialect in problems:
            table.missing(dialect, problems[dialect])
            continue
        timing = timings[dialect]
        byte = timing.median / stream.total_bytes
        base = timings["openai"].median / streams["openai"][1].total_bytes
        table.add(dialect, f"{stream.total_bytes / 1e6:.1f} MB", f"{stream.total_bytes / DELTAS:.0f} bytes",
                  f"{timing.median * 1e3:.0f} ms", f"{sum(timing.processor) / len(timing.processor) * 1e3:.0f} ms",
                  f"{DELTAS / timing.median:,.0f}", f"{byte * 1e9:.2f} ns", f"{byte / base:.2f}")
    return table
