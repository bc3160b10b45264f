"""Runs a client of many paced streams: streams.cpp, or streams.lua with Moonrill. Both print the same numbers."""

import os
import statistics
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from subprocess import PIPE, TimeoutExpired, run

from process import RunError, idle_seconds
from serve import provider

CPP, MOONRILL = "C++: libcurl, epoll", "moonrill run"
# Seconds that a run may take longer than its streams.
PATIENCE = 120
# Below this idle share of the cores the processes wait for each other. Deltas then come in heaps, which makes latencies large
# and CPU a delta small.
LEAST_IDLE = 0.15


@dataclass
class Run:
    """One run. Times are in seconds; the resident size is the largest, in bytes."""

    cpu: float
    wall: float
    deltas: int
    late: float  # 99th percentile of the time from the server to the callback
    delay: float  # the longest of a task that sleeps 50 ms in a loop
    most: int  # the largest number of streams that were open at once
    peak: int
    idle: float  # share of the time of all cores


def clients(settings) -> list[str]:
    """The clients that are measured, the reference first."""
    return [CPP, MOONRILL] if settings.binary else [CPP]


def streamed(settings, client: str, streams: int, rate: float, deltas: int, skip: float = 0) -> Run:
    """Reads all streams at once from a new server: `deltas` deltas each, `rate` a second. Latencies count after `skip`
    seconds."""
    with provider(settings, rate, deltas) as server, tempfile.NamedTemporaryFile("r") as out:
        base = f"http://127.0.0.1:{server.port}/v1"
        if client == CPP:
            command = [str(settings.out / "streams"), f"{base}/chat/completions", str(streams), str(skip)]
        else:
            command = [settings.binary, "run", str(settings.references / "streams.lua"), base, str(streams), str(skip)]
        began, idle = time.monotonic(), idle_seconds()
        try:
            done = run([str(settings.out / "launch"), out.name, *command], stdout=PIPE, stderr=PIPE, text=True,
                       timeout=deltas / rate + PATIENCE)
        except TimeoutExpired as problem:
            raise RunError(f"{client}, {streams:,} streams: still running after {problem.timeout:.0f} s") from problem
        idle = (idle_seconds() - idle) / (time.monotonic() - began) / (os.cpu_count() or 1)
        numbers, cost = done.stdout.split(), Path(out.name).read_text().split()
    if done.returncode != 0 or len(numbers) != 6:
        raise RunError(f"{client}, {streams:,} streams: ended with {done.returncode}: {done.stderr[-500:]}")
    if int(numbers[2]) != streams * deltas:
        raise RunError(f"{client}, {streams:,} streams: {numbers[2]} deltas instead of {streams * deltas}")
    cpu, wall, received, late, delay, most = numbers
    return Run(float(cpu), float(wall), int(received), float(late), float(delay), int(most), int(cost[2]), idle)


def all_open(client: str, run: Run, streams: int):
    """Fails if the streams were not all open at once: then a stream's memory is not the peak divided by their number."""
    if run.most < streams:
        raise RunError(f"{client}: {run.most:,} of {streams:,} streams were open at once")


def is_busy(runs: Iterable[list[Run]]) -> bool:
    """Whether the cores were idle for less than LEAST_IDLE of the time in most of the runs."""
    return statistics.median(run.idle for found in runs for run in found) < LEAST_IDLE
