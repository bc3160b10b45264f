"""Measures memory with an endless stream into a slow callback. The socket must be paused, and memory must not grow."""

import subprocess
import time

from process import RunError, resident_bytes
from servers import moonrill
from table import Table


def measure(settings) -> Table:
    seconds = 60 if settings.long else 10
    table = Table(f"An endless stream, sent as fast as it is read, into a callback that takes 50 ms; {seconds} s",
                  ["client", "tokens", "memory after 2 s", "largest", "last", "growth"])
    if not settings.binary:
        table.missing("moonrill run", "not measured")
        return table
    try:
        sizes, taken = watch(settings, seconds)
    except RunError as problem:
        table.missing("moonrill run", f"failed: {problem}")
        return table
    settled = sizes[2]
    table.add("moonrill run", taken, *(f"{size / 1e6:.1f} MB" for size in (settled, max(sizes), sizes[-1])),
              f"{(sizes[-1] - settled) / 1e6:+.2f} MB")
    return table


def watch(settings, seconds: int) -> tuple[list[int], str]:
    """The resident size each second from the start of the stream, and the number of tokens that the script received."""
    with moonrill(settings.binary, rate=None) as origin:
        command = [settings.binary, "run", str(settings.references / "slow.lua"), origin + "/v1", str(seconds)]
        client = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            if client.stdout.readline().strip() != "idle":
                raise RunError("the client did not start")
            sizes = []
            for _ in range(seconds):
                sizes.append(resident_bytes(client.pid))
                time.sleep(1)
            output = client.stdout.read().split()
            if client.wait() != 0 or len(output) != 2:
                raise RunError(f"the client ended with {client.returncode}")
            return sizes, output[1]
        finally:
            if client.poll() is None:
                client.terminate()
            client.wait()
            client.stdout.close()
