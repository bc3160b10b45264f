"""Measures short calls: over kept connections, to one HTTP/2 origin, and the turns of a long conversation."""

import json
import statistics
import subprocess
import time
from pathlib import Path

from process import RunError
from static_server import nginx, nginx_proxy
from stream import make
from summary import kept as kept_goal
from table import Table

CALLS, AT_ONCE = 3_000, (1, 16, 256)
ROUNDS = 5
HTTP2_CALLS, HTTP2_AT_ONCE, MOST_CONNECTIONS = 1_200, 400, 4
HTTP2_ROUNDS = 3
MESSAGES, TURNS = 5_000, 20
# Largest ratios to the C++ client, and connections.
CALL_GOAL, CALL_GOAL_AT = 3, 16
HTTP2_GOAL, CONNECTIONS_GOAL = 1.5, 8


def measure(settings) -> str:
    return "\n\n".join(str(part(settings)) for part in (kept, http2, conversation))


def timed(command: list[str], count: int) -> tuple[float, float]:
    """Runs a client that prints seconds of CPU and of wall time. Returns both a call."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    fields = done.stdout.split()
    if done.returncode != 0 or len(fields) != 2:
        raise RunError(f"{command[0]} ended with {done.returncode}: {done.stdout[:200]!r} {done.stderr[-500:]}")
    return float(fields[0]) / count, float(fields[1]) / count


def clients(settings, base: str, calls: int, at_once: int, *options: str) -> dict[str, list[str]]:
    commands = {"C++: libcurl": [str(settings.out / "calls"), f"{base}/chat/completions", str(calls), str(at_once), *options]}
    if settings.binary:
        commands["moonrill run"] = [settings.binary, "run", str(settings.references / "calls.lua"), base, str(calls),
                                    str(at_once)]
    return commands


def kept(settings) -> Table:
    path: Path = settings.out / "stream-2.sse"
    make(path, 2)
    table = Table(f"{CALLS:,} calls of 2 deltas over kept connections to a static server; medians of {ROUNDS} runs in turn",
                  ["client", "at once", "CPU a call", "wall time a call", "CPU against C++"])
    ours, theirs = {}, {}
    with nginx({"two": path}) as origin:
        for at_once in AT_ONCE:
            commands = clients(settings, f"{origin}/two/v1", CALLS, at_once)
            found: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
            for _ in range(ROUNDS):
                for name, command in commands.items():
                    found[name].append(timed(command, CALLS))
            for name, costs in found.items():
                processor, wall = (statistics.median(cost[part] for cost in costs) for part in (0, 1))
                ours[at_once] = processor
                theirs.setdefault(at_once, processor)
                table.add(name, str(at_once), f"{processor * 1e6:.0f} µs", f"{wall * 1e6:.0f} µs",
                          f"{processor / theirs[at_once]:.2f}")
    if not settings.binary:
        table.missing("moonrill run", "not measured")
        return table
    ratios = {at_once: ours[at_once] / theirs[at_once] for at_once in AT_ONCE}
    settings.summary.add(
        f"a call over a kept connection, {', '.join(map(str, AT_ONCE))} at once, CPU",
        ", ".join(f"{cpu * 1e6:.0f}" for cpu in ours.values()) + " µs",
        "C++: " + ", ".join(f"{cpu * 1e6:.0f}" for cpu in theirs.values()) + " µs",
        ", ".join(f"{ratio:.2f}" for ratio in ratios.values()),
        f"{CALL_GOAL} at {CALL_GOAL_AT}: {kept_goal(ratios[CALL_GOAL_AT] <= CALL_GOAL)}")
    return table


def http2(settings) -> Table:
    table = Table(f"{HTTP2_CALLS:,} calls of 0.3 s, {HTTP2_AT_ONCE} at once, to one HTTP/2 origin; medians of {HTTP2_ROUNDS} "
                  f"runs in turn. libcurl is told to open {MOST_CONNECTIONS} connections at most",
                  ["client", "connections", "CPU a call", "wall time of all", "CPU against C++"])
    provider = subprocess.Popen([str(settings.out / "provider"), "10", "3"], stdout=subprocess.PIPE, text=True)
    try:
        upstream = provider.stdout.readline().strip()
        with nginx_proxy(upstream) as (origin, connections):
            commands = clients(settings, f"{origin}/v1", HTTP2_CALLS, HTTP2_AT_ONCE)
            commands["C++: libcurl"].append(str(MOST_CONNECTIONS))
            found: dict[str, list[tuple[float, float, int]]] = {name: [] for name in commands}
            for _ in range(HTTP2_ROUNDS):
                for name, command in commands.items():
                    connections()
                    cost = timed(command, HTTP2_CALLS)
                    found[name].append((*cost, connections()))
        first = None
        cells, ours = [], (0.0, 0.0)
        for name, costs in found.items():
            processor, wall = (statistics.median(cost[part] for cost in costs) for part in (0, 1))
            most = max(cost[2] for cost in costs)
            first = first or (processor, wall)
            ours = processor, wall
            table.add(name, str(most), f"{processor * 1e6:.0f} µs", f"{wall * HTTP2_CALLS:.2f} s",
                      f"{processor / first[0]:.2f}")
            cells.append(f"{most} connections, {processor * 1e6:.0f} µs, {wall * HTTP2_CALLS:.2f} s")
    finally:
        provider.terminate()
        provider.wait()
        provider.stdout.close()
    if not settings.binary:
        table.missing("moonrill run", "not measured")
        return table
    ratios = [own / other for own, other in zip(ours, first)]
    settings.summary.add(
        f"{HTTP2_AT_ONCE} calls at once to one HTTP/2 host: connections, CPU a call, time of all", cells[-1],
        f"C++: {cells[0]}", f"CPU {ratios[0]:.2f}, time {ratios[1]:.2f}",
        f"{CONNECTIONS_GOAL} connections, {HTTP2_GOAL}: {kept_goal(most <= CONNECTIONS_GOAL and max(ratios) <= HTTP2_GOAL)}")
    return table


def conversation(settings) -> Table:
    path: Path = settings.out / "stream-2.sse"
    make(path, 2)
    table = Table(f"A turn of a conversation of {MESSAGES:,} messages, which is sent whole; the mean of {TURNS} turns",
                  ["what", "CPU a turn", "against json.dumps"])
    python = dumped(MESSAGES, TURNS)
    table.add("Python: json.dumps of the messages alone", f"{python * 1e3:.1f} ms", "1.00")
    if not settings.binary:
        table.missing("moonrill run", "not measured")
        return table
    with nginx({"two": path}) as origin:
        found = [chatted(settings, origin, MESSAGES, TURNS) for _ in range(3)]
    turn = statistics.median(found)
    table.add("moonrill run: a turn with its reply", f"{turn * 1e3:.1f} ms", f"{turn / python:.2f}")
    settings.summary.add(f"a conversation of {MESSAGES:,} messages, CPU a turn", f"{turn * 1e3:.1f} ms",
                         f"json.dumps: {python * 1e3:.1f} ms", f"{turn / python:.2f}")
    return table


def dumped(count: int, turns: int) -> float:
    """Seconds of CPU in which Python writes the messages of a turn as JSON."""
    messages = [{"role": "user", "content": f"message {number} of a conversation, with a text of the usual length of a short "
                 "one"} for number in range(count)]
    since = time.process_time()
    for _ in range(turns):
        json.dumps({"model": "m", "stream": True, "messages": messages})
    return (time.process_time() - since) / turns


def chatted(settings, origin: str, messages: int, turns: int) -> float:
    """Seconds of CPU of a turn with its reply. `origin` serves a reply at /two."""
    command = [settings.binary, "run", str(settings.references / "conversation.lua"), f"{origin}/two/v1", str(messages),
               str(turns)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode != 0:
        raise RunError(f"conversation.lua: {done.stderr[-500:]}")
    return float(done.stdout)
