"""Measures `moonrill serve` under load: a relay of many streams, small answers, clients that leave, connections."""

import os
import re
import shutil
import statistics
import subprocess
import tempfile
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from process import RunError, located, raise_descriptor_limit, resident_bytes
from servers import ServerError
from static_server import accepts, free_port
from table import Table

RATE = 20  # deltas a second of each stream
DELTAS = 300
FEW, MANY = 200, 2_000
ROUNDS, FEW_ROUNDS = 2, 3
# Above this p99 of the reference, in microseconds, other programs have the machine: events come in heaps, which makes CPU
# an event look small and latency large.
BUSY = 20_000
CPU_GOAL, P99_GOAL, MEMORY_GOAL = 2.0, 20_000, 50_000

WRK_CONNECTIONS, WRK_SECONDS = 64, 5

LEAVING, LEAVING_SECONDS, LEAVING_RATE = 1_000, 5, 10
LEAVE_GOAL = 100  # milliseconds

IDLE = 10_000
HALF = 18_000  # below the limit of descriptors, with room for others
OVER_LIMIT, LIMIT = 22_000, 10_000

NGINX = """
daemon off;
pid {home}/pid;
error_log {home}/error.log warn;
worker_processes 1;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    keepalive_requests 10000000;
    server {{
        listen 127.0.0.1:{port};
        location = /hello {{ default_type text/plain; return 200 "hello"; }}
    }}
}}
"""


@dataclass
class Run:
    """The results of one run of many streams."""

    cpu: float = 0.0  # seconds
    threads: list[float] = field(default_factory=list)  # seconds of the two busiest threads
    full: int = 0  # bytes, when the first streams end
    deltas: int = 0
    lost: int = 0
    failed: int = 0
    p50: int = 0
    p99: int = 0

    @property
    def cpu_per_event(self) -> float:
        return self.cpu / max(self.deltas, 1)


def measure(settings) -> str:
    raise_descriptor_limit(IDLE)
    tables = [relays, hello]
    if settings.binary:
        tables += [departures, connections]
    return "\n\n".join(str(table(settings)) for table in tables)


# MARK: Processes


@dataclass
class Server:
    pid: int
    port: int

    def threads(self) -> list[float]:
        """CPU time of each thread in seconds, from the scheduler: in nanoseconds there, not in ticks."""
        found = []
        for task in Path(f"/proc/{self.pid}/task").iterdir():
            found.append(int((task / "schedstat").read_text().split()[0]) / 1e9)
        return found

    @property
    def cpu(self) -> float:
        return sum(self.threads())

    @property
    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    @property
    def resident(self) -> int:
        return resident_bytes(self.pid)


@contextmanager
def started(command: list[str]):
    """Runs a server that prints its origin on the first line."""
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, text=True,
                                   env=os.environ | {"NO_COLOR": "1"})
        try:
            found = re.match(r"http://127\.0\.0\.1:(\d+)", process.stdout.readline())
            if not found:
                errors.seek(0)
                raise ServerError(f"{command[0]} does not start: {errors.read()[-1000:]}")
            yield Server(process.pid, int(found.group(1)))
        finally:
            process.terminate()
            try:
                process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            process.stdout.close()


def provider(settings, rate: float, deltas: int):
    return started([str(settings.out / "provider"), str(rate), str(deltas)])


def relay(settings, upstream: Server):
    return started([str(settings.out / "relay"), str(upstream.port)])


def moonrill_serve(settings, upstream: Server, connections: int = 19_000, keep: int = 300):
    # Access logs are off, as in nginx.
    return started([settings.binary, "serve", "--port", "0", "--log-level", "warning", "--max-clients", str(connections),
                    str(settings.references / "serve.lua"), "--", f"http://127.0.0.1:{upstream.port}/v1", str(keep)])


