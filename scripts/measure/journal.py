"""Measures what the store costs: a stream in a job, many streams that are logged, a reply from the cache, and, with --long, a
store of a million requests."""

import os
import shutil
import sqlite3
import statistics
import subprocess
import tempfile
from pathlib import Path

import many
from process import RunError, Timing, raise_descriptor_limit, run_checked, spawn_silent
from static_server import nginx
from stream import make
from table import Table

DELTAS = 200_000
ROUNDS = 5
STREAMS, RATE = 2_000, 20
CACHED_DELTAS = 25
QUESTIONS = 400
REQUESTS = 1_000_000
COMMAND_RUNS = 11


def measure(settings) -> str:
    if not settings.binary:
        table = Table("The store", ["what"])
        table.missing("moonrill run", "not measured")
        return str(table)
    # On the disk of the working directory: a sync on a tmpfs costs nothing.
    folder = Path(tempfile.mkdtemp(prefix="journal-", dir=settings.out)).resolve()
    parts = (throughput, streams, cached, million) if settings.long else (throughput, streams, cached)
    try:
        return "\n\n".join(str(part(settings, folder)) for part in parts)
    finally:
        shutil.rmtree(folder)


def throughput(settings, folder: Path) -> Table:
    """One stream at full speed. Each run has a store of its own."""
    path: Path = settings.out / f"stream-{DELTAS}.sse"
    stream = make(path, DELTAS)
    table = Table(f"One stream of {stream.deltas:,} deltas; whole process, runs in turn, {ROUNDS} each",
                  ["moonrill run", "median", "least", "CPU", "against the first row", "store a run"])
    ways = {"without a store": [], "with the log": ["--log-requests"], "in a job": ["--job"]}
    timings = {name: Timing() for name in ways}
    sizes = dict.fromkeys(ways, 0)
    with nginx({"large": path}) as origin:
        for number in range(ROUNDS + 1):
            for name, options in ways.items():
                store = folder / f"{name}.db"  # made by the first round
                job = [f"bench {number}"] if options == ["--job"] else []
                command = [settings.binary, "run", "--store", str(store), *options, *job,
                           str(settings.references / "count.lua"), f"{origin}/large/v1"]
                cost = run_checked(settings.out / "launch", command, stream.report)
                sizes[name] = size(store) // (number + 1)
                if number > 0:  # the first round is a warm-up
                    timings[name].add(cost)
    plain = timings["without a store"].median
    for name, timing in timings.items():
        table.add(name, f"{timing.median * 1e3:.0f} ms", f"{timing.least * 1e3:.0f} ms",
                  f"{timing.median_processor * 1e3:.0f} ms", f"{timing.median / plain:.2f}",
                  f"{sizes[name] / 1e6:.1f} MB" if sizes[name] else "no file")
    return table


def streams(settings, folder: Path) -> Table:
    """Many streams at once, each alternative twice in turn."""
    raise_descriptor_limit(STREAMS)
    table = Table(f"{STREAMS:,} streams of {RATE} deltas a second against `moonrill mock`, {many.SECONDS} s (the client's own "
                  "process)", ["moonrill run", "CPU a delta", "of one core", "memory a stream", "against the first row"])
    ways = {"without a store": [], "with the log": ["--log-requests"]}
    loads: dict[str, list[many.Load]] = {name: [] for name in ways}
    for number in range(2):
        for name, options in ways.items():
            store = ["--store", str(folder / f"streams-{number}.db")]
            loads[name].append(many.run(settings, STREAMS, RATE, (*store, *options)))
    costs = {name: min(load.cpu_per_delta for load in found) for name, found in loads.items()}
    for name, cost in costs.items():
        load = min(loads[name], key=lambda load: load.cpu_per_delta)
        table.add(name, f"{cost * 1e6:.1f} µs", f"{load.cpu_share:.0%}", f"{load.rss_per_stream / 1e3:.1f} kB",
                  f"{cost / costs['without a store']:.2f}")
    return table


