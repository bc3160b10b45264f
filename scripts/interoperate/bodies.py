"""Checks the requests of our client with the types that the official clients declare for requests: every member must be
declared, and every value must have its type. The servers of other projects accept almost any request."""

import base64
import dataclasses
import json
import typing
from collections.abc import Iterable, Mapping
from functools import partial

import ollama._types
import pydantic
from anthropic.types.message_create_params import MessageCreateParamsStreaming
from cohere import ChatMessageV2, ResponseFormatV2, Thinking, ToolV2
from google.genai import types as google
from huggingface_hub import TextGenerationInput
from openai.types.chat.completion_create_params import CompletionCreateParamsStreaming
from openai.types.responses.response_create_params import ResponseCreateParamsStreaming

import sdks
from cases import Differs, case, contains, misfit, same, shown
from ours import BASES, KEY

PNG = base64.b64encode(bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c4944415408d763f8cfc0000003010100c9fe92ef"
    "0000000049454e44ae426082")).decode()

# Requests with many options. `lenient` leaves out what a format does not have.
SAMPLING = {"max_tokens": 3000, "temperature": 0.5, "top_p": 0.9, "top_k": 40, "stop": ["END"], "seed": 7,
            "presence_penalty": 0.25, "frequency_penalty": 0.5}
SCHEMA = {"type": "object", "additionalProperties": False, "required": ["title"],
          "properties": {"title": {"type": "string"}, "phases": {"type": "array", "items": {"type": "string"}}}}
IMAGE = [{"role": "user", "content": [{"type": "text", "text": "What is this?"},
                                      {"type": "image", "data": PNG, "media_type": "image/png"}]}]
REQUESTS: dict[str, tuple[list, dict]] = {
    "a conversation with sampling": (sdks.TURNS.messages, SAMPLING | {"system": sdks.TURNS.system}),
    "tools and a tool's result": (sdks.ANSWERED.messages, {"tools": [sdks.WEATHER, sdks.CLOCK]}),
    "one tool demanded": (sdks.ONE_CALL.messages, {"tools": [sdks.WEATHER], "tool_choice": {"name": "get_weather"},
                                                   "parallel_tool_calls": False}),
    "some tool demanded": (sdks.ONE_CALL.messages, {"tools": [sdks.WEATHER], "tool_choice": "required"}),
    "an image": (IMAGE, {}),
    "a JSON schema": (sdks.ENGLISH.messages, {"response_format": {
        "type": "json_schema", "schema": SCHEMA, "name": "moon"}}),
    "JSON": (sdks.ENGLISH.messages, {"response_format": "json"}),
    "thinking, up to a number of tokens": (sdks.ENGLISH.messages, {"thinking": 2048, "max_tokens": 4096}),
    "thinking, by effort": (sdks.ENGLISH.messages, {"reasoning_effort": "low"}),
    "no thinking": (sdks.ENGLISH.messages, {"thinking": False}),
}


class Gemini(pydantic.BaseModel):
    """The body of generateContent. The package declares only the types of its members."""

    model_config = pydantic.ConfigDict(extra="forbid")
    contents: list[google.Content]
    systemInstruction: google.Content | None = None
    tools: list[google.Tool] | None = None
    toolConfig: google.ToolConfig | None = None
    generationConfig: google.GenerationConfig | None = None


class Cohere(pydantic.BaseModel):
    """The body of version 2 chat. The package declares only the types of its members; the others are arguments."""

    model_config = pydantic.ConfigDict(extra="forbid")
    model: str
    stream: typing.Literal[True]
    messages: list[ChatMessageV2]
    tools: list[ToolV2] | None = None
    tool_choice: typing.Literal["REQUIRED", "NONE"] | None = None
    response_format: ResponseFormatV2 | None = None
    thinking: Thinking | None = None
    max_tokens: int | None = None
    stop_sequences: list[str] | None = None
    temperature: float | None = None
    seed: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    k: int | None = None
    p: float | None = None


