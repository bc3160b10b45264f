"""Tests the cases: makes an error of each kind on purpose and checks that a case detects it."""

import json
from copy import deepcopy
from dataclasses import replace

import bodies
import history
import independent
import legal
import proxies
import sdks
import stub
from asking import Decoded
from cases import Differs
from ours import KEY
from sdk_openai import OpenAI


def twisted(**changes) -> type[OpenAI]:
    """A client that decodes correctly, except for these changes."""

    class Twisted(OpenAI):
        def stream(self, question) -> Decoded:
            return self.twist(super().stream(question))

        def whole(self, question) -> Decoded:
            return self.twist(super().whole(question))

        @staticmethod
        def twist(decoded: Decoded) -> Decoded:
            return replace(decoded, **{name: change(getattr(decoded, name)) for name, change in changes.items()})

    return Twisted


def planted(world):
    """Yields the name of an error, and a case that is run with it."""
    def lost(text: str) -> str:
        return text[:-1]

    def case(run, peer=OpenAI, **arguments):
        return lambda: run(world, peer=peer, **arguments)

    yield "a letter of the text lost", case(sdks.text, twisted(text=lost), question=sdks.CHINESE)
    yield "text in one piece", case(sdks.text, twisted(pieces=lambda _: 1), question=sdks.CHINESE)
    yield "a letter of the reasoning lost", case(sdks.reasoning, twisted(reasoning=lost))
    yield "no reasoning", case(sdks.whole, twisted(reasoning=lambda _: ""))
    yield "a call lost", case(sdks.tools, twisted(calls=lambda calls: calls[:1]), question=sdks.TWO_CALLS, streamed=True)
    yield "calls swapped", case(sdks.tools, twisted(calls=lambda calls: calls[::-1]), question=sdks.TWO_CALLS,
                                streamed=True)
    yield "another argument", case(
        sdks.tools, twisted(calls=lambda calls: [(name, given | {"days": 99}) for name, given in calls]),
        question=sdks.ONE_CALL, streamed=False)
    yield "an id changed", case(sdks.tools, twisted(ids=lambda ids: ids[:-1] + ["x"]), question=sdks.TWO_CALLS,
                                streamed=True)
    yield "another finish reason", case(sdks.short, twisted(finish=lambda _: "stop"))
    yield "a token too many", case(
        sdks.usage, twisted(usage=lambda usage: usage | {"output_tokens": usage["output_tokens"] + 1}))
    yield "no usage", case(sdks.usage, twisted(usage=lambda _: {}))
    yield "an answer to another question", lambda: sdks.agree(
        world, OpenAI, sdks.ENGLISH, OpenAI(world.mock).stream(sdks.CHINESE))
    yield "no exception", lambda: raising_nothing(world)
    yield "another exception", lambda: sdks.cut(world, OpenAI, "error-frame@3")
    yield "another status", lambda: another_status(world)

    good = {"model": "m", "stream": True, "messages": [{"role": "user", "content": "x"}]}
    for name, change in {
        "a misspelt member": {"temprature": 1}, "a value of another type": {"temperature": "hot"},
        "a misspelt member deep inside": {"messages": [{"role": "user", "content": [{"type": "text", "txt": "x"}]}]},
        "a role that is none": {"messages": [{"role": "usr", "content": "x"}]},
    }.items():
        kind = bodies.HELD[0][2]
        bodies.check(good, kind)
        yield name, lambda change=change: bodies.check(good | change, kind)

    yield "tokens that arrive at once", lambda: proxies.one_by_one("stream", [1.0] * 40, 40)
    yield "tokens that arrive in bursts", lambda: proxies.one_by_one("stream", [token // 8 for token in range(40)], 40)
    yield "a stream without tokens", lambda: proxies.one_by_one("stream", [], 0)

    for name, run in stub_cases(world).items():
        yield name, run
    yield from illegal_histories()
    yield from wrong_ids()


def illegal_histories():
    """Histories that a provider refuses."""
    for dialect, (good, changes) in {
        "openai": (CHAT, {
            "arguments cut": ('"{}"', '"{"'), "arguments that are a list": ('"{}"', '"[]"'),
            "an illegal name": ('"get"', '"get it"'), "no name": ('"get"', '""'),
            "a name that is too long": ('"get"', f'"{"x" * 65}"'), "a call without an id": ('"id": "a"', '"id": ""'),
            "an id that is too long": ('"a"', f'"{"x" * 41}"'), "one id for two calls": ('"b"', '"a"'),
            "a call that nothing answers": ('"tool_call_id": "b"', '"tool_call_id": "c"'),
            "an empty turn": ('"content": "said"', '"content": ""')}),
        "responses": (ITEMS, {
            "an item's arguments cut": ('"{}"', '"{"'), "an item without a call's id": ('"a"', '""'),
            "an item's illegal name": ('"get"', '"g.t"'), "reasoning alone": ('"message"', '"reasoning"')}),
        "anthropic": (BLOCKS, {
            "input that is a text": ('"input": {}', '"input": "{}"'), "an illegal id": ('"a"', '"a.1"'),
            "a result of another call": ('"tool_use_id": "a"', '"tool_use_id": "z"'),
            "an empty block": ('"text": "said"', '"text": " "')}),
        "gemini": (CONTENTS, {
            "args that are a list": ('"args": {}', '"args": []'),
            "a name that begins with a digit": ('"get"', '"7get"'),
            "a response of another name": ('"name": "get", "response"', '"name": "got", "response"'),
            "an empty part": ('"text": "said"', '"text": ""')}),
        "ollama": (OLLAMA, {
            "arguments that are a text": ('"arguments": {}', '"arguments": "{}"'),
            "a result of another tool": ('"tool_name": "get"', '"tool_name": "got"')}),
    }.items():
        legal.check(dialect, json.loads(good))
        for name, (part, planted) in changes.items():
            changed = good.replace(part, planted)
            assert changed != good, name
            yield f"{dialect}: {name}", lambda dialect=dialect, changed=changed: legal.check(
                dialect, json.loads(changed))


CHAT = json.dumps({"messages": [
    {"role": "user", "content": "x"},
    {"role": "assistant", "content": None, "tool_calls": [
        {"id": id, "type": "function", "function": {"name": "get", "arguments": "{}"}} for id in "ab"]},
    {"role": "tool", "tool_call_id": "a", "content": "1"}, {"role": "tool", "tool_call_id": "b", "content": "2"},
    {"role": "assistant", "content": "said"}]})
ITEMS = json.dumps({"input": [
    {"type": "message", "role": "user", "content": "x"},
    {"type": "function_call", "call_id": "a", "name": "get", "arguments": "{}"},
    {"type": "function_call_output", "call_id": "a", "output": "1"},
    {"type": "message", "role": "assistant", "content": "said"}]})
BLOCKS = json.dumps({"messages": [
    {"role": "user", "content": "x"},
    {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "get", "input": {}}]},
    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": "1"}]},
    {"role": "assistant", "content": [{"type": "text", "text": "said"}]}]})
