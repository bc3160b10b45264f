"""A Python client for scripts/compare: `clients.py NAME BASE_URL`, with prompts as a JSON array on standard input.

Sends each prompt as a streamed chat request. Prints one JSON object: an outcome for each prompt (`ok` if the client raised
no error, `text`, `finish`, `error`) and `peak`, the largest resident size of this process in bytes.
"""

import atexit
import json
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

MODEL = "moonrill-chat"
KEY = "compare-key-1234567890"


def openai(base: str):
    """The official SDK. No retries, as for the others."""
    import openai

    client = openai.OpenAI(base_url=base, api_key=KEY, max_retries=0)
    return lambda prompt: read(client.chat.completions.create(
        model=MODEL, stream=True, messages=[{"role": "user", "content": prompt}]))


def litellm(base: str):
    # Otherwise it downloads its table of prices when it is imported.
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    import litellm

    return lambda prompt: read(litellm.completion(
        model=f"openai/{MODEL}", api_base=base, api_key=KEY, stream=True, num_retries=0, max_retries=0,
        messages=[{"role": "user", "content": prompt}]))


def llm(base: str):
    """The library behind the command `llm`, with a model declared as its documentation describes. It has no setting for
    retries; the SDK makes two."""
    folder = tempfile.mkdtemp(prefix="moonrill-compare-")
    atexit.register(shutil.rmtree, folder)
    os.environ["LLM_USER_PATH"] = folder
    Path(folder, "extra-openai-models.yaml").write_text(
        f"- model_id: {MODEL}\n  model_name: {MODEL}\n  api_base: {base}\n")
    import llm

    model = llm.get_model(MODEL)

    def ask(prompt: str):
        response = model.prompt(prompt)
        text = "".join(response)
        return text, (response.response_json or {}).get("finish_reason")
    return ask


def read(chunks) -> tuple[str, str | None]:
    """Reads a stream to its end. Returns its text and finish reason."""
    text, finish = "", None
    for chunk in chunks:
        for choice in chunk.choices[:1]:
            text += choice.delta.content or ""
            finish = choice.finish_reason or finish
    return text, finish


def outcome(ask, prompt: str) -> dict:
    try:
        text, finish = ask(prompt)
    except Exception as error:
        return {"ok": False, "error": f"{type(error).__name__}: {error}"[:300]}
    return {"ok": True, "text": text, "finish": finish}


def main():
    name, base = sys.argv[1:]
    ask = {"openai": openai, "llm": llm, "litellm": litellm}[name](base)
    outcomes = [outcome(ask, prompt) for prompt in json.load(sys.stdin)]
    peak = int(re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text()).group(1)) * 1024
    print(json.dumps({"outcomes": outcomes, "peak": peak}))


main()
