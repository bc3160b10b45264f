"""Makes the same reply in each wire format, with frames like those in recorded streams of providers. `openai` has the
frames of DeepSeek, `obfuscated` those of OpenAI. All have the same pieces of text, one token a delta. Two providers
send several tokens in a delta: `anthropic-15` and `gemini-99` have as many bytes of text a delta as their recorded
replies, and `openai-15` and `openai-99` have the same text for comparison."""

import json
import random
from dataclasses import asdict
from pathlib import Path
from typing import Callable, Iterator

from stream import PIECES, Stream, choice, frame

# The path of each stream on the static server, below the folder with its name. The base URL of a client is that folder
# and /v1. `tgi`, `ollama` and `cohere` drop the version from the base URL.
PATHS = {
    "openai": "v1/chat/completions", "obfuscated": "v1/chat/completions", "anthropic": "v1/messages",
    "responses": "v1/responses", "gemini": "v1/models/m:streamGenerateContent", "tgi": "generate_stream",
    "ollama": "api/chat", "cohere": "v2/chat", "openai-15": "v1/chat/completions", "anthropic-15": "v1/messages",
    "openai-99": "v1/chat/completions", "gemini-99": "v1/models/m:streamGenerateContent",
}
# The dialect of a shape, if it is not its name.
READ_AS = {"obfuscated": "openai", "openai-15": "openai", "anthropic-15": "anthropic", "openai-99": "openai",
           "gemini-99": "gemini"}
# The shape to compare with, if it is not `openai`: the one with the same text.
AGAINST = {"openai-15": "openai-15", "anthropic-15": "openai-15", "openai-99": "openai-99", "gemini-99": "openai-99"}
# The range of the number of pieces in a delta, if it is not one. It gives a mean of 15 or 99 bytes, which is the median
# of the means of recorded replies with at least five deltas.
PIECES_A_DELTA = {"openai-15": (1, 6), "anthropic-15": (1, 6), "openai-99": (8, 40), "gemini-99": (8, 40)}


# The number of texts of a stream that are written to a file, for a client that only repeats them.
SAMPLED = 4096


def make(folder: Path, dialect: str, deltas: int) -> tuple[Path, Stream]:
    """Writes the stream of a shape, unless it exists. Returns its path and the counts that a client must report. The
    stream has no reasoning. Its first texts are also written to a file with the suffix .texts, each after its length
    and a line end."""
    path = folder / f"shape-{dialect}-{deltas}.stream"
    facts = path.with_suffix(".json")
    if facts.is_file() and facts.stat().st_mtime > Path(__file__).stat().st_mtime:
        return path, Stream(**json.loads(facts.read_text()))
    chance = random.Random(20250120)
    least, most = PIECES_A_DELTA.get(dialect, (1, 1))
    pieces = ["".join(chance.choices(PIECES, k=chance.randint(least, most))) for _ in range(deltas)]
    folder.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as out:
        for text in SHAPES[dialect](pieces, chance):
            out.write(text)
    sample = [piece.encode() for piece in pieces[:SAMPLED]]
    path.with_suffix(".texts").write_bytes(b"".join(b"%d\n%s" % (len(text), text) for text in sample))
    stream = Stream(0, deltas, sum(len(piece.encode()) for piece in pieces), path.stat().st_size)
    facts.write_text(json.dumps(asdict(stream)))
    return path, stream


def repeated(path: Path, deltas: int) -> Stream:
    """The counts that a client must report that repeats the texts of the file in a cycle."""
    lengths = []
    with path.with_suffix(".texts").open("rb") as file:
        while line := file.readline():
            lengths.append(len(file.read(int(line))))
    return Stream(0, deltas, sum(lengths[index % len(lengths)] for index in range(deltas)), path.stat().st_size)


def compact(value: dict) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def named(event: dict) -> str:
    return f"event: {event['type']}\ndata: {compact(event)}\n\n"


def openai(pieces: list[str], _) -> Iterator[str]:
    for piece in pieces:
        yield frame(choice({"content": piece, "reasoning_content": None}))
    yield frame(choice({"content": "", "reasoning_content": None}, "stop"))
    yield "data: [DONE]\n\n"


def obfuscated(pieces: list[str], chance: random.Random) -> Iterator[str]:
    """Frames of OpenAI, with empty members and padding."""
    def chunk(delta: dict, finish: str | None = None) -> str:
        return "data: " + compact({
            "id": "chatcmpl-C6coQW3cjZg7Jq2RcHQDQsjz3ZJx5", "object": "chat.completion.chunk", "created": 1755695198,
            "model": "gpt-4o-mini-2024-07-18", "service_tier": "default", "system_fingerprint": None,
            "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}],
            "usage": None, "obfuscation": padding(delta.get("content", ""), chance)}) + "\n\n"
    for piece in pieces:
        yield chunk({"content": piece})
    yield chunk({}, "stop")
    yield "data: [DONE]\n\n"


def padding(piece: str, chance: random.Random) -> str:
    return "".join(chance.choices("abcdefghijklmnopqrstuvwxyzABCDEFGH0123456789", k=16 - len(piece) % 16))