CONTENTS = json.dumps({"contents": [
    {"role": "user", "parts": [{"text": "x"}]},
    {"role": "model", "parts": [{"functionCall": {"name": "get", "args": {}}}]},
    {"role": "user", "parts": [{"functionResponse": {"name": "get", "response": {"result": "1"}}}]},
    {"role": "model", "parts": [{"text": "said"}]}]})
OLLAMA = json.dumps({"messages": [
    {"role": "user", "content": "x"},
    {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "get", "arguments": {}}}]},
    {"role": "tool", "tool_name": "get", "content": "1"}, {"role": "assistant", "content": "said"}]})


def wrong_ids():
    """Wrong ids, wrong results, and reasoning that is missing or alone."""
    yield "an id for two calls", lambda: history.unique_ids(["a", "b", "a"])
    yield "no id", lambda: history.unique_ids(["a", ""])
    invented = json.loads(CONTENTS)
    invented["contents"][1]["parts"][0]["functionCall"]["id"] = "call_1"
    yield "an invented id", lambda: history.no_ids("gemini", invented)
    paired = json.loads(history_of("Paris", "Rome"))
    history.paired("gemini", paired)
    yield "results swapped", lambda: history.paired("gemini", json.loads(history_of("Rome", "Paris")))
    yield "a round of calls lost", lambda: history.paired("gemini", {"contents": paired["contents"][:3]})
    yield "an error's text lost", lambda: history.all_answered("gemini", json.loads(CONTENTS), 1)
    yield "a malformed call lost", lambda: history.all_answered("gemini", json.loads(CONTENTS), 2)

    reasoning, call = history.REASONING_ITEM, history.CALL_ITEM
    bare = {key: value for key, value in call.items() if key != "id"}
    output = {"type": "function_call_output", "call_id": "call_1", "output": "1"}
    encrypted = {"type": "reasoning", "summary": [], "encrypted_content": history.ENCRYPTED}
    history.nothing_points_nowhere([bare, output], encrypted=False)
    history.nothing_points_nowhere([encrypted, bare, output], encrypted=True)
    history.reasoning_leads([encrypted, bare, output])
    for name, items, is_encrypted in [
        ("an id without its reasoning", [call, output], False),
        ("reasoning that is not stored", [reasoning, bare, output], False),
        ("encrypted reasoning lost", [bare, output], True),
        ("encrypted reasoning with an id", [encrypted | {"id": "rs_1"}, bare, output], True),
        ("reasoning without what was encrypted", [{"type": "reasoning", "summary": []}, bare, output], True),
    ]:
        yield name, lambda items=items, is_encrypted=is_encrypted: history.nothing_points_nowhere(items, is_encrypted)
    yield "reasoning before a result", lambda: history.reasoning_leads([bare, encrypted, output])
    yield "reasoning at the end", lambda: history.reasoning_leads([bare, output, encrypted])


