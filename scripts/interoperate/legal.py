"""Checks rules of providers for conversations that types do not express: legal names, arguments that are objects, a
result for every call, no empty turn. It reads the body of a request in any format."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from cases import Differs, shown


@dataclass
class Call:
    """A tool call in a request."""

    id: str | None
    name: str
    arguments: Any


@dataclass
class Result:
    """The result of a call. `name` is None if the format has none."""

    id: str | None
    name: str | None
    text: str


@dataclass
class Turn:
    """A turn of the model or of the user, tool results included."""

    is_models: bool
    has_content: bool = False
    calls: list[Call] = field(default_factory=list)
    results: list[Result] = field(default_factory=list)


def turns(dialect: str, body: dict) -> list[Turn]:
    """The conversation in the body of a request. Consecutive messages of the same side are one turn."""
    joined: list[Turn] = []
    for turn in READERS[dialect](body):
        if joined and joined[-1].is_models == turn.is_models:
            joined[-1].has_content |= turn.has_content
            joined[-1].calls += turn.calls
            joined[-1].results += turn.results
        else:
            joined.append(turn)
    return joined


def parsed(arguments) -> Any:
    """Arguments from their JSON text."""
    try:
        return json.loads(arguments)
    except (TypeError, ValueError) as error:
        raise Differs(f"arguments {shown(arguments)} are not JSON") from error


def chat(body: dict) -> Iterator[Turn]:
    for message in body["messages"]:
        match message["role"]:
            case "assistant":
                yield Turn(True, bool(message.get("content")), calls=[
                    Call(call.get("id"), call["function"]["name"], parsed(call["function"]["arguments"]))
                    for call in message.get("tool_calls") or []])
            case "tool":
                yield Turn(False, True, results=[
                    Result(message["tool_call_id"], None, json.dumps(message["content"], ensure_ascii=False))])
            case _:
                yield Turn(False, bool(message["content"]))


def responses(body: dict) -> Iterator[Turn]:
    for item in body["input"]:
        match item.get("type", "message"):
            case "message":
                yield Turn(item["role"] == "assistant", bool(item["content"]))
            case "function_call":
                yield Turn(True, calls=[Call(item["call_id"], item["name"], parsed(item["arguments"]))])
            case "function_call_output":
                yield Turn(False, True, results=[Result(item["call_id"], None, str(item["output"]))])
            case "reasoning":
                yield Turn(True)


def anthropic(body: dict) -> Iterator[Turn]:
    for message in body["messages"]:
        content = message["content"]
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        if any(block["type"] == "text" and not block["text"].strip() for block in blocks):
            raise Differs(f"an empty text block: {shown(message)}")
        yield Turn(
            message["role"] == "assistant", bool(blocks),
            [Call(block["id"], block["name"], block["input"]) for block in blocks if block["type"] == "tool_use"],
            [Result(block["tool_use_id"], None, json.dumps(block["content"], ensure_ascii=False))
             for block in blocks if block["type"] == "tool_result"])


def gemini(body: dict) -> Iterator[Turn]:
    for content in body["contents"]:
        parts = content["parts"]
        if any(part.get("text") == "" for part in parts):
            raise Differs(f"an empty text part: {shown(content)}")
        called = [part["functionCall"] for part in parts if "functionCall" in part]
        given = [part["functionResponse"] for part in parts if "functionResponse" in part]
        yield Turn(
            content["role"] == "model", bool(parts),
            [Call(call.get("id"), call["name"], call.get("args", {})) for call in called],
            [Result(each.get("id"), each["name"], json.dumps(each["response"], ensure_ascii=False)) for each in given])


def ollama(body: dict) -> Iterator[Turn]:
    for message in body["messages"]:
        match message["role"]:
            case "assistant":
                yield Turn(True, bool(message.get("content")), calls=[
                    Call(call.get("id"), call["function"]["name"], call["function"]["arguments"])
                    for call in message.get("tool_calls") or []])
            case "tool":
                yield Turn(False, True, results=[
                    Result(message.get("tool_call_id"), message["tool_name"], message["content"])])
            case _:
                yield Turn(False, bool(message["content"]))


READERS = {"openai": chat, "cohere": chat, "responses": responses, "anthropic": anthropic, "gemini": gemini,
           "ollama": ollama}

# Legal names of functions. OpenAI "Function calling" and Anthropic "Tool use": letters, digits, underscores and
# hyphens, at most 64 characters. Google FunctionDeclaration: a letter or underscore first, then also dots and colons.
NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
NAMES = {"gemini": re.compile(r"[a-zA-Z_][a-zA-Z0-9_.:-]{0,63}"), "ollama": re.compile(r".+")}
# Legal ids of calls. OpenAI: at most 40 characters in a message, 64 in an item. Anthropic: only these characters.
IDS = {"openai": re.compile(r".{1,40}"), "responses": re.compile(r".{1,64}"), "cohere": re.compile(r".+"),
       "anthropic": re.compile(r"[a-zA-Z0-9_-]+")}


def check(dialect: str, body: dict):
    """Fails unless a provider of this format would accept the conversation."""
    conversation = turns(dialect, body)
    seen: set[str] = set()
    for turn, following in zip(conversation, [*conversation[1:], Turn(False)]):
        if turn.is_models and not turn.has_content and not turn.calls:
            raise Differs("an empty turn of the model")
        for call in turn.calls:
            check_call(dialect, call, seen)
        if not turn.is_models:
            continue
        if dialect in IDS:
            answered = sorted(result.id for result in following.results) == sorted(call.id for call in turn.calls)
        else:
            answered = [result.name for result in following.results] == [call.name for call in turn.calls]
        if not answered:
            raise Differs(f"calls {shown([vars(call) for call in turn.calls])} are answered by "
                          f"{shown([vars(result) for result in following.results])}")


def check_call(dialect: str, call: Call, seen: set[str]):
    if not NAMES.get(dialect, NAME).fullmatch(call.name):
        raise Differs(f"{shown(call.name)} is not a legal name")
    if not isinstance(call.arguments, dict):
        raise Differs(f"arguments {shown(call.arguments)} are not an object")
    if dialect not in IDS:
        return
    if not isinstance(call.id, str) or not IDS[dialect].fullmatch(call.id):
        raise Differs(f"{shown(call.id)} is not a legal id of a call")
    if call.id in seen:
        raise Differs(f"two calls have the id {shown(call.id)}")
    seen.add(call.id)
