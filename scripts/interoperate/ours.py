"""Our client: sends one request with `moonrill run ask.lua`."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from cases import Differs, same

SCRIPT = Path(__file__).with_name("ask.lua")
KEY = "interop-key-1234567890"

# The path of the base URL of each dialect on a server that supports several.
BASES = {"openai": "/v1", "responses": "/v1", "anthropic": "/v1", "gemini": "/v1beta", "ollama": "", "tgi": "",
         "cohere": ""}


class Outcome:
    """The result of a request: `reply` or `err`, and in `shown` the values that callbacks received."""

    def __init__(self, raw: dict):
        self.reply: dict[str, Any] | None = raw.get("reply")
        self.err: dict[str, Any] | None = raw.get("err")
        self.shown: dict[str, Any] = raw["shown"]

    @property
    def good(self) -> dict[str, Any]:
        """The reply. Fails if there is none, or if the callbacks received something else."""
        if self.reply is None:
            raise Differs(f"our client failed: {self.err['kind']}: {self.err['message']}")
        same("text shown by on_token", self.shown["text"], self.reply["text"])
        same("reasoning shown by on_reasoning", self.shown["reasoning"], self.reply["reasoning"])
        same("calls shown by on_tool_call", self.shown["tool_calls"], self.reply["tool_calls"])
        return self.reply

    @property
    def bad(self) -> dict[str, Any]:
        """The error. Fails if there is none."""
        if self.err is None:
            raise Differs(f"our client reports a success: {self.reply}")
        return self.err


class Misuse(Exception):
    """The library raised before any request was sent."""


class Client:
    """Sends requests with the binary."""

    def __init__(self, binary: str, patience: float = 20):
        """`patience`: maximum seconds until the first output, and between two outputs."""
        self.binary = binary
        self.patience = patience

    def knows(self, dialect: str) -> bool:
        """Whether the binary supports this dialect. No request is sent, because the prompt has no messages."""
        try:
            self.ask(dialect, "http://127.0.0.1:9", "model", [])
        except Misuse as misuse:
            return "unknown dialect" not in str(misuse)
        raise Differs("our client sends a request without messages")

    def ask(self, dialect: str, base: str, model: str, prompt, system: str | None = None, key: str = KEY,
            provider: str | None = None, frames: bool = False, stop_after: int | None = None, **options) -> Outcome:
        """One request. `prompt` is a string or messages; `options` are those of client:ask.

        With `frames`, `shown["frames"]` has the payloads of all frames. `stop_after` stops the stream at that piece of
        text.
        """
        client = {"base_url": base, "dialect": dialect, "model": model, "key_env": "MOONRILL_INTEROP_KEY",
                  "timeout": {"first": self.patience, "idle": self.patience}}
        if system is not None:
            client["system"] = system
        if provider is not None:
            client["provider"] = provider
        case = {"client": client, "prompt": prompt, "options": {"retry": {"max": 0}} | options, "frames": frames,
                "stop_after": stop_after}
        done = subprocess.run([self.binary, "run", str(SCRIPT)], input=json.dumps(case, ensure_ascii=False),
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=3 * self.patience,
                              env=os.environ | {"MOONRILL_INTEROP_KEY": key})
        if done.returncode != 0:
            raise Differs(f"moonrill run ended with {done.returncode}: {done.stderr[-500:]}")
        raw = json.loads(done.stdout)
        if "misuse" in raw:
            raise Misuse(raw["misuse"])
        return Outcome(raw)


def calls(reply: dict) -> list[tuple[str, Any]]:
    """Names and arguments of a reply's tool calls, in order."""
    return [(call["name"], call.get("arguments")) for call in reply["tool_calls"]]