# Package, dialect, the type of the body, the header with the key. ChatCompletionInput of huggingface_hub is not used,
# because it is older than the servers (a call without arguments, no response_format with a schema).
BEARER = ("authorization", f"Bearer {KEY}")
HELD = [
    ("openai", "openai", CompletionCreateParamsStreaming, BEARER),
    ("openai", "responses", ResponseCreateParamsStreaming, BEARER),
    ("anthropic", "anthropic", MessageCreateParamsStreaming, ("x-api-key", KEY)),
    ("google-genai", "gemini", Gemini, ("x-goog-api-key", KEY)),
    ("ollama", "ollama", ollama._types.ChatRequest, BEARER),
    ("huggingface_hub", "tgi", TextGenerationInput, BEARER),
    ("cohere", "cohere", Cohere, BEARER),
]
# Members that are sent although the package does not declare them. Many servers implement Chat Completions, and some
# have further members (`top_k`, `name` of a tool message). The package anthropic no longer declares sampling options.
ELSEWHERE = {"openai": {"top_k", "name"}, "anthropic": {"temperature", "top_p", "top_k"}}

# Requests that a format cannot express. TGI takes only a prompt.
WITHOUT = {"tgi": {"tools and a tool's result", "one tool demanded", "some tool demanded", "an image"}}


def fits(world, dialect: str, kind: type, header: tuple[str, str], messages: list, options: dict):
    elsewhere = ELSEWHERE.get(dialect, set())
    messages = [{key: value for key, value in message.items() if key not in elsewhere} for message in messages]
    options = {key: value for key, value in options.items() if key not in elsewhere}
    with world.recorder() as kept:
        err = world.client.ask(dialect, kept.origin + BASES[dialect], "moonrill-chat", messages,
                               lenient=True, **options).bad
    contains("error", err["message"], "kept, not answered")
    same("requests", len(kept.requests), 1)
    _, headers, body = kept.requests[0]
    same(header[0], headers.get(header[0]), header[1])
    same("content-type", headers["content-type"], "application/json")
    check(body, kind)
    written = json.dumps(body, ensure_ascii=False)
    for part in must_hold(messages, options):
        contains("the body", written, json.dumps(part, ensure_ascii=False).strip('"'))


def check(body: dict, kind: type):
    """Fails unless the body is of the type, member by member."""
    if dataclasses.is_dataclass(kind):
        return known(kind.parse_obj_as_instance(body), "body")
    try:
        # In a list, because pydantic accepts no `config` for a TypedDict itself.
        adapter = pydantic.TypeAdapter(list[kind], config=pydantic.ConfigDict(extra="forbid"))
        known(adapter.validate_python([body]), "body")
    except pydantic.ValidationError as error:
        raise Differs(misfit(f"{shown(body)} does not fit", error)) from error


def known(value, place: str):
    """Visits all members, so that pydantic also checks lazy ones, and fails for members that no type declares."""
    if isinstance(value, pydantic.BaseModel):
        if value.model_extra:
            raise Differs(f"{place}: {type(value).__name__} has no {', '.join(value.model_extra)}")
        for name in value.model_fields_set:
            known(getattr(value, name), f"{place}.{name}")
    elif dataclasses.is_dataclass(value):
        declared = {field.name for field in dataclasses.fields(value)}
        if extra := set(vars(value)) - declared:
            raise Differs(f"{place}: {type(value).__name__} has no {', '.join(sorted(extra))}")
        for name in declared:
            known(getattr(value, name), f"{place}.{name}")
    elif isinstance(value, Mapping):
        for name, member in value.items():
            known(member, f"{place}.{name}")
    elif isinstance(value, Iterable) and not isinstance(value, str | bytes):
        for index, element in enumerate(value):
            known(element, f"{place}[{index}]")


def must_hold(messages: list, options: dict):
    """Yields what every format must contain: all texts, the image, tools with their descriptions, the token limit."""
    for message in messages:
        content = message["content"]
        if isinstance(content, str):
            yield content
        else:
            yield from (part.get("text") or part["data"] for part in content)
    for tool in options.get("tools", []):
        yield from (tool["name"], tool["description"], *tool["parameters"]["properties"])
    for name in ("system", "max_tokens"):
        if name in options:
            yield options[name]


def register():
    for package, dialect, kind, header in HELD:
        for name, (messages, options) in REQUESTS.items():
            if name not in WITHOUT.get(dialect, ()):
                case(package, dialect, f"what we send fits its types: {name}", needs=("client",))(
                    partial(fits, dialect=dialect, kind=kind, header=header, messages=messages, options=options))
