"""What an official client is asked to do, and what it made of the answer: one form for all of them."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Question:
    """One request. Messages and tools are in the common form of our own scripts (types/llm.lua)."""

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
    """What a client decoded. `usage` has the names that its format has."""

    text: str = ""
    reasoning: str = ""
    calls: list[tuple[str, Any]] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    # "stop", "length" or "tool_calls".
    finish: str | None = None
    usage: dict[str, int] = field(default_factory=dict)
    # Pieces of text and of reasoning, where streamed.
    pieces: int = 0


class Peer:
    """An official client. One subclass a dialect and package; `sdks.py` asks all of them the same."""

    # As PyPI calls it.
    package: str
    dialect: str
    # Options of our own client that turn thinking on, if the model's name does not.
    thinking: dict[str, Any] = {}
    reasons = True
    calls_tools = True
    # Whether ids of tool calls are on the wire.
    has_ids = True
    # Whether system prompts, turns and tool results are: TGI takes one prompt.
    converses = True
    # Status of the mock's answer -> what the client raises for it.
    statuses: dict[int, type[Exception]]
    # Status -> the provider's error code, if the format has one and the client shows it.
    codes: dict[int, str] = {}
    # What is raised for an error inside a stream, and for a stream that breaks off.
    in_stream: tuple[type[Exception], ...]
    cut: tuple[type[Exception], ...]

    def __init__(self, origin: str):
        self.origin = origin

    def stream(self, question: Question) -> Decoded:
        """Asks for a stream and reads it to its end."""
        raise NotImplementedError

    def whole(self, question: Question) -> Decoded:
        """Asks for one body."""
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
    """A tool as Chat Completions (and those who copied it) write it."""
    return {"type": "function", "function": {key: tool[key] for key in ("name", "description", "parameters")}}


def chat_messages(question: Question, arguments=None) -> list[dict[str, Any]]:
    """The conversation as Chat Completions writes it; `arguments` converts the arguments of a call."""
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
    """The arguments of a request as Chat Completions writes them."""
    chosen = {"model": question.model, "messages": chat_messages(question)}
    if question.tools:
        chosen["tools"] = [schema(tool) for tool in question.tools]
    if question.max_tokens:
        chosen["max_tokens"] = question.max_tokens
    return chosen
