"""Measures how the costs grow, for `scripts/bench --plot`: with the number of streams, calls, deltas and messages."""

import json
import statistics
import subprocess
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path

from calls import chatted, clients as call_clients, dumped, timed
from process import OTHER_DESCRIPTORS, RunError, raise_descriptor_limit, run_checked
from static_server import nginx
from stream import make
from streams import CPP, MOONRILL, all_open, clients, streamed

# A round of streams takes more than a minute.
STREAM_ROUNDS, ROUNDS = 3, 5
STREAMS = (100, 500, 1_000, 2_000, 4_000, 8_000, 16_000)
STREAM_DELTAS = 3
# All are open at once: their deltas take a second for this many streams, and 3 s at least.
STREAMS_A_SECOND = 1_000
CALLS, AT_ONCE = (100, 1_000, 10_000, 100_000), 16
DELTAS = (1_000, 10_000, 100_000, 1_000_000)
# Short streams are read again until there are as many deltas.
LEAST_DELTAS = 200_000
MESSAGES, TURNS = (10, 100, 1_000, 10_000), 3
SIMDJSON, JSON = "C++: libcurl, simdjson", "Python: json.dumps alone"


@dataclass
class Panel:
    """One diagram: for each client the samples at each size."""

    title: str
    sizes: str
    unit: str
    curves: dict[str, dict[int, list[float]]] = field(default_factory=dict)

    def add(self, client: str, size: int, sample: float):
        self.curves.setdefault(client, {}).setdefault(size, []).append(sample)

    def line(self, client: str) -> str:
        medians = (f"{size:,}: {statistics.median(samples):.3g}" for size, samples in self.curves[client].items())
        return f"{self.title} ({self.unit}), {client}: {'; '.join(medians)}"


@dataclass
class Page:
    """The diagrams, and what the reader must know of the numbers."""

    machine: str
    panels: list[Panel]
    notes: list[str]

    def save(self, path: Path):
        path.write_text(json.dumps(asdict(self)))


def measure(settings, machine: str) -> Page:
    notes = ["The C++ clients keep nothing of a reply, Moonrill its text."]
    panels = [*streams(settings, notes), calls(settings), *deltas(settings), turns(settings)]
    for panel in panels:
        for client in panel.curves:
            print(panel.line(client), flush=True)
    return Page(machine, panels, notes)


def said(message: str):
    print(message, file=sys.stderr, flush=True)


def note(notes: list[str], message: str):
    """A problem, on the page and at once."""
    notes.append(message)
    said(f"scripts/bench: {message}")


def local_ports() -> int:
    """The number of local ports, one of which each connection to a server needs."""
    first, last = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    return last - first + 1


def streams(settings, notes: list[str]) -> tuple[Panel, Panel]:
    cpu = Panel("CPU a stream", f"streams at once, each of {STREAM_DELTAS} deltas", "µs")
    memory = Panel("Memory a stream", "streams at once", "kB")
    ports = local_ports()
    sizes = []
    for size in STREAMS:
        try:
            raise_descriptor_limit(size)
            if size + OTHER_DESCRIPTORS > ports:
                raise RunError(f"there are {ports:,} local ports")
            sizes.append(size)
        except RunError as problem:
            note(notes, f"{size:,} streams were not measured: {problem}.")
    if any(size > ports // 2 for size in sizes):
        notes.append(f"Above {ports // 2:,} connections to one address, half of the local ports, the kernel's search for a "
                     "free port is a part of the CPU.")
    left = {client: list(sizes) for client in clients(settings)}
    for number in range(STREAM_ROUNDS):
        said(f"Streams, round {number + 1} of {STREAM_ROUNDS} ...")
        for client, open_sizes in left.items():
            base = streamed(settings, client, 1, STREAM_DELTAS, STREAM_DELTAS).peak
            for size in tuple(open_sizes):
                seconds = max(STREAM_DELTAS, size / STREAMS_A_SECOND)
                try:
                    run = streamed(settings, client, size, STREAM_DELTAS / seconds, STREAM_DELTAS)
                    all_open(client, run, size)
                except RunError as problem:
                    note(notes, f"Not drawn: {problem}.")
                    open_sizes.remove(size)
                    for panel in (cpu, memory):
                        panel.curves.get(client, {}).pop(size, None)
                    continue
                cpu.add(client, size, run.cpu / size * 1e6)
                memory.add(client, size, (run.peak - base) / (size - 1) / 1e3)
    return cpu, memory


def calls(settings) -> Panel:
    panel = Panel("CPU a call", f"calls over kept connections, {AT_ONCE} at once", "µs")
    path = settings.out / "stream-2.sse"
    make(path, 2)
    with nginx({"two": path}) as origin:
        for number in range(ROUNDS):
            said(f"Calls, round {number + 1} of {ROUNDS} ...")
            for size in CALLS:
                for name, command in call_clients(settings, f"{origin}/two/v1", size, AT_ONCE).items():
                    panel.add(MOONRILL if name == MOONRILL else CPP, size, timed(command, size)[0] * 1e6)
    return panel


def deltas(settings) -> tuple[Panel, Panel]:
    cpu = Panel("CPU a delta", "deltas in one stream", "µs")
    peak = Panel("Peak memory of the process", "deltas in one stream", "MB")
    said(f"Writing a stream of {DELTAS[-1]:,} deltas ...")
    paths = {size: settings.out / f"stream-{size}.sse" for size in DELTAS}
    facts = {size: make(path, size) for size, path in paths.items()}
    with nginx({str(size): path for size, path in paths.items()}) as origin:
        for number in range(ROUNDS):
            said(f"Deltas, round {number + 1} of {ROUNDS} ...")
            for size in DELTAS:
                base = f"{origin}/{size}/v1"
                commands = {SIMDJSON: [str(settings.out / "reference"), f"{base}/chat/completions", "openai"]}
                if settings.binary:
                    commands[MOONRILL] = [settings.binary, "run", str(settings.references / "count.lua"), base, "openai"]
                for client, command in commands.items():
                    cpu.add(client, size, repeated(command, size, facts[size].report) / size * 1e6)
                    once = run_checked(settings.out / "launch", command, facts[size].report)
                    peak.add(client, size, once.peak / 1e6)
    return cpu, peak


def repeated(command: list[str], size: int, report: list[str]) -> float:
    """Seconds of CPU of a reply. The first of the process does not count."""
    times = max(1, LEAST_DELTAS // size)
    done = subprocess.run([*command, str(times)], capture_output=True, text=True, timeout=120, check=False)
    *counts, cpu = done.stdout.split() or [""]
    if done.returncode != 0 or counts != [str(int(count) * (times + 1)) for count in report]:
        raise RunError(f"{command[0]} ended with {done.returncode}: {done.stdout[:200]!r} {done.stderr[-500:]}")
    return float(cpu) / times


def turns(settings) -> Panel:
    panel = Panel("CPU a turn of a conversation", "messages, sent whole with each turn", "ms")
    path = settings.out / "stream-2.sse"
    make(path, 2)
    with nginx({"two": path}) as origin:
        for number in range(ROUNDS):
            said(f"Conversations, round {number + 1} of {ROUNDS} ...")
            for size in MESSAGES:
                panel.add(JSON, size, dumped(size, TURNS) * 1e3)
                if settings.binary:
                    panel.add(MOONRILL, size, chatted(settings, origin, size, TURNS) * 1e3)
    return panel
