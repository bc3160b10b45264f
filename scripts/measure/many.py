"""Measures many open streams: CPU time a delta, memory a stream, fairness between streams, and latency beside a C++ client."""

import statistics
import subprocess
from dataclasses import dataclass

from process import RunError, cpu_seconds, raise_descriptor_limit, resident_bytes
from servers import ServerError, moonrill
from streams import CPP, MOONRILL, Run, all_open, clients, is_busy, streamed
from summary import kept
from table import Table

LOADS = [(200, 20), (2_000, 20), (8_000, 5)]  # streams, deltas a second each
MOST = max(streams for streams, _ in LOADS)
SECONDS = 10

PACED_STREAMS, PACED_RATE, PACED_DELTAS = 2_000, 20, 120
ROUNDS = 3
# Seconds after which all streams are open and latency is measured.
STEADY = 3
CPU_GOAL, LATENCY_GOAL, MEMORY_GOAL = 1.5, 3, 22_000
# Seconds. Below it, the latency of the reference is the time in which the kernel wakes a process.
LEAST_LATENCY = 0.001


@dataclass
class Load:
    """The results of one load."""

    cpu_per_delta: float
    cpu_share: float
    rss_per_stream: float
    deltas: int
    spreads: list[float]  # of each sample: missing due deltas, largest minus smallest over all streams
    overdue: list[float]  # of each sample: seconds since the oldest missing delta was due


def measure(settings) -> str:
    return "\n\n".join(str(part(settings)) for part in (mock_streams, paced))


def mock_streams(settings) -> Table:
    table = Table(
        f"Many streams at once against `moonrill mock` on the same machine, {SECONDS} s each (the client's own process)",
        ["streams", "deltas/s each", "CPU a delta", "of one core", "memory a stream", "spread between streams",
         "longest overdue", "CPU a delta against the first row"])
    if not settings.binary:
        for streams, _ in LOADS:
            table.missing(f"{streams:,}", "not measured")
        return table
    raise_descriptor_limit(MOST)
    first = None
    for streams, rate in LOADS:
        try:
            load = run(settings, streams, rate)
        except RunError as problem:
            table.missing(f"{streams:,}", f"failed: {problem}")
            continue
        first = first or load
        table.add(f"{streams:,}", str(rate), f"{load.cpu_per_delta * 1e6:.1f} µs", f"{load.cpu_share:.0%}",
                  f"{load.rss_per_stream / 1e3:.1f} kB", usual_and_most(load.spreads, "deltas"),
                  usual_and_most([time * 1e3 for time in load.overdue], "ms"),
                  f"{load.cpu_per_delta / first.cpu_per_delta:.2f}")
    return table