def cached(settings, folder: Path) -> Table:
    """Replies from the network, and the same from the cache."""
    path = settings.out / f"stream-{CACHED_DELTAS}.sse"
    make(path, CACHED_DELTAS)
    table = Table(f"One reply of {CACHED_DELTAS} deltas inside a running script, the mean of {QUESTIONS} in a row, "
                  f"{ROUNDS} runs each in turn", ["moonrill run", "median", "least", "against the first row"])
    ways = {"asked, not recorded": ["--no-cache"], "asked and recorded": ["--refresh"], "from the cache": ["--cache"]}
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    with nginx({"small": path}) as origin:
        for _ in range(ROUNDS):
            for name, options in ways.items():
                command = [settings.binary, "run", "--store", str(folder / "cache.db"), *options,
                           str(settings.references / "cached.lua"), f"{origin}/small/v1", str(QUESTIONS)]
                done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
                fields = done.stdout.split()
                if done.returncode != 0 or fields[1:] != [str(QUESTIONS * CACHED_DELTAS)]:
                    raise RunError(f"{name}: {done.stdout[:200]!r} {done.stderr[-500:]}")
                seconds[name].append(float(fields[0]))
    first = statistics.median(seconds["asked, not recorded"])
    for name, found in seconds.items():
        median = statistics.median(found)
        table.add(name, f"{median * 1e3:.3f} ms", f"{min(found) * 1e3:.3f} ms", f"{median / first:.2f}")
    return table


def million(settings, folder: Path) -> Table:
    """Commands of the log, and look-ups of the cache, with a million requests in the store."""
    store = folder / "million.db"
    fill = Path(__file__).resolve().parent.parent / "journal-fill"
    subprocess.run([fill, store, "--requests", str(REQUESTS), "--binary", settings.binary], check=True,
                   stdout=subprocess.DEVNULL)
    table = Table(f"A store with {REQUESTS:,} requests, {size(store) / 1e9:.1f} GB; the whole process, {COMMAND_RUNS} runs "
                  "each in turn", ["command", "median", "least"])
    commands = {
        "moonrill logs path (the start of the process)": ["path"],
        "moonrill logs last": ["last"],
        "moonrill logs (the newest 20, sums over all)": ["list"],
        "moonrill logs search WORD, a common word": ["search", common_word(store)],
        "moonrill logs search WORD, a rare word": ["search", "xylophone"],
    }
    walls: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(COMMAND_RUNS):
        for name, arguments in commands.items():
            walls[name].append(spawn_silent([settings.binary, "logs", *arguments, "--store", str(store)]).wall)
    for name, times in walls.items():
        table.add(name, f"{statistics.median(times) * 1e3:.1f} ms", f"{min(times) * 1e3:.1f} ms")
    found, missed = misses(settings, store)
    table.add("a request that is recorded, inside a script", f"{found * 1e3:.3f} ms", "-")
    table.add("the same with a look-up that finds nothing", f"{missed * 1e3:.3f} ms", "-")
    return table


def common_word(store: Path) -> str:
    """A word of the newest prompt."""
    with sqlite3.connect(store) as database:
        (prompt,) = database.execute("SELECT prompt FROM requests ORDER BY id DESC LIMIT 1").fetchone()
    return max(prompt.split(), key=len)


def misses(settings, store: Path) -> tuple[float, float]:
    """Seconds a request, recorded without and with a look-up before it: medians of runs in turn with new questions."""
    path = settings.out / f"stream-{CACHED_DELTAS}.sse"
    make(path, CACHED_DELTAS)
    seconds: dict[str, list[float]] = {"--log-requests": [], "--cache": []}
    with nginx({"small": path}) as origin:
        for number in range(COMMAND_RUNS):
            for option, found in seconds.items():
                command = [settings.binary, "run", "--store", str(store), option, str(settings.references / "cached.lua"),
                           f"{origin}/small/v1", str(QUESTIONS), f"{option} {number}"]
                done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
                found.append(float(done.stdout.split()[0]))
    return statistics.median(seconds["--log-requests"]), statistics.median(seconds["--cache"])


def size(store: Path) -> int:
    """Bytes of the store and its write-ahead log; 0 if there is none."""
    return sum(os.path.getsize(name) for name in (store, f"{store}-wal") if os.path.exists(name))
