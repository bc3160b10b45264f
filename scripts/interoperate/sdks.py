"""Tests official clients with `moonrill mock`. Each sends the same requests and must decode the same reply as our
client in the same dialect, because the reply of the offline provider depends only on the request."""

import json
from dataclasses import replace
from functools import partial

import sdk_extras
from asking import Decoded, Peer, Question
from cases import case, contains, present, raises, same
from ours import calls
from sdk_anthropic import Anthropic
from sdk_cohere import Cohere
from sdk_google import Google
from sdk_huggingface import HuggingFaceText
from sdk_ollama import Ollama
from sdk_openai import HuggingFaceChat, OpenAI
from sdk_responses import Responses

PEERS: list[type[Peer]] = [OpenAI, HuggingFaceChat, Responses, Anthropic, Google, Ollama, HuggingFaceText, Cohere]

WEATHER = {"name": "get_weather", "description": "The weather in a city.", "parameters": {
    "type": "object", "required": ["city", "days"], "properties": {
        "city": {"type": "string"}, "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]},
        "days": {"type": "integer", "minimum": 2}, "tags": {"type": "array", "items": {"type": "string"}}}}}
CLOCK = {"name": "get_time", "description": "The time in a city.", "parameters": {
    "type": "object", "properties": {"city": {"type": "string"}}}}

ENGLISH = Question([{"role": "user", "content": "Why is the moon round? Say it in a few sentences."}])
CHINESE = Question([{"role": "user", "content": "写一首关于月亮的短诗"}])
REASONED = replace(CHINESE, model="moonrill-reasoner", thinking=True)
ONE_CALL = Question([{"role": "user", "content": "What is the weather in Paris?"}], tools=[WEATHER])
TWO_CALLS = Question([{"role": "user", "content": "What is the weather and the time in 北京?"}], tools=[WEATHER, CLOCK])
CALL = {"id": "call_interop_1", "name": "get_weather", "arguments": {"city": "Paris", "days": 2},
        "arguments_json": '{"city":"Paris","days":2}'}
ANSWERED = Question([
    {"role": "user", "content": "What is the weather in Paris?"},
    {"role": "assistant", "content": "", "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": CALL["id"], "name": CALL["name"], "content": "18 degrees and clear"},
], tools=[WEATHER])
TURNS = Question([
    {"role": "user", "content": "What is a rill?"}, {"role": "assistant", "content": "A small stream."},
    {"role": "user", "content": "And what did I ask before?"},
], system="You remember what was said.")
SHORT = replace(ENGLISH, max_tokens=5)

# Faults that split or delay the bytes without changing them. They must not change the decoded reply.
HARMLESS = ["split-utf8", "drip:1", "comments:0.01"]


def told(world, peer: type[Peer], question: Question) -> dict:
    options = dict(peer.thinking) if question.thinking else {}
    if question.tools:
        options["tools"] = question.tools
    if question.max_tokens:
        options["max_tokens"] = question.max_tokens
    return world.told(peer.dialect, question.model, question.messages, system=question.system, **options)


def agree(world, peer: type[Peer], question: Question, decoded: Decoded):
    """Checks that the client decoded the same as our client."""
    ours = told(world, peer, question)
    same("text", decoded.text, ours["text"])
    if peer.reasons:
        same("reasoning", decoded.reasoning, ours["reasoning"])
    same("tool calls", decoded.calls, calls(ours))
    same("finish reason", decoded.finish, ours["finish_reason"])
    if peer.has_ids:
        same("ids of tool calls", decoded.ids, [call["id"] for call in ours["tool_calls"]])


def text(world, peer: type[Peer], question: Question):
    decoded = peer(world.mock).stream(question)
    present("text", decoded.text)
    agree(world, peer, question, decoded)
    if decoded.pieces < 5:
        same("pieces of text", decoded.pieces, "5 at least")
    if peer.converses:  # the reply does not depend on the dialect
        same("text in Chat Completions", decoded.text, told(world, OpenAI, question)["text"])


def reasoning(world, peer: type[Peer]):
    decoded = peer(world.mock).stream(REASONED)
    present("text", decoded.text)
    present("reasoning", decoded.reasoning)
    agree(world, peer, REASONED, decoded)


def whole(world, peer: type[Peer]):
    for question in [ENGLISH, REASONED] if peer.reasons else [ENGLISH]:
        decoded = peer(world.mock).whole(question)
        present("text", decoded.text)
        agree(world, peer, question, decoded)


def tools(world, peer: type[Peer], question: Question, streamed: bool):
    decoded = (peer(world.mock).stream if streamed else peer(world.mock).whole)(question)
    same("names", [name for name, _ in decoded.calls], [tool["name"] for tool in question.tools])
    city = "Paris" if question is ONE_CALL else "北京"
    same("cities", [arguments["city"] for _, arguments in decoded.calls], [city] * len(question.tools))
    same("finish reason", decoded.finish, "tool_calls")
    if peer.has_ids:
        same("number of different ids", len(set(decoded.ids)), len(question.tools))
    agree(world, peer, question, decoded)


