"""Measures a stream in which no frame has the members of the one before, so that each is parsed."""

import json
import random
from dataclasses import asdict
from pathlib import Path

from process import RunError, Timing, run_checked
from static_server import nginx
from stream import PIECES, Stream
from table import Table

DELTAS = 200_000
ROUNDS = 9
GOAL = 1.5
CPP = "C++: libcurl, simdjson, one Lua call a delta"
# Members that a frame may have, by the last letter of their names.
VALUES = {"a": None, "b": True, "c": 7, "d": 0.25, "e": "a text", "f": [1, 2], "g": {"member": "value"}}


def make(path: Path) -> Stream:
    """Writes the stream to `path` unless it exists. Returns the counts that a client must report."""
    facts = path.with_suffix(".json")
    if path.is_file() and facts.is_file():
        return Stream(**json.loads(facts.read_text()))
    chance = random.Random(20250120)
    reasoning, text_bytes, before = DELTAS * 2 // 5, 0, None
    with path.open("w", encoding="utf-8", newline="") as out:
        for number in range(DELTAS):
            piece = chance.choice(PIECES)
            text_bytes += len(piece.encode())
            delta = {"reasoning_content": piece, "content": None} if number < reasoning else {"content": piece}
            while (chunk := varied(delta, None, chance)) and names(chunk) == before:
                pass
            before = names(chunk)
            out.write(frame(chunk))
        out.write(frame(varied({}, "stop", chance)) + "data: [DONE]\n\n")
    stream = Stream(reasoning, DELTAS - reasoning, text_bytes, path.stat().st_size)
    facts.write_text(json.dumps(asdict(stream)))
    return stream


def varied(delta: dict, finish: str | None, chance: random.Random) -> dict:
    """A chunk with members in random order, and others between them."""
    choice = {"index": 0, "delta": shuffled(delta, chance), "logprobs": None, "finish_reason": finish}
    return shuffled({"id": "chatcmpl-33be18fc3842486c", "object": "chat.completion.chunk", "created": 1752169304,
                     "model": "deepseek-reasoner", "system_fingerprint": "fp_393bca965e",
                     "choices": [shuffled(choice, chance)]}, chance)


def shuffled(members: dict, chance: random.Random) -> dict:
    extra = chance.choices("abcdefg", k=chance.randrange(3))
    items = [*members.items(), *((f"x_{chance.randrange(100)}_{letter}", VALUES[letter]) for letter in extra)]
    chance.shuffle(items)
    return dict(items)


def names(value: object) -> object:
    """The names of all members, in order."""
    if isinstance(value, dict):
        return [(name, names(member)) for name, member in value.items()]
    return [names(element) for element in value] if isinstance(value, list) else None


def frame(chunk: dict) -> str:
    return f"data: {json.dumps(chunk, ensure_ascii=False, separators=(',', ':'))}\n\n"


def measure(settings) -> Table:
    path = settings.out / f"plain-{DELTAS}.sse"
    stream = make(path)
    table = Table(
        f"One stream of {DELTAS:,} deltas, {stream.total_bytes / 1e6:.1f} MB, each frame with other members than the one "
        f"before; whole process, {ROUNDS} runs of both in turn",
        ["client", "median", "against C++", "CPU", "against C++", "deltas/s"])
    with nginx({"plain": path}) as origin:
        base = f"{origin}/plain/v1"
        commands = {CPP: [str(settings.out / "reference"), f"{base}/chat/completions"]}
        if settings.binary:
            commands["moonrill run"] = [settings.binary, "run", str(settings.references / "count.lua"), base]
        timings = {name: Timing() for name in commands}
        try:
            for round_number in range(ROUNDS + 1):
                for name, command in commands.items():
                    cost = run_checked(settings.out / "launch", command, stream.report)
                    # The first round is a warm-up.
                    if round_number > 0:
                        timings[name].add(cost)
        except (RunError, OSError) as problem:
            table.missing("failed", str(problem))
            return table
    reference = timings[CPP]
    for name, timing in timings.items():
        table.add(name, f"{timing.median * 1e3:.0f} ms", f"{timing.median / reference.median:.2f}",
                  f"{timing.median_processor * 1e3:.0f} ms", f"{timing.median_processor / reference.median_processor:.2f}",
                  f"{DELTAS / timing.median:,.0f}")
    if not settings.binary:
        table.missing("moonrill run", "not measured")
        return table
    ours, theirs = timings["moonrill run"].median_processor, reference.median_processor
    settings.summary.ratio(f"{DELTAS:,} frames that never repeat in shape, CPU of the process", f"{ours * 1e3:.0f} ms",
                           f"C++ with simdjson: {theirs * 1e3:.0f} ms", ours / theirs, GOAL)
    return table