def history_of(first: str, second: str) -> str:
    """Two rounds of two calls in Gemini's format, with results for these cities in this order."""
    called = {"role": "model", "parts": [{"functionCall": {"name": "get", "args": {"city": city}}}
                                         for city in ("Paris", "Rome")]}
    given = {"role": "user", "parts": [{"functionResponse": {"name": "get", "response": {
        "result": f"18 degrees in {city}"}}} for city in (first, second)]}
    return json.dumps({"contents": [{"role": "user", "parts": [{"text": "x"}]}, *[called, given] * 2]})


def raising_nothing(world):
    class Forgiving(OpenAI):
        statuses = {400: Exception}

        def stream(self, question) -> Decoded:
            return super().stream(replace(question, fault=None))

    sdks.status(world, Forgiving, 400)


def another_status(world):
    class Confused(OpenAI):
        @staticmethod
        def status(error) -> int:
            return 418

    sdks.status(world, Confused, 400)


def stub_cases(world):
    """Cases with fixtures of stubllm that match another request or send another answer."""
    wanted = {
        "another text": ("openai text", lambda match, response: response.update(content="other"), stub.text),
        "another model wanted": ("openai text", lambda match, response: match.update(model="other"), stub.text),
        "another key wanted": ("openai text", lambda match, response: match["headers"].update(
            authorization=f"Bearer {KEY}x"), stub.text),
        "another system prompt wanted": ("openai system", lambda match, response: match["messages"][0].update(
            content={"exact": stub.SYSTEM + "!"}), stub.system),
        "another turn wanted": ("openai turns", lambda match, response: match["messages"][1].update(
            content={"exact": "other"}), stub.turns),
        "another tool result wanted": ("openai result", lambda match, response: match["messages"][2].update(
            content={"exact": "other"}), stub.result),
        "no tools wanted": ("openai result", lambda match, response: match.update(tools_present=False), stub.result),
        "another error": ("openai 400 None", lambda match, response: response.update(http_status=500),
                          lambda world, dialect: stub.error(world, dialect, 400, None, "invalid_request")),
    }
    fixtures = stub.fixtures()

    def run(name: str):
        fixture, change, case = wanted[name]
        changed = deepcopy(fixtures)
        for each in changed:
            if each["name"] == fixture:
                change(each["match"], each["response"])
        with independent.stubllm(changed) as origin:
            case(Elsewhere(world, origin), "openai")

    return {name: lambda name=name: run(name) for name in wanted}


class Elsewhere:
    """A World with another stubllm."""

    def __init__(self, world, stub: str):
        self.client, self.json, self.stub = world.client, world.json, stub


def run(world) -> int:
    """Returns the exit status: 0 if every error was detected."""
    missed, count = [], 0
    for name, case in planted(world):
        count += 1
        try:
            case()
        except Differs:
            continue
        missed.append(name)
    for name in missed:
        print(f"self-test: not found: {name}")
    print(f"self-test found {count - len(missed)} of {count} planted differences")
    return 1 if missed else 0
