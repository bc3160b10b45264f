"""Our client: one request through `moonrill run ask.lua`, as any script makes it."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from cases import Differs, same

SCRIPT = Path(__file__).with_name("ask.lua")
KEY = "interop-key-1234567890"

# Below which path each dialect's requests begin, where a server has them all under one origin.
BASES = {"openai": "/v1", "responses": "/v1", "anthropic": "/v1", "gemini": "/v1beta", "ollama": "", "tgi": "",
         "cohere": ""}


class Outcome:
    """What came of one request: `reply` or `err`, and what the callbacks were shown."""

    def __init__(self, raw: dict):
        self.reply: dict[str, Any] | None = raw.get("reply")
        self.err: dict[str, Any] | None = raw.get("err")
        self.shown: dict[str, Any] = raw["shown"]

    @property
    def good(self) -> dict[str, Any]:
        """The reply, which must be there; the callbacks must have got the same."""
        if self.reply is None:
            raise Differs(f"our client failed: {self.err['kind']}: {self.err['message']}")
        same("text shown by on_token", self.shown["text"], self.reply["text"])
        same("reasoning shown by on_reasoning", self.shown["reasoning"], self.reply["reasoning"])
        same("calls shown by on_tool_call", self.shown["tool_calls"], self.reply["tool_calls"])
        return self.reply

    @property
    def bad(self) -> dict[str, Any]:
        """The error, which must be there."""
        if self.err is None:
            raise Differs(f"our client took it for a success: {self.reply}")
        return self.err


class Misuse(Exception):
    """The client was refused before any request, with the library's message."""


class Client:
    """Runs the binary."""

    def __init__(self, binary: str, patience: float = 20):
        """`patience`: seconds until the first output, and between two."""
        self.binary = binary
        self.patience = patience

    def knows(self, dialect: str) -> bool:
        """Whether this dialect is one of the binary's. No request is made: without messages there is none to make."""
        try:
            self.ask(dialect, "http://127.0.0.1:9", "model", [])
        except Misuse as misuse:
            return "unknown dialect" not in str(misuse)
        raise Differs("our client asks for a reply to nothing")

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