@contextmanager
def listeners(settings, mode: str, server: Server, *numbers: int):
    """Runs the load client. Yields it; its lines are read from its output."""
    command = [str(settings.out / "listeners"), mode, str(server.port), *map(str, numbers)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


def line(process: subprocess.Popen, word: str) -> list[str]:
    """The fields of the next line, which must begin with `word`."""
    text = process.stdout.readline().split()
    if not text or text[0] != word:
        raise RunError(f"the load client printed {text} in place of {word}")
    return text[1:]


def server_of(settings, name: str, upstream: Server, keep: int = 300):
    return moonrill_serve(settings, upstream, keep=keep) if name == "moonrill serve" else relay(settings, upstream)


def goal(is_kept: bool) -> str:
    return "kept" if is_kept else "missed"


# MARK: Relay


def stay(settings, name: str, clients: int) -> Run:
    with provider(settings, RATE, DELTAS) as upstream, server_of(settings, name, upstream) as server:
        time.sleep(0.5)
        before = server.cpu
        with listeners(settings, "stay", server, clients) as load:
            line(load, "open")
            line(load, "full")
            full = server.resident
            deltas, lost, failed, p50, p99, _ = map(int, line(load, "done"))
        threads = sorted(server.threads(), reverse=True)
        return Run(sum(threads) - before, threads[:2], full, deltas, lost + clients * DELTAS - deltas, failed, p50, p99)


def idle_streams(settings, name: str, clients: int) -> int:
    """The resident size with streams that have one delta each and wait."""
    with provider(settings, 0, 1) as upstream, server_of(settings, name, upstream) as server:
        with listeners(settings, "hold", server, clients, 3) as load:
            line(load, "open")
            time.sleep(2)
            return server.resident


def relays(settings) -> Table:
    table = Table(
        f"{MANY:,} clients read streams of {DELTAS} deltas, {RATE} a second each, through a relay; the reference is "
        "relay.cpp (C++, epoll, one thread); the whole run of the server's process",
        ["server", "CPU an event", "ratio", f"goal: {CPU_GOAL}", f"the same with {FEW} clients", "lost, failed",
         "p50", "p99", f"goal: {P99_GOAL // 1000} ms", f"p99 with {FEW} clients", "memory a stream",
         f"goal: {MEMORY_GOAL // 1000} kB", "memory an idle stream"])
    names = ["relay.cpp"] + (["moonrill serve"] if settings.binary else [])
    runs: dict[str, list[Run]] = {name: [] for name in names}
    few: dict[str, list[Run]] = {name: [] for name in names}
    idle = {}
    try:
        for _ in range(FEW_ROUNDS):
            for name in names:
                few[name].append(stay(settings, name, FEW))
        for name in names:
            idle[name] = (idle_streams(settings, name, MANY) - idle_streams(settings, name, FEW)) / (MANY - FEW)
        for _ in range(ROUNDS):
            for name in names:
                runs[name].append(stay(settings, name, MANY))
    except (RunError, ServerError) as problem:
        table.missing("failed", str(problem))
        return table
    # The best round of each for latency: other programs only add to it.
    reference_p99 = min(run.p99 for run in runs["relay.cpp"])
    for name in names:
        cpu = statistics.median(run.cpu_per_event for run in runs[name])
        ratio, few_ratio = against(runs, name), against(few, name)
        few_cpu = statistics.median(run.cpu_per_event for run in few[name])
        memory = (statistics.median(run.full for run in runs[name]) - statistics.median(run.full for run in few[name])) \
            / (MANY - FEW)
        best = min(runs[name], key=lambda run: run.p99)
        threads = ", ".join(
            f"{statistics.median(run.threads[place] / max(run.deltas, 1) for run in runs[name]) * 1e6:.1f}"
            for place in range(len(runs[name][0].threads)))
        is_ours = name == "moonrill serve"
        machine = " (machine busy)" if reference_p99 > BUSY else ""
        table.add(
            name, f"{cpu * 1e6:.1f} µs" + (f" (threads: {threads})" if is_ours else ""), f"{ratio:.2f}",
            (goal(ratio <= CPU_GOAL) + machine) if is_ours else "-",
            f"{few_cpu * 1e6:.1f} µs ({few_ratio:.2f})",
            f"{sum(run.lost for run in runs[name] + few[name])}, {sum(run.failed for run in runs[name] + few[name])}",
            f"{best.p50 / 1e3:.2f} ms", f"{best.p99 / 1e3:.1f} ms",
            (goal(best.p99 <= P99_GOAL) + machine) if is_ours else "-", f"{min(run.p99 for run in few[name]) / 1e3:.1f} ms",
            f"{memory / 1e3:.1f} kB",
            goal(memory <= MEMORY_GOAL) if is_ours else "-", f"{idle[name] / 1e3:.1f} kB")
    return table


def against(runs: dict[str, list[Run]], name: str) -> float:
    """CPU an event, as the median of the ratios of each round to the reference."""
    return statistics.median(
        own.cpu_per_event / other.cpu_per_event for own, other in zip(runs[name], runs["relay.cpp"]))


# MARK: Hello


@contextmanager
def nginx_hello():
    """Yields the worker of an nginx that answers GET /hello."""
    with tempfile.TemporaryDirectory(prefix="moonrill-bench-") as folder:
        port = free_port()
        configuration = Path(folder) / "nginx.conf"
        configuration.write_text(NGINX.format(home=folder, port=port))
        process = subprocess.Popen([shutil.which("nginx") or "/usr/sbin/nginx", "-p", folder, "-e", f"{folder}/error.log",
                                    "-c", str(configuration)])
        try:
            if not accepts(port, process):
                raise ServerError("nginx does not start: " + Path(f"{folder}/error.log").read_text())
            worker = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()[0]
            yield Server(int(worker), port)
        finally:
            process.terminate()
            process.wait()


def wrk(server: Server) -> tuple[float, float, int]:
    """Requests a second, CPU seconds a request, and failed requests."""
    before = server.cpu
    ran = subprocess.run([located("wrk"), "-t1", f"-c{WRK_CONNECTIONS}", f"-d{WRK_SECONDS}s",
                          f"http://127.0.0.1:{server.port}/hello"], capture_output=True, text=True, timeout=60)
    found = re.search(r"(\d+) requests in ([\d.]+)(m?s)", ran.stdout)
    if ran.returncode != 0 or not found:
        raise RunError(f"wrk failed: {ran.stdout} {ran.stderr}")
    count = int(found.group(1))
    bad = sum(map(int, re.findall(r"(?:read|write|timeout|connect) (\d+)|responses: (\d+)", ran.stdout)[0])) \
        if "Socket errors" in ran.stdout or "Non-2xx" in ran.stdout else 0
    return count / WRK_SECONDS, (server.cpu - before) / count, bad


def hello(settings) -> Table:
    table = Table(
        f"GET /hello on {WRK_CONNECTIONS} connections (wrk, one thread, {WRK_SECONDS} s, in turn); in nginx a `return`, "
        "one worker; in Moonrill a Lua function",
        ["server", "requests/s", "CPU a request", "ratio"])
    with ExitStack() as stack:
        servers = {"nginx": stack.enter_context(nginx_hello())}
        if settings.binary:
            upstream = stack.enter_context(provider(settings, RATE, DELTAS))
            servers["moonrill serve"] = stack.enter_context(moonrill_serve(settings, upstream))
        results = {name: [] for name in servers}
        try:
            for _ in range(ROUNDS + 1):
                for name, server in servers.items():
                    results[name].append(wrk(server))
        except RunError as problem:
            table.missing("failed", str(problem))
            return table
    for name, found in results.items():
        # The first round is a warm-up.
        found = found[1:]
        ratio = statistics.median(own[1] / other[1] for own, other in zip(found, results["nginx"][1:]))
        table.add(name, f"{statistics.median(one[0] for one in found):,.0f}",
                  f"{statistics.median(one[1] for one in found) * 1e6:.1f} µs", f"{ratio:.2f}")
    return table


# MARK: Departures


def closes(upstream: Server) -> tuple[dict[int, int], int]:
    """The times at which the provider saw streams closed, by client; the streams that still run."""
    ran = subprocess.run([located("curl"), "-s", f"http://127.0.0.1:{upstream.port}/closes"], capture_output=True,
                         text=True, timeout=10)
    *lines, last = map(str.split, ran.stdout.splitlines())
    return {int(client): int(when) for client, when in lines}, int(last[1])


def departures(settings) -> Table:
    table = Table(
        f"{LEAVING:,} clients that leave at random within {LEAVING_SECONDS} s: from the client's close to the provider's "
        f"sight of it; {LEAVING_RATE} deltas a second each. `moonrill serve` waits 60 ms for a reconnection",
        ["server", "seen, left over", "p50", "p99", "longest", f"goal: {LEAVE_GOAL} ms",
         "descriptors after one round, two", "memory after one round, two"])
    for name in ["relay.cpp", "moonrill serve"]:
        with provider(settings, LEAVING_RATE, 1_000_000) as upstream, \
                server_of(settings, name, upstream, keep=1) as server:
            # The first round allocates what is allocated once; the second one shows growth.
            leave(settings, server, upstream)
            descriptors, memory = server.descriptors, server.resident
            delays, left_over = leave(settings, server, upstream)
            kept = left_over == 0 and bool(delays) and delays[-1] <= LEAVE_GOAL
            table.add(
                name, f"{len(delays):,}, {left_over}",
                *(f"{delay:.1f} ms" for delay in (statistics.median(delays), delays[len(delays) * 99 // 100], delays[-1])),
                goal(kept) if name != "relay.cpp" else "-", f"{descriptors}, {server.descriptors}",
                f"{memory / 1e6:.1f}, {server.resident / 1e6:.1f} MB")
    return table


def leave(settings, server: Server, upstream: Server) -> tuple[list[float], int]:
    """The delays in milliseconds in order, and the streams that the provider still sends.

    A client that leaves before its request was read has no stream at the provider.
    """
    left = {}
    with listeners(settings, "leave", server, LEAVING, LEAVING_SECONDS) as load:
        for text in load.stdout:
            word, *fields = text.split()
            if word == "left":
                left[int(fields[0])] = int(fields[1])
    # Ended streams are forgotten within two seconds.
    time.sleep(3)
    seen, left_over = closes(upstream)
    return sorted((seen[client] - when) / 1e6 for client, when in left.items() if client in seen), left_over


# MARK: Connections


def connections(settings) -> Table:
    table = Table("Connections to `moonrill serve`", ["what", "result"])
    with provider(settings, RATE, DELTAS) as upstream:
        with moonrill_serve(settings, upstream) as server:
            idle_connections(settings, server, table)
        with moonrill_serve(settings, upstream) as server:
            half_open(settings, server, table, HALF, "below the limit")
        with moonrill_serve(settings, upstream, LIMIT) as server:
            half_open(settings, server, table, OVER_LIMIT, f"limit of {LIMIT:,}")
    return table


def idle_connections(settings, server: Server, table: Table):
    with listeners(settings, "idle", server, FEW) as few:
        line(few, "open")
        small = server.resident
    time.sleep(0.5)
    with listeners(settings, "idle", server, IDLE) as load:
        answered = line(load, "open")[0]
        time.sleep(1)
        large, before = server.resident, server.cpu
        time.sleep(5)
        share = (server.cpu - before) / 5
        load.stdin.write("\n")
        load.stdin.flush()
        again = line(load, "done")[0]
    table.add(f"{IDLE:,} idle connections after one request each",
              f"{(large - small) / (IDLE - FEW) / 1e3:.1f} kB each, {share:.1%} of a core; answered {answered}, then {again}")


def half_open(settings, server: Server, table: Table, count: int, title: str):
    with listeners(settings, "probe", server) as probe, listeners(settings, "half", server, count) as load:
        line(load, "open")
        memory, descriptors = server.resident, server.descriptors
        timeouts, refused, silent, first, last = line(load, "done")
        probe.terminate()
        good, bad, longest = line(probe, "done")
    time.sleep(0.5)
    with listeners(settings, "idle", server, 100) as after:
        alive = line(after, "open")[0]
    table.add(
        f"{count:,} beginnings of heads, 3,000 a second, {title}",
        f"408: {timeouts}, 503: {refused}, closed without a response: {silent}; after {first} to {last} s; "
        f"{descriptors:,} descriptors, {memory / 1e6:.0f} MB; meanwhile {good} of {int(good) + int(bad)} other requests were "
        f"answered, the slowest in {longest} ms; afterwards {alive} of 100")
