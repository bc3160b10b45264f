"""One form of request, reply and client for all official clients."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Question:
    """A request. Messages and tools have the form of the Lua API (types/llm.lua)."""

    messages: list[dict[str, Any]]
    model: str = "moonrill-chat"
    system: str | None = None
    tools: list[dict[str, Any]] = field(default_factory=list)
    max_tokens: int | None = None
    thinking: bool = False
    # Sent as X-Moonrill-Fault.
    fault: str | None = None
    key: str = "interop-key-1234567890"

    @property
    def headers(self) -> dict[str, str]:
        return {} if self.fault is None else {"X-Moonrill-Fault": self.fault}


@dataclass
class Decoded:
    """The reply that a client decoded. The names in `usage` are those of the Lua API."""

    text: str = ""
    reasoning: str = ""
    calls: list[tuple[str, Any]] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    # "stop", "length" or "tool_calls".
    finish: str | None = None
    usage: dict[str, int] = field(default_factory=dict)
    # Number of pieces of text and reasoning of a stream.
    pieces: int = 0


class Peer:
    """An official client. There is a subclass for each dialect and package; `sdks.py` uses all in the same way."""

    # The name on PyPI.
    package: str
    dialect: str
    # Options of our client that turn thinking on, if it does not depend on the model.
    thinking: dict[str, Any] = {}
    reasons = True
    calls_tools = True
    # Whether tool calls have ids in this format.
    has_ids = True
    # Whether the format has system prompts, turns and tool results. TGI takes a single prompt.
    converses = True
    # HTTP status of the offline provider -> exception of the client.
    statuses: dict[int, type[Exception]]
    # Status -> the provider's error code, if the format has one and the client shows it.
    codes: dict[int, str] = {}
    # Exceptions for an error inside a stream, and for a truncated stream.
    in_stream: tuple[type[Exception], ...]
    cut: tuple[type[Exception], ...]

    def __init__(self, origin: str):
        self.origin = origin

    def stream(self, question: Question) -> Decoded:
        """Requests a stream and reads it to its end."""
        raise NotImplementedError

    def whole(self, question: Question) -> Decoded:
        """Requests a reply that is not streamed."""
        raise NotImplementedError

    @staticmethod
    def status(error: Exception) -> int | None:
        """The HTTP status that an exception carries."""
        return getattr(error, "status_code", None)

    @staticmethod
    def code(error: Exception) -> str | None:
        """The provider's error code that an exception carries."""
        return None

    @staticmethod
    def message(error: Exception) -> str:
        return str(error)


def schema(tool: dict[str, Any]) -> dict[str, Any]:
    """A tool in the form of Chat Completions and of formats that copy it."""
    return {"type": "function", "function": {key: tool[key] for key in ("name", "description", "parameters")}}


def chat_messages(question: Question, arguments=None) -> list[dict[str, Any]]:
    """The conversation in the form of Chat Completions; `arguments` converts the arguments of a call."""
    written = [{"role": "system", "content": question.system}] if question.system else []
    for message in question.messages:
        if calls := message.get("tool_calls"):
            written.append({"role": "assistant", "tool_calls": [
                {"id": call["id"], "type": "function", "function": {
                    "name": call["name"],
                    "arguments": call["arguments_json"] if arguments is None else arguments(call)}}
                for call in calls]})
        else:
            written.append({key: message[key] for key in ("role", "content", "tool_call_id") if key in message})
    return written


def chat_options(question: Question) -> dict[str, Any]:
    """The members of a request in the form of Chat Completions."""
    chosen = {"model": question.model, "messages": chat_messages(question)}
    if question.tools:
        chosen["tools"] = [schema(tool) for tool in question.tools]
    if question.max_tokens:
        chosen["max_tokens"] = question.max_tokens
    return chosen