def conversation(world, peer: type[Peer], question: Question):
    decoded = peer(world.mock).stream(question)
    present("text", decoded.text)
    same("tool calls", decoded.calls, [])
    agree(world, peer, question, decoded)


def usage(world, peer: type[Peer]):
    question = REASONED if peer.reasons else ENGLISH
    ours = told(world, peer, question)["usage"]
    for how in (peer(world.mock).stream, peer(world.mock).whole):
        counted = how(question).usage
        present("output tokens", counted.get("output_tokens"))
        for name, count in counted.items():
            same(f"usage: {name}", count, ours.get(name))


def short(world, peer: type[Peer]):
    for how in (peer(world.mock).stream, peer(world.mock).whole):
        decoded = how(SHORT)
        present("text", decoded.text)
        same("finish reason", decoded.finish, "length")
        agree(world, peer, SHORT, decoded)


def harmless(world, peer: type[Peer], fault: str):
    question = replace(CHINESE, fault=fault)
    decoded = peer(world.mock).stream(question)
    present("text", decoded.text)
    agree(world, peer, question, decoded)


def status(world, peer: type[Peer], code: int):
    wanted = peer.statuses[code]
    for how in (peer(world.mock).stream, peer(world.mock).whole):
        with raises(wanted) as caught:
            how(replace(ENGLISH, fault=str(code)))
        same("exception", type(caught.error).__name__, wanted.__name__)
        same("status", peer.status(caught.error), code)
        contains("message", peer.message(caught.error), SAYS[code])
        if code in peer.codes:
            same("code", peer.code(caught.error), peer.codes[code])


# A part of the message of the offline provider for each status, in every dialect.
SAYS = {400: "not valid", 401: "API key", 403: "not allowed", 404: "does not exist", 409: "conflicts", 422: "not valid",
        429: "Rate limit", 500: "had an error", 503: "overloaded", 529: "overloaded"}


def wrong_key(world, peer: type[Peer]):
    with raises(peer.statuses[401]) as caught:
        peer(world.mock).stream(replace(ENGLISH, key="invalid-key"))
    same("status", peer.status(caught.error), 401)


def in_stream(world, peer: type[Peer]):
    with raises(*peer.in_stream) as caught:
        peer(world.mock).stream(replace(ENGLISH, fault="error-frame@3"))
    contains("message", peer.message(caught.error), "overloaded")


def cut(world, peer: type[Peer], fault: str):
    # A pause before the cut, so that the client has received what was sent.
    at = fault.partition("@")[2]
    with raises(*peer.cut):
        peer(world.mock).stream(replace(ENGLISH, fault=f"stall@{at}:0.05,{fault}"))


def register():
    for peer in PEERS:
        cases(peer, partial(case, peer.package, peer.dialect, needs=("client", "mock")))
    sdk_extras.register()


def replies(peer: type[Peer], add):
    """The cases of good replies, which serving.py runs too."""
    add("text, streamed")(partial(text, peer=peer, question=ENGLISH))
    add("Chinese text, streamed")(partial(text, peer=peer, question=CHINESE))
    if peer.reasons:
        add("reasoning, streamed")(partial(reasoning, peer=peer))
    add("whole replies")(partial(whole, peer=peer))
    if peer.calls_tools:
        add("tool call, streamed")(partial(tools, peer=peer, question=ONE_CALL, streamed=True))
        add("two tool calls, streamed")(partial(tools, peer=peer, question=TWO_CALLS, streamed=True))
        add("two tool calls, whole")(partial(tools, peer=peer, question=TWO_CALLS, streamed=False))
        add("tool result, answered")(partial(conversation, peer=peer, question=ANSWERED))
    if peer.converses:
        add("system prompt and turns")(partial(conversation, peer=peer, question=TURNS))
    add("usage, streamed and whole")(partial(usage, peer=peer))
    add("cut short by the token limit")(partial(short, peer=peer))


def cases(peer: type[Peer], add):
    replies(peer, add)
    for fault in HARMLESS if peer.dialect != "ollama" else HARMLESS[:2]:
        add(f"the same bytes, split differently ({fault})")(partial(harmless, peer=peer, fault=fault))
    for code, kind in peer.statuses.items():
        add(f"{code}: {kind.__name__}")(partial(status, peer=peer, code=code))
    add("a wrong key is refused")(partial(wrong_key, peer=peer))
    add(f"an error inside the stream: {peer.in_stream[0].__name__}")(partial(in_stream, peer=peer))
    for fault in ("cut@600", "chunkcut@600"):
        add(f"a truncated stream ({fault}): raises")(partial(cut, peer=peer, fault=fault))
