"""Tests our client with a llama.cpp server and a small model. Called by `scripts/interop --real`.

The tests expect only what the server enforces (a schema, a grammar, a stop sequence, a token limit), because the output
of a base model with 270 million parameters is not reliable.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from importlib import metadata
from pathlib import Path

import servers
from cases import CASES, Case, Differs, case, contains, present, same
from malformed import MALFORMED, TOOLS, malformed_history
from ours import Client, Outcome
from real_server import CONTEXT, MODEL, SLOTS
from results import Table

PEER = "xllamacpp"
HERE = Path(__file__).parent
# The formats of llama.cpp's server (tools/server/README.md: /v1/chat/completions, /v1/responses, /v1/messages).
DIALECTS = ("openai", "responses", "anthropic")
QUESTION = "Say hello in five words."
# Seconds until the first output, and between two outputs. A busy machine processes a few prompt tokens a second.
PATIENCE = 120
# Maximum seconds until a slot is free after a client has disconnected. The server checks between two tokens.
FREE_WITHIN = 5.0

SCHEMA = {"type": "object", "properties": {"city": {"type": "string", "enum": ["Paris", "Rome"]},
                                           "days": {"type": "integer", "minimum": 1, "maximum": 30}},
          "required": ["city", "days"], "additionalProperties": False}
# A grammar in GBNF that makes the model write <think> tags first.
THINKING = r'root ::= "<think>\n" [a-z ]{5,20} "\n</think>\n\n" [a-z ]{3,20}'


class Server:
    """The llama.cpp server: requests, and the state of its slots."""

    def __init__(self, binary: str, origin: str):
        self.client = Client(binary, patience=PATIENCE)
        self.origin = origin

    def ask(self, dialect: str, prompt, **options) -> Outcome:
        """Sends a request with temperature 0, so that the reply is the same each time apart from rounding."""
        return self.client.ask(dialect, self.origin + "/v1", MODEL, prompt, provider="llamacpp", frames=True,
                               **{"max_tokens": 24, "temperature": 0} | options)

    def busy_slots(self) -> int:
        return sum(slot["is_processing"] for slot in servers.get(self.origin + "/slots"))

    def await_free(self) -> float:
        """Waits until no slot is busy, and returns the seconds."""
        begin = time.monotonic()
        while self.busy_slots():
            if time.monotonic() - begin > FREE_WITHIN:
                raise Differs(f"a slot is still busy {FREE_WITHIN:.0f} s after the client disconnected")
            time.sleep(0.05)
        return time.monotonic() - begin


def frames(outcome: Outcome) -> list[dict]:
    """The JSON of all frames, in order."""
    return [json.loads(text) for text in outcome.shown["frames"] if text.startswith("{")]


def written(dialect: str, outcome: Outcome) -> str:
    """The text of the frames, decoded without Moonrill."""
    if dialect == "openai":
        return "".join(choice["delta"].get("content") or "" for each in frames(outcome) for choice in each["choices"])
    if dialect == "responses":
        return "".join(each["delta"] for each in frames(outcome) if each["type"] == "response.output_text.delta")
    return "".join(each["delta"].get("text", "") for each in frames(outcome) if each["type"] == "content_block_delta")


def timings(outcome: Outcome) -> dict:
    """The last `timings` of the stream, measured by llama.cpp."""
    found = [each["timings"] for each in frames(outcome) if "timings" in each]
    present("timings", found)
    return found[-1]


def ask(server: Server, dialect: str):
    outcome = server.ask(dialect, QUESTION)
    reply = outcome.good
    present("text", reply["text"])
    same("text", reply["text"], written(dialect, outcome))
    if reply["finish_reason"] not in ("stop", "length"):
        same("finish reason", reply["finish_reason"], "stop or length")
    if outcome.shown["pieces"] < 5:
        same("pieces of text", outcome.shown["pieces"], "5 at least")
    same("model", reply["model"], MODEL)
    same("attempts", reply["attempts"], 1)


def length(server: Server, dialect: str):
    reply = server.ask(dialect, QUESTION, max_tokens=7).good
    # In the Responses format llama.cpp ends every reply as "completed".
    same("finish reason", reply["finish_reason"], "stop" if dialect == "responses" else "length")
    same("output tokens", reply["usage"]["output_tokens"], 7)


def schema(server: Server, dialect: str):
    reply = server.ask(dialect, "Paris, three days.", max_tokens=60, schema=SCHEMA, thinking=False).good
    value = reply["value"]
    same("value", value, json.loads(reply["text"]))
    same("members", sorted(value), ["city", "days"])
    if value["city"] not in ("Paris", "Rome") or not isinstance(value["days"], int) or not 1 <= value["days"] <= 30:
        raise Differs(f"the value does not fit the schema: {value}")
    same("finish reason", reply["finish_reason"], "stop")


def stop(server: Server, dialect: str):
    # The reply without the stop sequence determines the reply with it.
    whole = server.ask(dialect, QUESTION).good["text"]
    words = whole.split()
    if len(words) < 3:
        raise Differs(f"too little text for a stop sequence: {whole!r}")
    word = words[2]
    reply = server.ask(dialect, QUESTION, stop=word).good
    same("text", reply["text"], whole[:whole.index(word)])
    same("finish reason", reply["finish_reason"], "stop")


def usage(server: Server, dialect: str):
    outcome = server.ask(dialect, QUESTION + " Thank you.", max_tokens=12)
    told = outcome.good["usage"]
    same("estimated", told["estimated"], False)
    same("usage shown by on_usage", outcome.shown["usage"], told)
    if dialect == "anthropic":
        # The format has no timings: the token counts come from the same request in another format. Cached tokens
        # are not included in the input tokens.
        measured = timings(server.ask("openai", QUESTION + " Thank you.", max_tokens=12))
        whole_input = told["input_tokens"] + told.get("cached_tokens", 0)
    else:
        measured = timings(outcome)
        whole_input = told["input_tokens"]
        same("cached tokens", told.get("cached_tokens", 0), measured["cache_n"])
    same("input tokens", whole_input, measured["cache_n"] + measured["prompt_n"])
    same("output tokens", told["output_tokens"], measured["predicted_n"])


def times(server: Server, dialect: str):
    outcome = server.ask(dialect, QUESTION, max_tokens=6)
    told, measured = outcome.good["timing"], timings(outcome)
    for name, theirs in {"prompt_eval": "prompt_ms", "eval": "predicted_ms"}.items():
        present(f"timing.{name}", told.get(name))
        same(f"timing.{name} in ms", round(told[name] * 1e3, 3), round(measured[theirs], 3))


def cancel(server: Server, dialect: str):
    outcome = server.ask(dialect, QUESTION, max_tokens=600, stop_after=3)
    reply = outcome.good
    same("finish reason", reply["finish_reason"], "cancelled")
    same("pieces of text", outcome.shown["pieces"], 3)
    server.await_free()
    present("text of the next request", server.ask(dialect, QUESTION, max_tokens=4).good["text"])


def overflow(server: Server, dialect: str):
    outcome = server.ask(dialect, "word " * (2 * CONTEXT), retry={"max": 3, "base": 0.01})
    error = outcome.bad
    same("kind", error["kind"], "invalid_request")
    same("status", error["status"], 400)
    same("code", error["code"], "exceed_context_size_error")
    contains("message", error["message"], f"exceeds the available context size ({CONTEXT} tokens)")
    same("retryable", error["retryable"], False)
    same("attempts", error["attempts"], 1)
    same("retries shown", outcome.shown["retries"], 0)


def overflow_while_writing(server: Server, dialect: str):
    # The prompt fits the context, the reply does not: the server ends it when the context is full.
    reply = server.ask(dialect, "word " * (CONTEXT - 50), max_tokens=200).good
    same("finish reason", reply["finish_reason"], "stop" if dialect == "responses" else "length")
    present("text", reply["text"])
    if reply["usage"]["output_tokens"] >= 200:
        same("output tokens", reply["usage"]["output_tokens"], "fewer than asked for")


def conversation() -> list[dict]:
    """Two rounds with a tool call and a similar question, so that a base model repeats the pattern."""
    messages = []
    for number, city in enumerate(["Rome", "Oslo"], 1):
        messages += [
            {"role": "user", "content": f"Weather in {city}?"},
            {"role": "assistant", "content": "", "tool_calls": [
                {"id": f"call_{number}", "name": "get_weather", "arguments": {"city": city},
                 "arguments_json": json.dumps({"city": city})}]},
            {"role": "tool", "tool_call_id": f"call_{number}", "content": "18 degrees"},
            {"role": "assistant", "content": f"18 degrees in {city}."},
        ]
    return messages + [{"role": "user", "content": "Weather in Paris?"}]


def tools(server: Server, dialect: str):
    messages = conversation()
    reply = server.ask(dialect, messages, tools=TOOLS, max_tokens=24).good
    found = reply["tool_calls"]
    present("tool calls", found)
    same("name", found[0]["name"], "get_weather")
    same("arguments", found[0]["arguments"], {"city": "Paris"})
    same("arguments as sent", json.loads(found[0]["arguments_json"]), {"city": "Paris"})
    ids = [call["id"] for call in found]
    if "" in ids or len(set(ids)) < len(ids):
        raise Differs(f"ids are not unique: {ids}")
    # The server must accept the call and its result in the next request.
    results = [{"role": "tool", "tool_call_id": call["id"], "content": "21 degrees"} for call in found]
    answer = server.ask(dialect, messages + [reply["message"], *results], tools=TOOLS, max_tokens=8).good
    if not answer["text"] and not answer["tool_calls"]:
        raise Differs("no output follows the tool result")


def malformed(server: Server, dialect: str):
    # One call of each kind: llama.cpp parses the arguments of earlier calls for its template.
    messages = malformed_history([calls[0] for calls in MALFORMED.values()])
    reply = server.ask(dialect, messages + [{"role": "user", "content": QUESTION}], tools=TOOLS, max_tokens=4).good
    same("output tokens", reply["usage"]["output_tokens"], 4)


def reasoning(server: Server, dialect: str):
    outcome = server.ask(dialect, QUESTION, max_tokens=60, params={"grammar": THINKING})
    reply = outcome.good
    present("reasoning", reply["reasoning"].strip())
    present("text", reply["text"].strip())
    same("finish reason", reply["finish_reason"], "stop")
    for tag in ("<think>", "</think>"):
        if tag in reply["text"] + reply["reasoning"]:
            raise Differs(f"{tag} is in the reply: {reply['reasoning']!r} {reply['text']!r}")


def many(server: Server, dialect: str):
    count = 2 * SLOTS
    with ThreadPoolExecutor(count) as pool:
        replies = list(pool.map(lambda number: server.ask(dialect, f"{QUESTION} {number}", max_tokens=8).good,
                                range(count)))
    for reply in replies:
        present("text", reply["text"])
        same("attempts", reply["attempts"], 1)


def refused(server: Server, dialect: str):
    error = server.ask(dialect, QUESTION, params={"grammar": "root ::= ("}, retry={"max": 3, "base": 0.01}).bad
    same("kind", error["kind"], "invalid_request")
    same("status", error["status"], 400)
    same("attempts", error["attempts"], 1)


def register():
    for dialect in DIALECTS:
        add = partial(case, PEER, dialect, needs=("client",))
        add("ask: text, finish reason, pieces")(partial(ask, dialect=dialect))
        add("max_tokens: " + ("kept" if dialect == "responses" else "length"))(partial(length, dialect=dialect))
        if dialect == "openai":
            add("schema: the value fits")(partial(schema, dialect=dialect))
        if dialect != "responses":  # the format has no stop sequences
            add("stop sequence")(partial(stop, dialect=dialect))
        add("usage: timings' prompt_n, cache_n, predicted_n")(partial(usage, dialect=dialect))
        if dialect != "anthropic":  # the format has no timings
            add("timings: in reply.timing")(partial(times, dialect=dialect))
        add("cancel: the slot is free")(partial(cancel, dialect=dialect))
        add("context overflow: invalid_request, not retried")(partial(overflow, dialect=dialect))
        add("context full while writing: " + ("kept" if dialect == "responses" else "length"))(
            partial(overflow_while_writing, dialect=dialect))
        add("tool call, and its result sent back")(partial(tools, dialect=dialect))
        add("history with malformed calls is accepted")(partial(malformed, dialect=dialect))
        if dialect != "anthropic":  # with this format the server ignores the grammar
            add("reasoning apart from text")(partial(reasoning, dialect=dialect))
            add("an invalid grammar: invalid_request")(partial(refused, dialect=dialect))
        add(f"{2 * SLOTS} requests at once on {SLOTS} slots")(partial(many, dialect=dialect))


def result(server: Server, each: Case) -> str:
    try:
        each.run(server)
    except Differs as difference:
        return str(difference)
    except (KeyError, ValueError, subprocess.TimeoutExpired) as error:  # an unexpected answer, or none
        return f"{type(error).__name__}: {error}"
    return "ok"


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/interop --real")
    parser.add_argument("--real", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--only", metavar="DIALECT", action="append", default=[], choices=DIALECTS,
                        help="only cases of this dialect (repeatable: any of them)")
    parser.add_argument("--case", metavar="TEXT", default="", help="only cases whose name contains TEXT")
    chosen = parser.parse_args()
    register()
    cases = [each for each in CASES
             if (not chosen.only or each.dialect in chosen.only) and chosen.case in each.name]
    command = [sys.executable, str(HERE / "real_server.py"), str(Path(sys.prefix) / "model.gguf")]
    with ExitStack() as stack:
        origin = stack.enter_context(
            servers.child("llama.cpp", command, r"(?m)^listening (http://127\.0\.0\.1:\d+)$", "/health"))
        server = Server(os.environ["MOONRILL_INTEROP_BINARY"], origin)
        table = Table()
        for each in cases:
            table.add(each.peer, metadata.version(each.peer), each.dialect, each.name, result(server, each))
    print(f"\n{table.summary}")
    return 0 if cases and table.differing == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
