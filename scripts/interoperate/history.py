"""Checks how our client sends earlier turns: calls without ids, malformed calls, and reasoning that the provider does
not store. Each body must fit the types of the official client and the rules of legal.py."""

import json
from functools import partial

import ollama
from google.genai import types as google

import bodies
import legal
from cases import Differs, case, contains, present, same, shown
from malformed import MALFORMED, NAME, TOOLS, malformed_history
from ours import BASES, Misuse
from recorder import Answer, events, lines

MODEL = "moonrill-chat"
QUESTION = {"role": "user", "content": "What is the weather in Paris and Rome?"}
CITIES = ["Paris", "Rome"]

# Dialect -> its package, and the type of the body. TGI takes only a prompt and has no calls.
TYPES = {dialect: (package, kind) for package, dialect, kind, _ in bodies.HELD if dialect != "tgi"}


def last_body(world, dialect: str, messages: list, **options) -> dict:
    """The body of a request with this history. Fails unless it fits the types and the rules."""
    with world.recorder() as kept:
        try:
            outcome = world.client.ask(dialect, kept.origin + BASES[dialect], MODEL, messages, tools=TOOLS, **options)
        except Misuse as misuse:
            raise Differs(f"our client refuses the history: {misuse}") from misuse
        contains("error", outcome.bad["message"], "kept, not answered")
        same("requests", len(kept.requests), 1)
        body = kept.requests[0][2]
    checked(dialect, body)
    return body


def checked(dialect: str, body: dict):
    bodies.check(body, TYPES[dialect][1])
    legal.check(dialect, body)


def results(calls: list[dict]) -> list[dict]:
    """A result for each call, in reverse order, so that only the ids connect them."""
    return [{"role": "tool", "tool_call_id": call["id"], "content": f"18 degrees in {call['arguments']['city']}"}
            for call in reversed(calls)]


# Calls without ids: Gemini models before version 3, and Ollama.

def gemini_calls() -> Answer:
    parts = [google.Part(function_call=google.FunctionCall(name=NAME, args={"city": city})) for city in CITIES]
    response = google.GenerateContentResponse(candidates=[google.Candidate(
        content=google.Content(role="model", parts=parts), finish_reason=google.FinishReason.STOP, index=0)])
    return events(response.model_dump(mode="json", by_alias=True, exclude_none=True))


def ollama_calls() -> Answer:
    calls = [ollama.Message.ToolCall(function=ollama.Message.ToolCall.Function(name=NAME, arguments={"city": city}))
             for city in CITIES]
    called = ollama.ChatResponse(model=MODEL, done=False,
                                 message=ollama.Message(role="assistant", content="", tool_calls=calls))
    ended = ollama.ChatResponse(model=MODEL, done=True, done_reason="stop",
                                message=ollama.Message(role="assistant", content=""))
    return lines(*(each.model_dump_json(exclude_none=True) for each in (called, ended)))


WITHOUT_IDS = {"gemini": gemini_calls, "ollama": ollama_calls}


def called_twice(world, dialect: str) -> list[dict]:
    """A conversation with two rounds of calls without ids, and their results. Our client makes a unique id for each."""
    messages = [QUESTION]
    with world.recorder(*[WITHOUT_IDS[dialect]()] * 2) as kept:
        for _ in range(2):
            reply = world.client.ask(dialect, kept.origin + BASES[dialect], MODEL, messages, tools=TOOLS).good
            same("calls", [(call["name"], call["arguments"]) for call in reply["tool_calls"]],
                 [(NAME, {"city": city}) for city in CITIES])
            messages += [reply["message"], *results(reply["tool_calls"])]
        checked(dialect, kept.requests[1][2])
    unique_ids([call["id"] for message in messages for call in message.get("tool_calls", [])])
    return messages


def unique_ids(ids: list[str]):
    present("each id", all(ids))
    same("number of different ids", len(set(ids)), len(ids))


def without_ids(world, dialect: str):
    body = last_body(world, dialect, called_twice(world, dialect))
    no_ids(dialect, body)
    paired(dialect, body)


def no_ids(dialect: str, body: dict):
    """Fails for an id that the provider has not sent."""
    for turn in legal.turns(dialect, body):
        for each in [*turn.calls, *turn.results]:
            if each.id is not None:
                raise Differs(f"an invented id is sent: {shown(vars(each))}")


def paired(dialect: str, body: dict):
    """Checks that each result has the id or the position of its call."""
    rounds = 0
    conversation = legal.turns(dialect, body)
    for turn, following in zip(conversation, conversation[1:]):
        if not turn.calls:
            continue
        rounds += 1
        if dialect in legal.IDS:
            given = {result.id: result.text for result in following.results}
            texts = [given[call.id] for call in turn.calls]
        else:
            texts = [result.text for result in following.results]
        for call, text in zip(turn.calls, texts):
            contains("result", text, f"18 degrees in {call.arguments['city']}")
    same("rounds of calls", rounds, 2)


def goes_on_elsewhere(world, dialect: str, other: str):
    body = last_body(world, other, called_twice(world, dialect))
    paired(other, body)


