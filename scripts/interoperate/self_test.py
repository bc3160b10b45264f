"""Plants a difference of every kind and sees each one found: cases that cannot fail prove nothing."""

from copy import deepcopy
from dataclasses import replace

import bodies
import sdks
import servers
import stub
from asking import Decoded
from cases import Differs
from ours import KEY
from sdk_openai import OpenAI


def twisted(**changes) -> type[OpenAI]:
    """A client that decodes everything right but what is changed here."""

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
    """Name of a difference -> a case run with it."""
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

    for name, run in stub_cases(world).items():
        yield name, run


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
    """stubllm with fixtures that want, or say, something else."""
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
        with servers.stubllm(changed) as origin:
            case(Elsewhere(world, origin), "openai")

    return {name: lambda name=name: run(name) for name in wanted}


class Elsewhere:
    """The world, but for its stubllm."""

    def __init__(self, world, stub: str):
        self.client, self.json, self.stub = world.client, world.json, stub


def run(world) -> int:
    """The status of the program: 0 where every planted difference was found."""
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