def anthropic(pieces: list[str], chance: random.Random) -> Iterator[str]:
    usage = {"input_tokens": 12, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": 1}
    yield named({"type": "message_start", "message": {
        "id": "msg_01", "type": "message", "role": "assistant", "model": "claude", "content": [],
        "stop_reason": None, "stop_sequence": None, "usage": usage}})
    yield named({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}})
    for piece in pieces:
        event = named({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": piece}})
        # Half of the recorded frames are padded with spaces.
        yield event.replace("}}\n\n", "}" + " " * chance.choice((0, chance.randint(1, 15))) + "}\n\n")
    yield named({"type": "content_block_stop", "index": 0})
    yield named({"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None},
                 "usage": {"output_tokens": len(pieces)}})
    yield named({"type": "message_stop"})


def responses(pieces: list[str], chance: random.Random) -> Iterator[str]:
    item = "msg_0f3c7a1b2d4e5f60718293a4b5c6d7e8f901a2b3c4d5e6f7"
    response = {"id": "resp_0f3c7a1b", "object": "response", "created_at": 1752169304, "status": "in_progress",
                "model": "gpt-5-mini", "output": []}
    numbers = iter(range(len(pieces) + 10))
    yield named({"type": "response.created", "sequence_number": next(numbers), "response": response})
    yield named({"type": "response.output_item.added", "sequence_number": next(numbers), "output_index": 0,
                 "item": {"id": item, "type": "message", "status": "in_progress", "content": [],
                          "role": "assistant"}})
    yield named({"type": "response.content_part.added", "sequence_number": next(numbers), "item_id": item,
                 "output_index": 0, "content_index": 0,
                 "part": {"type": "output_text", "annotations": [], "logprobs": [], "text": ""}})
    for piece in pieces:
        yield named({"type": "response.output_text.delta", "sequence_number": next(numbers), "item_id": item,
                     "output_index": 0, "content_index": 0, "delta": piece, "logprobs": [],
                     "obfuscation": padding(piece, chance)})
    text = "".join(pieces)
    part = {"type": "output_text", "annotations": [], "logprobs": [], "text": text}
    whole = {"id": item, "type": "message", "status": "completed", "content": [part], "role": "assistant"}
    yield named({"type": "response.output_text.done", "sequence_number": next(numbers), "item_id": item,
                 "output_index": 0, "content_index": 0, "text": text, "logprobs": []})
    yield named({"type": "response.output_item.done", "sequence_number": next(numbers), "output_index": 0,
                 "item": whole})
    response |= {"status": "completed", "output": [whole],
                 "usage": {"input_tokens": 12, "output_tokens": len(pieces), "total_tokens": len(pieces) + 12}}
    yield named({"type": "response.completed", "sequence_number": next(numbers), "response": response})


def gemini(pieces: list[str], _) -> Iterator[str]:
    for number, piece in enumerate(pieces, 1):
        candidate = {"content": {"parts": [{"text": piece}], "role": "model"}, "index": 0}
        if number == len(pieces):
            candidate["finishReason"] = "STOP"
        yield "data: " + compact({
            "candidates": [candidate],
            "usageMetadata": {"promptTokenCount": 12, "candidatesTokenCount": number, "totalTokenCount": number + 12,
                              "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 12}]},
            "modelVersion": "gemini-2.5-flash", "responseId": "VL-Fao-BIOTbvdIPyZ3HiAQ"}) + "\n\n"


def tgi(pieces: list[str], chance: random.Random) -> Iterator[str]:
    for number, piece in enumerate(pieces, 1):
        isLast = number == len(pieces)
        yield "data:" + compact({
            "index": number, "token": {"id": chance.randrange(32_000), "text": piece,
                                       "logprob": -round(chance.random() * 9, 7), "special": False},
            "generated_text": "".join(pieces) if isLast else None,
            "details": {"finish_reason": "length", "generated_tokens": number, "seed": None} if isLast else None,
        }) + "\n\n"


def ollama(pieces: list[str], chance: random.Random) -> Iterator[str]:
    for number, piece in enumerate(pieces):
        stamp = f"2025-08-20T13:{number // 60_000 % 60:02}:{number // 1000 % 60:02}.{chance.randrange(10**6):06}Z"
        yield compact({"model": "qwen3:4b", "created_at": stamp, "message": {"role": "assistant", "content": piece},
                       "done": False}) + "\n"
    yield compact({"model": "qwen3:4b", "created_at": "2025-08-20T14:00:00.0Z",
                   "message": {"role": "assistant", "content": ""}, "done": True, "done_reason": "stop",
                   "prompt_eval_count": 12, "eval_count": len(pieces)}) + "\n"


def cohere(pieces: list[str], _) -> Iterator[str]:
    yield named({"type": "message-start", "id": "c1", "delta": {"message": {
        "role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []}}})
    yield named({"type": "content-start", "index": 0,
                 "delta": {"message": {"content": {"type": "text", "text": ""}}}})
    for piece in pieces:
        yield named({"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": piece}}}})
    yield named({"type": "content-end", "index": 0})
    yield named({"type": "message-end", "delta": {"finish_reason": "COMPLETE", "usage": {
        "tokens": {"input_tokens": 12, "output_tokens": len(pieces)}}}})


SHAPES: dict[str, Callable[[list[str], random.Random], Iterator[str]]] = {
    "openai": openai, "obfuscated": obfuscated, "anthropic": anthropic, "responses": responses, "gemini": gemini,
    "tgi": tgi, "ollama": ollama, "cohere": cohere, "openai-15": openai, "anthropic-15": anthropic,
    "openai-99": openai, "gemini-99": gemini,
}