# Malformed calls.

def malformed(world, dialect: str, kind: str):
    calls = MALFORMED[kind]
    all_answered(dialect, last_body(world, dialect, malformed_history(calls)), len(calls))


def all_answered(dialect: str, body: dict, count: int):
    """Fails unless the body has `count` calls, each with its error as the result."""
    conversation = legal.turns(dialect, body)
    same("calls", sum(len(turn.calls) for turn in conversation), count)
    texts = [result.text for turn in conversation for result in turn.results]
    same("results", len(texts), count)
    for number, text in enumerate(texts, 1):
        contains("result", text, f"error number {number}")


def empty_turn(world, dialect: str):
    """An assistant message without text is left out; the user messages around it stay."""
    messages = [{"role": "user", "content": "First."}, {"role": "assistant", "content": ""},
                {"role": "user", "content": "Second."}]
    written = json.dumps(last_body(world, dialect, messages))
    for text in ("First.", "Second."):
        contains("the body", written, text)


BROKEN = '{"city": "Par'


def chat_chunk(delta: dict, finish: str | None = None) -> dict:
    return {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": MODEL,
            "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


def broken_chat() -> Answer:
    call = {"index": 0, "id": "call_1", "type": "function", "function": {"name": NAME, "arguments": BROKEN}}
    return events(chat_chunk({"role": "assistant", "content": None, "tool_calls": [call]}),
                  chat_chunk({}, "tool_calls"), "[DONE]")


def broken_responses() -> Answer:
    return responses_answer({"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": NAME,
                             "arguments": BROKEN, "status": "completed"})


def responses_answer(*items: dict) -> Answer:
    response = {"id": "resp_1", "object": "response", "created_at": 1, "model": MODEL, "output": []}
    ended = response | {"status": "completed", "output": list(items),
                        "usage": {"input_tokens": 5, "output_tokens": 5, "total_tokens": 10}}
    return events({"type": "response.created", "response": response | {"status": "in_progress"}},
                  *({"type": f"response.output_item.{what}", "output_index": index, "item": item}
                    for index, item in enumerate(items) for what in ("added", "done")),
                  {"type": "response.completed", "response": ended})


def broken_anthropic() -> Answer:
    return events(
        {"type": "message_start", "message": {
            "id": "msg_1", "type": "message", "role": "assistant", "content": [], "model": MODEL, "stop_reason": None,
            "stop_sequence": None, "usage": {"input_tokens": 5, "output_tokens": 1}}},
        {"type": "content_block_start", "index": 0, "content_block": {
            "type": "tool_use", "id": "toolu_1", "name": NAME, "input": {}}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": BROKEN}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "tool_use", "stop_sequence": None},
         "usage": {"output_tokens": 9}},
        {"type": "message_stop"})


def broken_cohere() -> Answer:
    call = {"id": "call_1", "type": "function", "function": {"name": NAME, "arguments": BROKEN}}
    return events(
        {"type": "message-start", "id": "1", "delta": {"message": {"role": "assistant", "content": []}}},
        {"type": "tool-call-start", "index": 0, "delta": {"message": {"tool_calls": call}}},
        {"type": "tool-call-end", "index": 0},
        {"type": "message-end", "delta": {"finish_reason": "TOOL_CALL"}})


def broken_ollama() -> Answer:
    called = {"model": MODEL, "done": False, "message": {"role": "assistant", "content": "", "tool_calls": [
        {"function": {"name": NAME, "arguments": BROKEN}}]}}
    ended = {"model": MODEL, "done": True, "done_reason": "stop", "message": {"role": "assistant", "content": ""}}
    return lines(json.dumps(called), json.dumps(ended))


# Not Gemini, whose arguments are JSON objects.
CALLED_BROKEN = {"openai": broken_chat, "responses": broken_responses, "anthropic": broken_anthropic,
                 "cohere": broken_cohere, "ollama": broken_ollama}


def called_broken(world, dialect: str):
    """A malformed call of the model is sent back as reply.message."""
    with world.recorder(CALLED_BROKEN[dialect]()) as kept:
        outcome = world.client.ask(dialect, kept.origin + BASES[dialect], MODEL, [QUESTION], tools=TOOLS)
    reply = outcome.reply
    present("reply", reply)
    # on_tool_call is called only for calls that can be run.
    same("calls shown", outcome.shown["tool_calls"], [])
    same("arguments as received", [call["arguments_json"] for call in reply["tool_calls"]], [BROKEN])
    answers = [{"role": "tool", "tool_call_id": call["id"], "is_error": True, "content": "error number 1"}
               for call in reply["tool_calls"]]
    all_answered(dialect, last_body(world, dialect, [QUESTION, reply["message"], *answers]), 1)


# Responses whose items the provider does not store.

CALL_ITEM = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": NAME,
             "arguments": '{"city": "Paris"}', "status": "completed"}
REASONING_ITEM = {"type": "reasoning", "id": "rs_1", "summary": []}
TEXT_ITEM = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed",
             "content": [{"type": "output_text", "text": "Mild.", "annotations": []}]}
