"""Tests our client with stubllm, which answers only requests that match a fixture.

Its streams lack parts that those of the real providers have: the finish reason after tool calls; for Anthropic
message_start, the tool input and the last piece of a text. Each case states what our client must report for them.
"""

from functools import partial

from stubllm.streaming.sse import _tokenize as pieces_of

from cases import case, contains, present, same
from ours import BASES, KEY

PEER = "stubllm"
DIALECTS = ("openai", "anthropic", "gemini")
MODEL = "held-model"

# Text that is difficult for decoders: line ends, escapes, four-byte characters, and text that looks like framing.
TEXT = 'Moon 月亮 🌙 "quoted" back\\slash\ttab\n\ndata: [DONE]\nevent: error\n{"error": 1} é́ 👩‍🚀 end'
SYSTEM = "You are tested with other servers."
TURNS = ["First question about the moon?", "First answer: it is round.", "And the second question?"]
QUESTION = "What is the weather in Paris and Rome?"
RESULT = "18 degrees and clear"
TOOLS = [
    {"name": "get_weather", "description": "The weather in a city.",
     "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}},
]
CALLS = [("call_held_1", "get_weather", '{"city": "Paris", "note": "q\\"uo\\\\te 月"}'),
         ("call_held_2", "get_weather", '{"city": "Rome"}')]

# The header with the key, and other headers that servers of the dialect require.
HEADERS = {
    "openai": {"authorization": f"Bearer {KEY}", "content-type": "application/json"},
    "anthropic": {"x-api-key": KEY, "anthropic-version": "2023-06-01", "content-type": "application/json"},
    "gemini": {"x-goog-api-key": KEY, "content-type": "application/json"},
}
ENDPOINTS = {"openai": "/v1/chat/completions", "anthropic": "/v1/messages",
             "gemini": f"/v1beta/models/{MODEL}:streamGenerateContent"}

# Status, the code that stubllm sends with it (None: its default), and the kind of our error.
ERRORS = {
    "openai": [(400, None, "invalid_request"), (401, "invalid_api_key", "auth"), (401, None, "auth"),
               (403, None, "permission"), (404, "model_not_found", "invalid_request"), (429, None, "rate_limit"),
               (429, "insufficient_quota", "quota"), (500, None, "provider"), (503, None, "overloaded")],
    "anthropic": [(400, None, "invalid_request"), (401, None, "auth"), (403, None, "permission"),
                  (404, "not_found_error", "invalid_request"), (413, "request_too_large", "invalid_request"),
                  (429, None, "rate_limit"), (500, None, "provider"), (529, None, "overloaded")],
    "gemini": [(400, None, "invalid_request"), (401, None, "auth"), (403, None, "permission"),
               (404, "NOT_FOUND", "invalid_request"), (429, None, "rate_limit"), (500, None, "provider"),
               (503, None, "overloaded")],
}


def fixtures() -> list[dict]:
    """The fixtures of stubllm. Each matches the prompt of one case."""
    found = []
    for dialect in DIALECTS:
        found += [
            fixture(dialect, "text", [("user", "Say the text.")], {"content": TEXT}),
            fixture(dialect, "turns", list(zip(("user", "assistant", "user"), TURNS)), {"content": "turns held"}),
            fixture(dialect, "tool", [("user", QUESTION)], {"tool_calls": tool_calls(CALLS[:1])}, tools=True),
            fixture(dialect, "tools", [("user", "Twice: " + QUESTION)], {"tool_calls": tool_calls(CALLS)}, tools=True),
            fixture(dialect, "result", [("user", QUESTION), ("assistant", None), *result_turn(dialect)],
                    {"content": "It is mild."}, tools=True),
            fixture(dialect, "retry", [("user", "Try again.")], None, sequence=[
                {"http_status": 503, "error_message": "not now"}, {"http_status": 429, "error_message": "not yet"},
                {"content": "third time lucky"}]),
        ]
        if dialect != "gemini":  # of a Gemini request, stubllm reads only the contents
            found.append(fixture(dialect, "system", [("system", SYSTEM), ("user", "Obey.")], {"content": "obeyed"}))
        for status, code, _ in ERRORS[dialect]:
            answer = {"http_status": status, "error_message": message(status), "error_code": code}
            found.append(fixture(dialect, f"{status} {code}", [("user", f"Fail {status} {code}.")], answer))
    return found


def fixture(dialect: str, name: str, messages: list, response: dict | None, sequence=None, tools: bool = False) -> dict:
    match = {
        "provider": dialect, "endpoint": ENDPOINTS[dialect], "model": MODEL, "tools_present": tools,
        "headers": HEADERS[dialect],
        "messages": [{"role": role} | ({"content": {"exact": text}} if text is not None else {})
                     for role, text in messages],
    }
    timing = {"stream_chunk_delay_ms": 0}
    answer = {"sequence": [each | timing for each in sequence]} if sequence else {"response": response | timing}
    return {"name": f"{dialect} {name}", "match": match} | answer


def result_turn(dialect: str) -> list:
    """The message that stubllm reads for a tool result: a tool message, or a user message without text."""
    return [("tool", RESULT)] if dialect == "openai" else [("user", "")]


def tool_calls(wanted: list) -> list[dict]:
    return [{"id": id, "function": {"name": name, "arguments": arguments}} for id, name, arguments in wanted]


def message(status: int) -> str:
    return f"Held failure {status}: \"quoted\" 月"


def sent(dialect: str, text: str) -> str:
    """The part of a text that is in the stream. For Anthropic, stubllm does not send the last piece."""
    return "".join(pieces_of(text)[:-1]) if dialect == "anthropic" else text


def ask(world, dialect: str, prompt, **options):
    return world.client.ask(dialect, world.stub + BASES[dialect], MODEL, prompt, **options)


def text(world, dialect: str):
    reply = ask(world, dialect, "Say the text.").good
    same("text", reply["text"], sent(dialect, TEXT))
    same("finish reason", reply["finish_reason"], "stop")
    same("reasoning", reply["reasoning"], "")
    same("attempts", reply["attempts"], 1)


def pieces(world, dialect: str):
    shown = ask(world, dialect, "Say the text.").shown
    same("text", shown["text"], sent(dialect, TEXT))
    # stubllm splits text at white space and after four characters.
    if shown["pieces"] < 10:
        same("number of pieces", shown["pieces"], "10 at least")


def system(world, dialect: str):
    same("text", ask(world, dialect, "Obey.", system=SYSTEM).good["text"], sent(dialect, "obeyed"))


def turns(world, dialect: str):
    prompt = [{"role": role, "content": words} for role, words in zip(("user", "assistant", "user"), TURNS)]
    same("text", ask(world, dialect, prompt).good["text"], sent(dialect, "turns held"))


def tool(world, dialect: str, name: str, question: str, wanted: list):
    outcome = ask(world, dialect, question, tools=TOOLS)
    same("answers of the fixture", world.stub_counts().get(f"{dialect} {name}"), 1)
    if dialect == "gemini":
        # stubllm sends no finishReason after a functionCall. By Gemini's rule the stream was truncated, and a call of a
        # truncated stream must not run.
        same("error kind", outcome.bad["kind"], "truncated")
        same("calls shown", outcome.shown["tool_calls"], [])
        return
    found = outcome.good["tool_calls"]
    same("ids", [call["id"] for call in found], [id for id, _, _ in wanted])
    same("names", [call["name"] for call in found], [name for _, name, _ in wanted])
    # stubllm streams no input for tool_use blocks of Anthropic. No input means {}.
    same("arguments", [call["arguments"] for call in found],
         [{} if dialect == "anthropic" else world.json(arguments) for _, _, arguments in wanted])
    if dialect == "openai":
        same("arguments as sent", [call["arguments_json"] for call in found], [text for _, _, text in wanted])


def result(world, dialect: str):
    id, name, arguments = CALLS[0]
    prompt = [
        {"role": "user", "content": QUESTION},
        {"role": "assistant", "content": "", "tool_calls": [
            {"id": id, "name": name, "arguments": world.json(arguments), "arguments_json": arguments}]},
        {"role": "tool", "tool_call_id": id, "name": name, "content": RESULT},
    ]
    same("text", ask(world, dialect, prompt, tools=TOOLS).good["text"], sent(dialect, "It is mild."))


def usage(world, dialect: str):
    reported = ask(world, dialect, "Say the text.").good.get("usage")
    if dialect == "anthropic":  # stubllm's message_delta always has 20
        same("output tokens", (reported or {}).get("output_tokens"), 20)
    else:  # its streams report no usage, and ours must not invent one
        same("usage", reported, None)


def retry(world, dialect: str):
    outcome = ask(world, dialect, "Try again.", retry={"max": 3, "base": 0.01})
    same("text", outcome.good["text"], sent(dialect, "third time lucky"))
    same("attempts", outcome.good["attempts"], 3)
    same("retries shown", outcome.shown["retries"], 2)


def error(world, dialect: str, status: int, code: str | None, kind: str):
    err = ask(world, dialect, f"Fail {status} {code}.").bad
    same("kind", err["kind"], kind)
    same("status", err["status"], status)
    contains("message", err["message"], message(status))
    if code is not None:
        same("code", err["code"], code)
    same("attempts", err["attempts"], 1)


def all_matched(world):
    """The last case: every request has matched its fixture."""
    counts = world.stub_counts()
    present("requests", counts)
    same("requests that matched nothing", counts.get("__fallback__", 0), 0)


def register():
    for dialect in DIALECTS:
        add = partial(case, PEER, dialect, needs=("client",))
        lost = " (without the last piece, which stubllm does not send)" if dialect == "anthropic" else ""
        add("text, streamed" + lost)(partial(text, dialect=dialect))
        add("text, piece by piece")(partial(pieces, dialect=dialect))
        if dialect != "gemini":
            add("system prompt")(partial(system, dialect=dialect))
        add("several turns")(partial(turns, dialect=dialect))
        note = {"gemini": " (stream without finishReason: truncated, no call shown)",
                "anthropic": " (stream without input: {})"}.get(dialect, "")
        add("tool call" + note)(partial(tool, dialect=dialect, name="tool", question=QUESTION, wanted=CALLS[:1]))
        if dialect != "gemini":
            add("two tool calls under one index" + note)(
                partial(tool, dialect=dialect, name="tools", question="Twice: " + QUESTION, wanted=CALLS))
        add("tool result, answered")(partial(result, dialect=dialect))
        add("usage")(partial(usage, dialect=dialect))
        add("503, then 429, then text: retried")(partial(retry, dialect=dialect))
        for status, code, kind in ERRORS[dialect]:
            add(f"{status}{f' {code}' if code else ''}: {kind}")(
                partial(error, dialect=dialect, status=status, code=code, kind=kind))
    case(PEER, "all", "every request matched its fixture", needs=("client",))(all_matched)
