"""Makes the stream that clients are timed with: frames of DeepSeek R1, written once and kept."""

import json
import random
from dataclasses import asdict, dataclass
from pathlib import Path

# Pieces like tokens: English words with a leading space, one to four Chinese characters, punctuation, markup, line
# ends, and some characters that JSON must escape or that are outside the basic multilingual plane.
PIECES = (
    " the| of| and| to| quantum| state| is| a| wave| function| measure|ment| we| need| user| asks| so| that| probability"
    "| ampl|itude| electron|,|.|?|:|;|!| (|)|-|\n|\n\n|**|`|1|2|3|100| =| ψ|\"| \"|\\| →|😊"
    "|的|是|了|在|量子|力学|解释|用户|我们|需要|可以|一个|这个|问题|首先|然后|因此|例如|状态|测量|概率|波函数|叠加|不确定性"
    "|光的双缝|也就是说|，|。|？|：|、|“|”|（|）"
).split("|")


@dataclass(frozen=True)
class Stream:
    """The counts that a client must report for a stream."""

    reasoning: int
    content: int
    text_bytes: int
    total_bytes: int

    @property
    def deltas(self) -> int:
        return self.reasoning + self.content

    @property
    def report(self) -> list[str]:
        return [str(self.reasoning), str(self.content), str(self.text_bytes)]


def make(path: Path, deltas: int) -> Stream:
    """Writes a stream of `deltas` deltas to `path` unless it exists. Returns the counts that a client must report."""
    facts = path.with_suffix(".json")
    if path.is_file() and facts.is_file():
        return Stream(**json.loads(facts.read_text()))
    path.parent.mkdir(parents=True, exist_ok=True)
    chance = random.Random(20250120)
    reasoning = deltas * 2 // 5
    text_bytes = 0
    with path.open("w", encoding="utf-8", newline="") as out:
        out.write(frame(choice({"role": "assistant", "content": None, "reasoning_content": ""})))
        for number in range(deltas):
            piece = chance.choice(PIECES)
            text_bytes += len(piece.encode())
            thought = number < reasoning
            delta = {"content": None, "reasoning_content": piece} if thought else \
                {"content": piece, "reasoning_content": None}
            out.write(frame(choice(delta)))
        out.write(frame(choice({"content": "", "reasoning_content": None}, "stop")))
        out.write(frame([], {
            "prompt_tokens": 12, "completion_tokens": deltas, "total_tokens": deltas + 12,
            "completion_tokens_details": {"reasoning_tokens": reasoning},
        }))
        out.write("data: [DONE]\n\n")
    stream = Stream(reasoning, deltas - reasoning, text_bytes, path.stat().st_size)
    facts.write_text(json.dumps(asdict(stream)))
    return stream


def choice(delta: dict, finish: str | None = None) -> list:
    return [{"index": 0, "delta": delta, "finish_reason": finish}]


def frame(choices: list, usage: dict | None = None) -> str:
    chunk = {
        "id": "chatcmpl-33be18fc3842486c", "object": "chat.completion.chunk", "created": 1752169304,
        "model": "deepseek-reasoner", "system_fingerprint": "fp_393bca965e", "choices": choices,
    }
    if usage:
        chunk["usage"] = usage
    return f"data: {json.dumps(chunk, ensure_ascii=False, separators=(',', ':'))}\n\n"
