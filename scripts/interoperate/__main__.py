"""Tests the client and the offline provider of Moonrill against other projects. Called by scripts/interop, which makes
the Python environment and builds the binary first."""

import argparse
import json
import os
import sys
from contextlib import ExitStack
from functools import cached_property
from importlib import metadata

import bodies
import history
import independent
import proxies
import scripted
import sdks
import self_test
import servers
import serving
import stub
from cases import CASES, Case, Differs
from ours import BASES, Client
from recorder import Answer, recorder
from results import Table

# The path of chat requests in each wire format.
PATHS = {
    "openai": "/v1/chat/completions", "responses": "/v1/responses", "anthropic": "/v1/messages",
    "gemini": "/v1beta/models/moonrill-reasoner:streamGenerateContent", "ollama": "/api/chat",
    "tgi": "/generate_stream", "cohere": "/v2/chat",
}


class World:
    """Gives cases our client, and servers that are started at first use."""

    def __init__(self, binary: str, stack: ExitStack):
        self.binary = binary
        self.client = Client(binary)
        self._stack = stack
        self._known: dict[tuple[str, str], bool] = {}
        self._told: dict[str, dict] = {}

    @cached_property
    def stub(self) -> str:
        return self._stack.enter_context(independent.stubllm(stub.fixtures()))

    @cached_property
    def mock_ai(self) -> dict[str, str]:
        return {name: self._stack.enter_context(independent.mock_ai(name)) for name in ("openai", "anthropic")}

    @cached_property
    def mock(self) -> str:
        return self._stack.enter_context(servers.moonrill(self.binary))

    @cached_property
    def served(self) -> str:
        return self._stack.enter_context(servers.served(self.binary))

    @cached_property
    def scripted(self) -> str:
        return self._stack.enter_context(servers.served(self.binary, script=serving.SCRIPT))

    def mock_with(self, *options: str):
        """A `moonrill mock` for one case, as a context."""
        return servers.moonrill(self.binary, *options)

    @staticmethod
    def recorder(*answers: Answer):
        """A server that records the requests of our client, as a context."""
        return recorder(*answers)

    def stub_counts(self) -> dict[str, int]:
        return servers.get(self.stub + "/_stats")["fixture_call_counts"]

    @staticmethod
    def json(text: str):
        return json.loads(text)

    def knows(self, side: str, dialect: str) -> bool:
        """Whether our client ("client") or our offline provider ("mock") supports the dialect."""
        if dialect not in PATHS:
            return True
        if (side, dialect) not in self._known:
            self._known[side, dialect] = self._asked(side, dialect)
        return self._known[side, dialect]

    def _asked(self, side: str, dialect: str) -> bool:
        if side == "client":
            return self.client.knows(dialect)
        status, body = servers.post(self.mock + PATHS[dialect], {})
        return status != 404 or "Unknown path" not in json.dumps(body)

    def told(self, dialect: str, model: str, prompt, **options) -> dict:
        """The reply that our client receives from our offline provider. It depends only on the request."""
        key = json.dumps([dialect, model, prompt, options], sort_keys=True)
        if key not in self._told:
            base = self.mock + BASES[dialect]
            self._told[key] = self.client.ask(dialect, base, model, prompt, **options).good
        return self._told[key]


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/interop")
    parser.add_argument("--only", metavar="NAME", action="append", default=[],
                        help="only cases whose peer, dialect or side is NAME (repeatable: any of them)")
    parser.add_argument("--case", metavar="TEXT", default="", help="only cases whose name contains TEXT")
    parser.add_argument("--allow-absent", action="store_true",
                        help="do not fail for a dialect that this moonrill does not support")
    parser.add_argument("--self-test", action="store_true",
                        help="check that the tests detect errors that are made on purpose")
    chosen = parser.parse_args()
    binary = os.environ["MOONRILL_INTEROP_BINARY"]
    if chosen.self_test:
        with ExitStack() as stack:
            return self_test.run(World(binary, stack))
    stub.register()
    scripted.register()
    bodies.register()
    history.register()
    sdks.register()
    serving.register()
    proxies.register()
    names = {name for each in CASES for name in (each.peer, each.dialect, each.side)} - {""}
    for name in chosen.only:
        if name not in names:
            parser.error(f"--only {name}: known are {', '.join(sorted(names))}")
    cases = [each for each in CASES
             if (not chosen.only or {each.peer, each.dialect, each.side} & set(chosen.only)) and chosen.case in each.name]
    table = Table()
    with ExitStack() as stack:
        world = World(binary, stack)
        for each in cases:
            table.add(each.peer, version(each), each.dialect, each.name, result(world, each))
    print(f"\n{table.summary}")
    if not cases:
        return 1
    return 0 if table.differing == 0 and (table.absent == 0 or chosen.allow_absent) else 1


def version(each: Case) -> str:
    return proxies.version(each.peer) if each.side == "proxies" else metadata.version(each.peer)


def result(world: World, each: Case) -> str:
    if not all(world.knows(side, each.dialect) for side in each.needs):
        return "absent"
    try:
        each.run(world)
    except Differs as difference:
        return str(difference)
    except servers.ServerError:
        raise
    except Exception as error:  # an exception of a peer fails the case, not the run
        return f"{type(error).__name__}: {error}"
    return "ok"


sys.exit(main())
