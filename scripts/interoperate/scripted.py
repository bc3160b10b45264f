"""Tests our client with mock-ai-api. The name of the model selects a scenario; some replies repeat the prompt."""

from functools import partial

from cases import case, contains, present, same
from ours import BASES

PEER = "mock-ai-api"
MODELS = {"openai": "gpt-4.1", "responses": "gpt-4.1", "anthropic": "claude-sonnet-4-20250514"}
GREETING = "Hello. It's nice to meet you."
# The text before the prompt in replies that repeat the prompt.
ECHO = {"openai": "Mock stream for: ", "responses": "Mock response for: ", "anthropic": "Mock Anthropic stream for: "}
ARGUMENTS = {"path": "tmp/mock-file.txt", "contents": "mock output"}
TOOLS = [{"name": "Write", "description": "Writes a file.", "parameters": {
    "type": "object", "properties": {"path": {"type": "string"}, "contents": {"type": "string"}}}}]
KINDS = {400: "invalid_request", 401: "auth", 429: "rate_limit", 500: "provider", 503: "overloaded"}
QUESTION = "Why is the moon round and white?"


def tokens(words: str) -> int:
    """The token count of mock-ai-api: two a word."""
    return max(1, len(words.split()) * 2)


def ask(world, dialect: str, scenario: str, prompt=QUESTION, **options):
    origin = world.mock_ai["anthropic" if dialect == "anthropic" else "openai"]
    return world.client.ask(dialect, origin + BASES[dialect], f"{MODELS[dialect]}:{scenario}", prompt, **options)


def held(reply: dict, dialect: str, wanted: str, prompt: str):
    same("text", reply["text"], wanted)
    same("finish reason", reply["finish_reason"], "stop")
    same("model", reply["model"], MODELS[dialect])
    present("id", reply["id"])
    counted(reply["usage"], tokens(prompt), tokens(wanted))


def counted(usage: dict, input: int, output: int):
    same("input tokens", usage["input_tokens"], input)
    same("output tokens", usage["output_tokens"], output)
    same("estimated", usage["estimated"], False)


def text(world, dialect: str, scenario: str):
    held(ask(world, dialect, scenario).good, dialect, GREETING, QUESTION)


def echo(world, dialect: str, scenario: str):
    """The reply repeats the prompt, which shows that the prompt was received unchanged."""
    prompt = "Moon 月亮 🌙 \"quoted\" \\ with many words to be cut into several pieces of eight words each"
    outcome = ask(world, dialect, scenario, prompt)
    held(outcome.good, dialect, ECHO[dialect] + prompt, prompt)
    if outcome.shown["pieces"] < 2:
        same("number of pieces", outcome.shown["pieces"], "2 at least")


def conversation(world, dialect: str):
    prompt = [
        {"role": "user", "content": "One question"},
        {"role": "assistant", "content": "One answer"},
        {"role": "user", "content": [{"type": "text", "text": "Two"}, {"type": "text", "text": "parts"}]},
    ]
    said = "One question\nOne answer\nTwo\nparts"
    # The server splits its reply into words and joins them with single spaces, so line ends are lost.
    reply = ask(world, dialect, "mock-delay", prompt).good
    same("text", reply["text"].split(), (ECHO[dialect] + said).split())


def tool(world, dialect: str, scenario: str, output: int):
    reply = ask(world, dialect, scenario, tools=TOOLS).good
    same("calls", [(call["name"], call["arguments"]) for call in reply["tool_calls"]], [("Write", ARGUMENTS)])
    contains("id", reply["tool_calls"][0]["id"], "toolu_" if dialect == "anthropic" else "call_")
    same("finish reason", reply["finish_reason"], "tool_calls")
    same("text", reply["text"], "")
    counted(reply["usage"], tokens(QUESTION), output)


def round_trip(world, dialect: str, scenario: str):
    """The message of a reply with a tool call is sent back with the result, and is accepted."""
    reply = ask(world, dialect, scenario, tools=TOOLS).good
    call = reply["tool_calls"][0]
    prompt = [{"role": "user", "content": QUESTION}, reply["message"],
              {"role": "tool", "tool_call_id": call["id"], "name": call["name"], "content": "written"}]
    answer = ask(world, dialect, "mock-text", prompt, tools=TOOLS).good
    same("text", answer["text"], GREETING)


def broken_stream(world, dialect: str):
    err = ask(world, dialect, "mock-stream-error").bad
    same("kind", err["kind"], "provider")
    contains("message", err["message"], "Mock streaming failure")
    same("retryable", err["retryable"], True)
    same("attempts", err["attempts"], 1)


def status(world, dialect: str, status: int):
    err = ask(world, dialect, f"mock-{status}").bad
    same("kind", err["kind"], KINDS[status])
    same("status", err["status"], status)
    contains("message", err["message"], f"Mock scenario mock-{status} triggered" if dialect == "anthropic" else "")
    present("message", err["message"])
    same("attempts", err["attempts"], 1)


def retried(world, dialect: str):
    outcome = ask(world, dialect, "mock-429", retry={"max": 2, "base": 0.01})
    same("kind", outcome.bad["kind"], "rate_limit")
    same("attempts", outcome.bad["attempts"], 3)
    same("retries shown", outcome.shown["retries"], 2)


def register():
    for dialect in ("openai", "responses", "anthropic"):
        add = partial(case, PEER, dialect, needs=("client",))
        texts = ["mock-text"] + (["mock-anthropic-stream"] if dialect == "anthropic" else [])
        for scenario in texts:
            add(f"{scenario}: text and usage")(partial(text, dialect=dialect, scenario=scenario))
        # The last two scenarios of OpenAI call tools only in replies that are not streamed. Streams repeat the prompt.
        echoes = ["mock-delay"] + ([] if dialect == "anthropic" else ["mock-tool-call", "mock-bad-tool-json"])
        for scenario in echoes:
            add(f"{scenario}: the reply repeats the prompt")(partial(echo, dialect=dialect, scenario=scenario))
        add("mock-delay: the reply repeats a conversation")(partial(conversation, dialect=dialect))
        tools = {"openai": {"mock-tool-stream": 18}, "anthropic": {"mock-tool-stream": 14, "mock-tool-use": 14}}
        for scenario, output in tools.get(dialect, {}).items():
            add(f"{scenario}: tool call and usage")(
                partial(tool, dialect=dialect, scenario=scenario, output=output))
            add(f"{scenario}: message and tool result are sent back")(
                partial(round_trip, dialect=dialect, scenario=scenario))
        if dialect == "anthropic":
            add("mock-stream-error: an error inside the stream")(partial(broken_stream, dialect=dialect))
        for code in KINDS:
            add(f"mock-{code}: {KINDS[code]}")(partial(status, dialect=dialect, status=code))
        add("mock-429: retried twice, then an error")(partial(retried, dialect=dialect))
