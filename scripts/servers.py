"""Starts HTTP servers as child processes, on ports that the kernel chooses, and sends requests to them."""

import json
import os
import re
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from contextlib import contextmanager

# Seconds to wait for a server to start: Python servers import many modules, and the machine may be busy.
PATIENCE = 60.0


class ServerError(Exception):
    """A server did not start."""


@contextmanager
def child(name: str, command: list[str], pattern: str, health: str | None = None,
          environment: dict[str, str] | None = None, origin: str | None = None):
    """Runs a server until the block ends. Yields the origin that the server prints, "http://127.0.0.1:PORT".

    `pattern` matches the origin in the server's output, unless `origin` names it. `health` is a path that must then
    return 200.
    """
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                                   env=os.environ | {"NO_COLOR": "1", "PYTHONUNBUFFERED": "1"} | (environment or {}))
        try:
            origin = origin or _origin(name, process, log, pattern)
            if health is not None:
                _await(name, process, log, origin + health)
            yield origin
        finally:
            process.terminate()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _origin(name: str, process: subprocess.Popen, log, pattern: str) -> str:
    limit = time.monotonic() + PATIENCE
    while time.monotonic() < limit:
        ended = process.poll() is not None
        if found := re.search(pattern, _output(log)):
            return found.group(1)
        if ended:
            break
        time.sleep(0.02)
    raise ServerError(f"{name} does not start: {_output(log)[-2000:]}")


def _await(name: str, process: subprocess.Popen, log, url: str):
    limit = time.monotonic() + PATIENCE
    while time.monotonic() < limit and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5) as response:
                if response.status == 200:
                    return
        except OSError:
            time.sleep(0.02)
    raise ServerError(f"{name} does not answer at {url}: {_output(log)[-2000:]}")


def _output(log) -> str:
    # pread, because the child writes at the file position, which it shares with this process.
    return os.pread(log.fileno(), 1 << 20, 0).decode(errors="replace")


@contextmanager
def moonrill(binary: str, *options: str, rate: int | None = 0):
    """Runs `moonrill mock` and yields its origin. `rate` is in tokens a second; 0: no pause, None: the default."""
    command = [binary, "mock", "--port", "0", *options]
    if rate is not None:
        command += ["--rate", str(rate)]
    with child("moonrill mock", command, r"(http://127\.0\.0\.1:\d+)", "/v1/models") as origin:
        yield origin


@contextmanager
def served(binary: str, *options: str, script: str | None = None, rate: int = 0,
           environment: dict[str, str] | None = None):
    """Runs `moonrill serve` with the offline provider and yields its origin."""
    command = [binary, "serve", "--mock", "--port", "0", "--rate", str(rate), *options]
    if script is not None:
        command.append(script)
    with child("moonrill serve", command, r"(http://127\.0\.0\.1:\d+)", "/healthz", environment) as origin:
        yield origin


def post(url: str, body: dict) -> tuple[int, dict]:
    """POSTs JSON; returns the status and the body."""
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.status, _json(response.read())
    except urllib.error.HTTPError as error:
        return error.code, _json(error.read())


def get(url: str) -> dict:
    with urllib.request.urlopen(url, timeout=30) as response:
        return _json(response.read())


def _json(body: bytes) -> dict:
    try:
        return json.loads(body)
    except ValueError:
        return {}
