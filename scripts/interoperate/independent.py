"""Starts servers of other projects that our client is tested with."""

import json
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

from servers import child

UVICORN = r"Uvicorn running on (http://127\.0\.0\.1:\d+)"


@contextmanager
def stubllm(fixtures: list[dict]):
    """Runs stubllm with these fixtures and yields its origin."""
    with tempfile.TemporaryDirectory(prefix="moonrill-interop-") as folder:
        path = Path(folder) / "fixtures.json"
        path.write_text(json.dumps({"fixtures": fixtures}, ensure_ascii=False), encoding="utf-8")
        # The package has no __main__; its command is in the folder of the interpreter.
        program = str(Path(sys.executable).parent / "stubllm")
        with child("stubllm", [program, "serve", "--port", "0", "--fixture-file", str(path)], UVICORN, "/health") as at:
            yield at


@contextmanager
def mock_ai(provider: str):
    """Runs the server of mock-ai-api for "openai" or "anthropic" and yields its origin."""
    command = [sys.executable, "-m", "uvicorn", f"app.{provider}_app:app", "--host", "127.0.0.1", "--port", "0"]
    with child(f"mock-ai-api ({provider})", command, UVICORN, "/health") as origin:
        yield origin
