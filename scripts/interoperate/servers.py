"""Starts the servers of a run as children, on ports that the kernel chooses, and ends them."""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path

# How long a server may take to answer, in seconds: Python's import a lot, and the machine may be busy.
PATIENCE = 60.0


class ServerError(Exception):
    """A server did not start."""


@contextmanager
def child(name: str, command: list[str], pattern: str, health: str | None = None):
    """Runs a server until the block ends and yields the origin that it printed, "http://127.0.0.1:PORT".

    `pattern` finds the origin in what the server writes; then `health`, a path, must answer 200.
    """
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                                   env=os.environ | {"NO_COLOR": "1", "PYTHONUNBUFFERED": "1"})
        try:
            origin = _origin(name, process, log, pattern)
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
        if found := re.search(pattern, _said(log)):
            return found.group(1)
        if ended:
            break
        time.sleep(0.02)
    raise ServerError(f"{name} does not start: {_said(log)[-2000:]}")


def _await(name: str, process: subprocess.Popen, log, url: str):
    limit = time.monotonic() + PATIENCE
    while time.monotonic() < limit and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5) as response:
                if response.status == 200:
                    return
        except OSError:
            time.sleep(0.02)
    raise ServerError(f"{name} does not answer at {url}: {_said(log)[-2000:]}")


def _said(log) -> str:
    # pread: the child writes at the position that it shares with us.
    return os.pread(log.fileno(), 1 << 20, 0).decode(errors="replace")


def _uvicorn(*command: str):
    return [sys.executable, "-m", *command]


UVICORN = r"Uvicorn running on (http://127\.0\.0\.1:\d+)"


@contextmanager
def stubllm(fixtures: list[dict]):
    """stubllm with these fixtures; yields its origin."""
    with tempfile.TemporaryDirectory(prefix="moonrill-interop-") as folder:
        path = Path(folder) / "fixtures.json"
        path.write_text(json.dumps({"fixtures": fixtures}, ensure_ascii=False), encoding="utf-8")
        # Its package has no __main__; the console script stands beside the interpreter.
        program = str(Path(sys.executable).parent / "stubllm")
        with child("stubllm", [program, "serve", "--port", "0", "--fixture-file", str(path)], UVICORN, "/health") as at:
            yield at


@contextmanager
def mock_ai(provider: str):
    """mock-ai-api's server for "openai" or "anthropic", started as its own command starts it; yields its origin."""
    command = _uvicorn("uvicorn", f"app.{provider}_app:app", "--host", "127.0.0.1", "--port", "0")
    with child(f"mock-ai-api ({provider})", command, UVICORN, "/health") as origin:
        yield origin


@contextmanager
def moonrill(binary: str, *options: str):
    """`moonrill mock` as fast as it is read; yields its origin."""
    command = [binary, "mock", "--port", "0", "--rate", "0", *options]
    with child("moonrill mock", command, r"(http://127\.0\.0\.1:\d+)", "/v1/models") as origin:
        yield origin


def post(url: str, body: dict) -> tuple[int, dict]:
    """POSTs JSON; status and body of the answer, whatever the status."""
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