def paced(settings) -> Table:
    """CPU, latency and memory of the same streams in Moonrill and in C++."""
    table = Table(
        f"{PACED_STREAMS:,} streams of {PACED_DELTAS} deltas, {PACED_RATE} a second, from a C++ server; medians of {ROUNDS} "
        f"runs in turn. p99 is of the time from the server's send to the callback, of one delta in 50 after {STEADY} s, the "
        "least of the runs; memory is the slope of the peak resident size from 1 stream",
        ["client", "CPU a delta", "against C++", "p99", "against C++", "peak memory", "memory a stream", "against C++"])
    names = clients(settings)
    try:
        raise_descriptor_limit(PACED_STREAMS)
        base = {name: streamed(settings, name, 1, PACED_RATE, PACED_RATE).peak for name in names}
        runs: dict[str, list[Run]] = {name: [] for name in names}
        for _ in range(ROUNDS):
            for name, found in runs.items():
                found.append(streamed(settings, name, PACED_STREAMS, PACED_RATE, PACED_DELTAS, STEADY))
                all_open(name, found[-1], PACED_STREAMS)
    except (RunError, ServerError) as problem:
        table.missing("failed", str(problem))
        return table
    cpu = {name: statistics.median(run.cpu / run.deltas for run in found) for name, found in runs.items()}
    # Other programs only add to a latency.
    late = {name: min(run.late for run in found) for name, found in runs.items()}
    peak = {name: statistics.median(run.peak for run in found) for name, found in runs.items()}
    memory = {name: (peak[name] - base[name]) / (PACED_STREAMS - 1) for name in names}
    for name in names:
        table.add(name, f"{cpu[name] * 1e6:.1f} µs", f"{cpu[name] / cpu[CPP]:.2f}", f"{late[name] * 1e3:.2f} ms",
                  f"{late[name] / late[CPP]:.2f}", f"{peak[name] / 1e6:.1f} MB", f"{memory[name] / 1e3:.1f} kB",
                  f"{memory[name] / memory[CPP]:.2f}")
    if not settings.binary:
        table.missing(MOONRILL, "not measured")
        return table
    summary, busy = settings.summary, is_busy(runs.values())
    summary.ratio(f"{PACED_STREAMS:,} streams, {PACED_RATE} deltas a second each, CPU a delta",
                  f"{cpu[MOONRILL] * 1e6:.1f} µs", f"C++: {cpu[CPP] * 1e6:.1f} µs", cpu[MOONRILL] / cpu[CPP], CPU_GOAL, busy)
    most = LATENCY_GOAL * max(late[CPP], LEAST_LATENCY)
    summary.add("the same, p99 from the server to the callback", f"{late[MOONRILL] * 1e3:.2f} ms",
                f"C++: {late[CPP] * 1e3:.2f} ms", f"{late[MOONRILL] / late[CPP]:.2f}",
                f"{most * 1e3:.1f} ms: {kept(late[MOONRILL] <= most, busy)}")
    summary.add("the same, memory a stream", f"{memory[MOONRILL] / 1e3:.1f} kB", f"C++: {memory[CPP] / 1e3:.1f} kB",
                f"{memory[MOONRILL] / memory[CPP]:.2f}", f"{MEMORY_GOAL / 1e3:.0f} kB: {kept(memory[MOONRILL] <= MEMORY_GOAL)}")
    return table


def usual_and_most(samples: list[float], unit: str) -> str:
    """The median and the maximum of the samples. Other programs on the machine affect the maximum."""
    return f"{statistics.median(samples):.0f}, at most {max(samples):.0f} {unit}"


def run(settings, streams: int, rate: int, options: tuple[str, ...] = ()) -> Load:
    with moonrill(settings.binary, rate=None) as origin:
        command = [settings.binary, "run", *options, str(settings.references / "many.lua"), origin + "/v1",
                   str(streams), str(rate), str(SECONDS)]
        client = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            return watch(client, streams)
        finally:
            if client.poll() is None:
                client.terminate()
            client.wait()
            client.stdout.close()


def watch(client: subprocess.Popen, streams: int) -> Load:
    """Reads CPU time and memory of the process when the script prints its lines."""
    idle = full = received = cpu = wall_cpu = delta_count = 0
    spreads, overdue = [], []
    for line in client.stdout:
        word, *fields = line.rstrip("\n").split("\t")
        if word == "idle":
            idle = resident_bytes(client.pid)
        elif word == "full":
            cpu, received = cpu_seconds(client.pid), int(fields[0])
        elif word == "sample":
            spreads.append(float(fields[0]))
            overdue.append(float(fields[1]))
        elif word == "done":
            full = resident_bytes(client.pid)
            wall_cpu, delta_count = cpu_seconds(client.pid) - cpu, int(fields[0]) - received
        elif word == "failed":
            raise RunError(f"{fields[0]} streams failed: {fields[1]}")
    client.wait()
    if client.returncode != 0 or not delta_count:
        raise RunError(f"the client ended with {client.returncode} after {delta_count} deltas")
    return Load(wall_cpu / delta_count, wall_cpu / SECONDS, (full - idle) / streams, delta_count, spreads,
                overdue)
