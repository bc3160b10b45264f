"""Measures whether a stream costs more where there are more of them, and how long another task waits while they start."""

import statistics

from process import RunError, raise_descriptor_limit
from servers import ServerError
from streams import CPP, MOONRILL, Run, clients, is_busy, streamed
from summary import kept
from table import Table

STREAMS = (2_000, 4_000, 8_000)
DELTAS, RATE = 3, 1
ROUNDS = 3
GROWTH_GOAL = 1.3


def delay_goal(reference: float) -> float:
    """The longest allowed delay in seconds."""
    return 0.1 + 10 * reference


def measure(settings) -> Table:
    table = Table(
        f"Streams of {DELTAS} deltas, {RATE} a second, all started at once; medians of {ROUNDS} runs in turn. The delay is the "
        "longest of a task that sleeps 50 ms in a loop, and the least of the runs",
        ["client", "streams", "CPU a stream", f"against {STREAMS[0]:,}", "CPU against C++", "time of all", "longest delay"])
    runs: dict[tuple[str, int], list[Run]] = {(client, streams): [] for streams in STREAMS for client in clients(settings)}
    try:
        raise_descriptor_limit(STREAMS[-1])
        for _ in range(ROUNDS):
            for (client, streams), found in runs.items():
                found.append(streamed(settings, client, streams, RATE, DELTAS))
    except (RunError, ServerError) as problem:
        table.missing("failed", str(problem))
        return table
    cpu = {(client, streams): statistics.median(run.cpu for run in found) / streams
           for (client, streams), found in runs.items()}
    # Other programs only add to a delay.
    delay = {key: min(run.delay for run in found) for key, found in runs.items()}
    for client in clients(settings):
        for streams in STREAMS:
            key = client, streams
            table.add(client, f"{streams:,}", f"{cpu[key] * 1e6:.0f} µs", f"{cpu[key] / cpu[client, STREAMS[0]]:.2f}",
                      f"{cpu[key] / cpu[CPP, streams]:.2f}", f"{statistics.median(run.wall for run in runs[key]):.2f} s",
                      f"{delay[key] * 1e3:.1f} ms")
    if not settings.binary:
        table.missing(MOONRILL, "not measured")
        return table
    few, most, busy = STREAMS[0], STREAMS[-1], is_busy(runs.values())
    settings.summary.ratio(
        f"{most:,} short streams at once, CPU a stream against {few:,}", f"{cpu[MOONRILL, most] * 1e6:.0f} µs",
        f"{cpu[MOONRILL, few] * 1e6:.0f} µs (C++: {cpu[CPP, most] * 1e6:.0f} µs)", cpu[MOONRILL, most] / cpu[MOONRILL, few],
        GROWTH_GOAL, busy)
    ours, theirs = delay[MOONRILL, most], delay[CPP, most]
    settings.summary.add(
        "the longest delay of another task while they start", f"{ours * 1e3:.1f} ms", f"{theirs * 1e3:.1f} ms",
        f"{ours / theirs:.1f}", f"{delay_goal(theirs) * 1e3:.0f} ms: {kept(ours <= delay_goal(theirs), busy)}")
    return table