ENCRYPTED = "gAAAA-encrypted-by-the-provider"


NOT_STORED = {"params": {"store": False}, "reasoning_effort": "low"}


def sent_back(world, *items: dict, **options) -> list[dict]:
    """The `input` of the request that follows a reply with these items."""
    with world.recorder(responses_answer(*items)) as kept:
        base = kept.origin + BASES["responses"]
        reply = world.client.ask("responses", base, MODEL, [QUESTION], tools=TOOLS, **options).good
        answers = results(reply["tool_calls"]) or [{"role": "user", "content": "Go on."}]
        world.client.ask("responses", base, MODEL, [QUESTION, reply["message"], *answers], tools=TOOLS, **options).bad
        first, second = (body for _, _, body in kept.requests)
    for body in (first, second):
        checked("responses", with_ids(body))
        same("store", body.get("store"), options.get("params", {}).get("store"))
        if body.get("store") is False and body.get("reasoning"):
            contains("include", body.get("include"), "reasoning.encrypted_content")
    reasoning_leads(second["input"])
    return second["input"]


def with_ids(body: dict) -> dict:
    """The body with an id for each item of the model. The types of the package require ids, but the provider refuses
    the id of an item that is not stored ("Items are not persisted when `store` is set to false")."""
    return body | {"input": [{"id": "id_1"} | item if item["type"] == "reasoning" or item.get("role") == "assistant"
                             else item for item in body["input"]]}


def reasoning_leads(items: list[dict]):
    """Fails if reasoning is not followed by an item of the model: the provider refuses that."""
    for item, following in zip(items, [*items[1:], {"type": "nothing"}]):
        if item.get("type") == "reasoning" and not (
                following.get("type") in ("function_call", "reasoning") or following.get("role") == "assistant"):
            raise Differs(f"reasoning is followed by {shown(following)}")


def stored_nowhere(world, encrypted: bool):
    reasoning = REASONING_ITEM | ({"encrypted_content": ENCRYPTED} if encrypted else {})
    nothing_points_nowhere(sent_back(world, reasoning, CALL_ITEM, **NOT_STORED), encrypted)


def nothing_points_nowhere(items: list[dict], encrypted: bool):
    """Fails for reasoning and ids that refer to stored items."""
    kinds = [item.get("type") for item in items]
    if encrypted:
        same("kinds of items", kinds[-3:], ["reasoning", "function_call", "function_call_output"])
        same("encrypted reasoning", items[-3].get("encrypted_content"), ENCRYPTED)
    else:
        same("kinds of items", kinds[-2:], ["function_call", "function_call_output"])
        same("reasoning items", kinds.count("reasoning"), 0)
    same("items with an id", [item for item in items if "id" in item], [])


def stored(world):
    items = sent_back(world, REASONING_ITEM, CALL_ITEM)
    same("ids", [item.get("id") for item in items[-3:-1]], ["rs_1", "fc_1"])


def reasoning_alone(world, store: bool):
    reasoning = REASONING_ITEM | {"encrypted_content": ENCRYPTED}
    items = sent_back(world, reasoning, **({} if store else NOT_STORED))
    same("reasoning items", [item for item in items if item.get("type") == "reasoning"], [])


def trailing_reasoning(world):
    later = REASONING_ITEM | {"id": "rs_2", "encrypted_content": ENCRYPTED}
    items = sent_back(world, TEXT_ITEM, later, **NOT_STORED)
    contains("input", json.dumps(items), "Mild.")
    same("reasoning items", [item for item in items if item.get("type") == "reasoning"], [])


def register():
    for dialect in WITHOUT_IDS:
        package = TYPES[dialect][0]
        case(package, dialect, "calls without ids: ids in the script, none sent, results in order", needs=("client",))(
            partial(without_ids, dialect=dialect))
        for other in TYPES:
            if other != dialect:
                case(TYPES[other][0], other, f"calls of {dialect} without ids, continued here", needs=("client",))(
                    partial(goes_on_elsewhere, dialect=dialect, other=other))
    for dialect, (package, _) in TYPES.items():
        add = partial(case, package, dialect, needs=("client",))
        for kind in MALFORMED:
            add(f"history by hand: {kind}")(partial(malformed, dialect=dialect, kind=kind))
        add("history by hand: an empty assistant message is left out")(partial(empty_turn, dialect=dialect))
        if dialect in CALLED_BROKEN:
            add("a broken call of the model is sent back")(partial(called_broken, dialect=dialect))
    add = partial(case, TYPES["responses"][0], "responses", needs=("client",))
    add("store = false: no ids without stored items")(partial(stored_nowhere, encrypted=False))
    add("store = false: encrypted reasoning is sent back")(partial(stored_nowhere, encrypted=True))
    add("stored: reasoning and ids are sent back")(stored)
    add("reasoning alone is not sent")(partial(reasoning_alone, store=True))
    add("store = false: reasoning alone is not sent")(partial(reasoning_alone, store=False))
    add("store = false: reasoning after the text is not sent")(trailing_reasoning)
