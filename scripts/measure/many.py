"""Measures many open streams: CPU time a delta, memory a stream, and fairness between streams."""

import resource
import statistics
import subprocess
from dataclasses import dataclass

from process import RunError, cpu_seconds, resident_bytes
from servers import moonrill
from table import Table

LOADS = [(200, 20), (2_000, 20), (8_000, 5)]  # streams, deltas a second each
SECONDS = 10


@dataclass
class Load:
    """The results of one load."""

    cpu_per_delta: float
    cpu_share: float
    rss_per_stream: float
    deltas: int
    spreads: list[float]  # of each sample: missing due deltas, largest minus smallest over all streams
    overdue: list[float]  # of each sample: seconds since the oldest missing delta was due


def measure(settings) -> Table:
    table = Table(
        f"Many streams at once against `moonrill mock` on the same machine, {SECONDS} s each (the client's own process)",
        ["streams", "deltas/s each", "processor a delta", "of one core", "memory a stream", "spread between streams",
         "longest overdue", "processor a delta against the first row"])
    if not settings.binary:
        for streams, _ in LOADS:
            table.missing(f"{streams:,}", "not measured")
        return table
    raise_descriptor_limit()
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


def usual_and_most(samples: list[float], unit: str) -> str:
    """The median and the maximum of the samples. Other programs on the machine affect the maximum."""
    return f"{statistics.median(samples):.0f}, at most {max(samples):.0f} {unit}"


def raise_descriptor_limit():
    """Raises the soft limit of open files to the hard limit. Child processes inherit it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    needed = max(streams for streams, _ in LOADS) + 200
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise RunError(f"the limit of open files is {hard}; {needed} are needed (ulimit -Hn)")


def run(settings, streams: int, rate: int, options: tuple[str, ...] = ()) -> Load:
    with moonrill(settings.binary, rate=None) as origin:
        command = [settings.binary, "run", *options, str(settings.references / "many.lua"), origin + "/v1", str(streams), str(rate),
                   str(SECONDS)]
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
