"""Runs processes and reads their times and memory from the kernel."""

import os
import resource
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")
# Open files of a process that are not connections: libraries, pipes, epoll.
OTHER_DESCRIPTORS = 200


@dataclass
class Timing:
    """Several runs of a command: wall and CPU times in seconds, the peak resident size in bytes."""

    walls: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)
    peak: int = 0

    def add(self, cost: "Cost"):
        self.walls.append(cost.wall)
        self.processor.append(cost.processor)
        self.peak = max(self.peak, cost.peak)

    @property
    def median(self) -> float:
        return statistics.median(self.walls)

    @property
    def median_processor(self) -> float:
        return statistics.median(self.processor)

    @property
    def least(self) -> float:
        return min(self.walls)


class RunError(Exception):
    """A measured command failed or printed an unexpected result."""


@dataclass
class Cost:
    """One run: wall and CPU time in seconds, peak resident size in bytes."""

    wall: float
    processor: float
    peak: int


def run_checked(launcher: Path, command: list[str], expected: list[str] | None, inside: Sequence[str] = ()) -> Cost:
    """Runs a command with the launcher. The printed fields must be `expected`, unless it is None. `inside` is the beginning of
    a command that runs the launcher and whose cost does not count."""
    with tempfile.NamedTemporaryFile("r") as out:
        done = subprocess.run([*inside, str(launcher), out.name, *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True, errors="replace")
        cost = out.read().split()
    if done.returncode != 0 or not cost:
        raise RunError(f"{command[0]} ended with {done.returncode}: {done.stderr[-500:]}")
    if expected is not None and done.stdout.split() != expected:
        raise RunError(f"{command[0]} printed {done.stdout[:200]!r} instead of {expected}")
    return Cost(float(cost[0]), float(cost[1]), int(cost[2]))


def spawn_silent(command: list[str]) -> Cost:
    """Runs a short command without output, with as little overhead as possible. The peak size includes this process's."""
    null = [(os.POSIX_SPAWN_OPEN, descriptor, os.devnull, os.O_RDWR, 0) for descriptor in (0, 1)]
    started = time.perf_counter()
    pid = os.posix_spawn(command[0], command, os.environ, file_actions=null)
    _, status, used = os.wait4(pid, 0)
    wall = time.perf_counter() - started
    if os.waitstatus_to_exitcode(status) != 0:
        raise RunError(f"{' '.join(command)} ended with {os.waitstatus_to_exitcode(status)}")
    return Cost(wall, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024)


def located(program: str) -> str:
    path = shutil.which(program)
    if path is None:
        raise RunError(f"{program} is not installed")
    return path


def raise_descriptor_limit(connections: int):
    """Raises the soft limit of open files to the hard limit. Child processes inherit it. Fails if it is too low for that many
    connections of one process."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    needed = connections + OTHER_DESCRIPTORS
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise RunError(f"the limit of open files is {hard}; {needed} are needed (ulimit -Hn)")


def idle_seconds() -> float:
    """Idle time of all cores together since the start of the machine."""
    fields = Path("/proc/stat").read_text().split(maxsplit=6)
    return (int(fields[4]) + int(fields[5])) / TICK


def cpu_seconds(pid: int) -> float:
    """User and system time of all threads of a process in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def resident_bytes(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise RunError(f"process {pid} has no resident size")
