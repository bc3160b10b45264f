"""Tests official clients with `moonrill serve --mock`. Each must decode the same reply as our client does from the
offline provider itself, because the server passes the request and the reply on."""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import anthropic
import httpx
import httpx_sse
import openai
import websockets.sync.client
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_openai import ChatOpenAI

import sdk_extras
import sdks
import servers
from asking import Peer
from cases import case, contains, present, raises, same
from sdk_anthropic import Anthropic
from sdk_huggingface import HuggingFaceText
from sdk_openai import OpenAI
from sdk_responses import Responses

BOTH = ("client", "mock")
SCRIPT = str(Path(__file__).with_name("serving.lua"))
QUESTION = [{"role": "user", "content": "What is the weather in Paris?"}]
MODEL = "moonrill-chat"
TOKEN = "interop-token-1234567890"


class Served:
    """A World whose server is `moonrill serve` in place of `moonrill mock`. What our client was told by the offline
    provider stays the reference."""

    def __init__(self, world, origin: str):
        self.mock = origin
        self.told = world.told


def through(run):
    """A case of sdks.py with the server in between."""
    return lambda world: run(Served(world, world.served))


def same_calls(run, peer: type[Peer]):
    """The ids of tool calls are those of the provider, which here speaks Chat Completions."""

    class Passed(peer):
        has_ids = False

    return partial(run, peer=Passed)


# MARK: Errors


def api(origin: str, key: str = TOKEN, **kwargs) -> openai.OpenAI:
    return openai.OpenAI(base_url=origin + "/v1", api_key=key, timeout=30, **{"max_retries": 0} | kwargs)


def messages(origin: str, key: str = TOKEN) -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=origin, api_key=key, timeout=30, max_retries=0)


def requests(origin: str, model: str, key: str = TOKEN):
    """One request of each endpoint, whole and streamed, and the package that sends it."""
    for stream in (False, True):
        yield openai, lambda: api(origin, key).chat.completions.create(
            model=model, messages=QUESTION, stream=stream)
        yield openai, lambda: api(origin, key).responses.create(model=model, input="Hello", stream=stream)
        yield anthropic, lambda: messages(origin, key).messages.create(
            model=model, messages=QUESTION, max_tokens=100, stream=stream)


def refused(origin: str, model: str, kind: str, status: int, part: str, key: str = TOKEN, header=None):
    for package, send in requests(origin, model, key):
        with raises(getattr(package, kind)) as caught:
            send()
        same("status", caught.error.status_code, status)
        contains("message", caught.error, part)
        present("request id", caught.error.response.headers.get("x-request-id"))
        if header:
            same(header[0], caught.error.response.headers.get(header[0]), header[1])


def unknown_model(world):
    refused(world.scripted, "nobody", "NotFoundError", 404, "nobody")


def unknown_path(world):
    with raises(openai.NotFoundError):
        api(world.scripted).embeddings.create(model="relay", input="x")
    with raises(openai.NotFoundError):
        api(world.scripted).models.retrieve("nobody")


def failing_handler(world):
    refused(world.scripted, "broken", "InternalServerError", 500, "id")
    for _, send in requests(world.scripted, "broken"):
        try:
            send()
        except (openai.APIError, anthropic.APIError) as error:
            same("the script's message in the reply", "secret" in str(error), False)


def upstream(world, fault: str, kind: str, status: int, part: str, header=None):
    with servers.served(world.binary, "--fault", fault, script=SCRIPT) as origin:
        refused(origin, "relay", kind, status, part, header=header)


def late(world):
    """A failure before the first heartbeat has its status, also in a stream."""
    with servers.served(world.binary, "--fault", "429@7", script=SCRIPT) as origin:
        with raises(openai.RateLimitError):
            api(origin).chat.completions.create(model="late", messages=QUESTION, stream=True)


def retried(world):
    """The package waits for Retry-After and asks again."""
    with servers.served(world.binary, "--fault", "429:1@1", script=SCRIPT) as origin:
        completion = api(origin, max_retries=1).chat.completions.create(model="relay", messages=QUESTION)
        present("text", completion.choices[0].message.content)


def overloaded_inside(world):
    with servers.served(world.binary, "--fault", "error-frame@3", script=SCRIPT) as origin:
        with raises(openai.APIError):
            list(api(origin).chat.completions.create(model="relay", messages=QUESTION, stream=True))
        with raises(anthropic.APIStatusError):
            list(messages(origin).messages.create(model="relay", messages=QUESTION, max_tokens=99, stream=True))


@contextmanager
def guarded(world):
    with servers.served(world.binary, "--token-env", "MOONRILL_INTEROP_TOKEN",
                        environment={"MOONRILL_INTEROP_TOKEN": TOKEN}) as origin:
        yield origin


def token(world):
    with guarded(world) as origin:
        refused(origin, MODEL, "AuthenticationError", 401, "token", key="another")
        for _, send in requests(origin, MODEL):
            send()
        for query, status in {"": 401, "&token=another": 401, f"&token={TOKEN}": 200}.items():
            same(f"status with {query or 'nothing'}", httpx.get(f"{origin}/stream?prompt=x{query}").status_code, status)


# MARK: Scripts


def listed(world):
    names = ["agent", "broken", "echo", "late", "relay"]
    same("openai", sorted(model.id for model in api(world.scripted).models.list()), names)
    same("anthropic", sorted(model.id for model in messages(world.scripted).models.list()), names)
    same("model", api(world.scripted).models.retrieve("echo").id, "echo")


def handler(world):
    """A handler's own text and reasoning in each format."""
    asked = [{"role": "user", "content": "one two three"}]
    for peer, model in ((OpenAI, "echo"), (Responses, "echo"), (Anthropic, "echo")):
        question = sdks.Question(asked, model=model)
        for how in (peer(world.scripted).stream, peer(world.scripted).whole):
            decoded = how(question)
            same("text", decoded.text, "one two three ")
            same("reasoning", decoded.reasoning, "thought")
            same("finish reason", decoded.finish, "stop")


def agent(world):
    """The tool runs in the script, so the caller gets text and no call."""
    for peer in (OpenAI, Responses, Anthropic):
        question = sdks.Question(QUESTION, model="agent")
        for how in (peer(world.scripted).stream, peer(world.scripted).whole):
            decoded = how(question)
            contains("text", decoded.text, "18")
            same("calls", decoded.calls, [])
            same("finish reason", decoded.finish, "stop")


# MARK: Streams


def events(origin: str, path: str, **headers) -> list:
    with httpx.Client(timeout=30) as client, httpx_sse.connect_sse(client, "GET", origin + path, headers=headers) as source:
        return list(source.iter_sse())


def stream(world):
    found = events(world.served, f"/stream?prompt=Why%20is%20the%20moon%20round&model={MODEL}")
    same("first event", found[0].event, "start")
    same("last event", found[-1].event, "finish")
    name = json.loads(found[0].data)["stream"]
    same("ids", [each.id for each in found], [f"{name}-{number + 1}" for number in range(len(found))])
    text = "".join(json.loads(each.data)["content"] for each in found if each.event == "message")
    same("text", text, world.told("openai", MODEL, "Why is the moon round")["text"])


def resumed(world):
    first = events(world.served, f"/stream?prompt=Hello&model={MODEL}")
    rest = events(world.served, "/stream", **{"Last-Event-ID": first[3].id})
    same("events after the fourth", [(each.id, each.data) for each in rest],
         [(each.id, each.data) for each in first[4:]])
    same("status after the last", httpx.get(
        world.served + "/stream", headers={"Last-Event-ID": first[-1].id}).status_code, 204)


def counted(world):
    found = events(world.scripted, "/count?to=5")
    same("numbers", [json.loads(each.data)["number"] for each in found if each.event == "count"], [1, 2, 3, 4, 5])


def socket(world):
    with websockets.sync.client.connect(world.served.replace("http", "ws") + "/ws") as connection:
        connection.send(json.dumps({"type": "ask", "ref": 7, "prompt": "Hello", "model": MODEL}))
        found = []
        while not found or found[-1]["event"] not in ("finish", "failure"):
            found.append(json.loads(connection.recv(timeout=30)))
    same("refs", {each["ref"] for each in found}, {7})
    same("first and last", [found[0]["event"], found[-1]["event"]], ["start", "finish"])
    same("text", "".join(each["data"]["content"] for each in found if each["event"] == "message"),
         world.told("openai", MODEL, "Hello")["text"])


# MARK: Programs


def chain(world, **options) -> ChatOpenAI:
    return ChatOpenAI(base_url=world.served + "/v1", api_key=TOKEN, model=MODEL, **{"max_retries": 0} | options)


def langchain(world):
    wanted = world.told("openai", MODEL, "Why is the moon round?")["text"]
    reply = chain(world).invoke("Why is the moon round?")
    same("invoke", reply.content, wanted)
    present("usage", reply.usage_metadata["output_tokens"])
    pieces = list(chain(world, stream_usage=True).stream("Why is the moon round?"))
    same("stream", "".join(piece.content for piece in pieces), wanted)
    present("pieces", len(pieces) > 5)
    present("usage of the stream", any(piece.usage_metadata for piece in pieces))

    async def read() -> str:
        return "".join([piece.content async for piece in chain(world).astream("Why is the moon round?")])

    same("astream", asyncio.run(read()), wanted)
    same("Responses", chain(world, use_responses_api=True).invoke("Why is the moon round?").text, wanted)


def langchain_tools(world):
    model = chain(world).bind_tools([{
        "name": "get_weather", "description": "The weather in a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}])
    asked = HumanMessage("What is the weather in Paris?")
    reply = model.invoke([asked])
    same("calls", [(call["name"], call["args"]) for call in reply.tool_calls], [("get_weather", {"city": "Paris"})])
    streamed = None
    for piece in model.stream([asked]):
        streamed = piece if streamed is None else streamed + piece
    same("calls of the stream", [call["args"] for call in streamed.tool_calls], [{"city": "Paris"}])
    answer = model.invoke([asked, reply, ToolMessage("18 degrees", tool_call_id=reply.tool_calls[0]["id"])])
    present("text", answer.content)
    same("calls of the answer", answer.tool_calls, [])


def llm_program(world):
    """The command `llm` with the server in extra-openai-models.yaml, as docs/serve.md shows."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "extra-openai-models.yaml").write_text(
            f"- model_id: moon\n  model_name: {MODEL}\n  api_base: {world.served}/v1\n"
            "  supports_tools: true\n  supports_schema: true\n")

        def run(*arguments: str) -> str:
            done = subprocess.run(
                [str(Path(sys.executable).with_name("llm")), *arguments], text=True, stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60,
                env=os.environ | {"LLM_USER_PATH": folder, "OPENAI_API_KEY": TOKEN})
            same("status", (done.returncode, done.stderr[-300:]), (0, ""))
            return done.stdout.strip()

        wanted = world.told("openai", MODEL, "Why is the moon round?")["text"].strip()
        for more in ([], ["--no-stream"]):
            same("text", run("-m", "moon", *more, "Why is the moon round?"), wanted)
        value = json.loads(run("-m", "moon", "--schema", "name, age int", "invent a dog"))
        same("members", sorted(value), ["age", "name"])
        present("result of the tool", run("-m", "moon", "-T", "llm_version", "Which version of llm?"))


# MARK: All


def register():
    for peer in sdks.PEERS:
        found = []

        def add(name, found=found):
            return lambda run: found.append((name, run))

        sdks.replies(peer, add)
        for name, run in found:
            if peer is HuggingFaceText and ("usage" in name or "limit" in name):
                continue  # TGI has a limit of 100 tokens of its own, and no reasoning that would count
            if isinstance(run, partial) and run.func is sdks.tools:
                run = partial(same_calls(sdks.tools, peer), **{
                    key: value for key, value in run.keywords.items() if key != "peer"})
            case(peer.package, peer.dialect, f"served: {name}", BOTH, "serve")(through(run))

    def own(peer: str, dialect: str, name: str, run):
        case(peer, dialect, f"served: {name}", BOTH, "serve")(run)

    sdk_extras.replies(lambda peer, dialect, name, run: own(peer, dialect, name, through(run)))
    own("openai", "openai", "an unknown model: NotFoundError", unknown_model)
    own("openai", "openai", "an unknown path: NotFoundError", unknown_path)
    own("openai", "openai", "a failing handler: InternalServerError", failing_handler)
    own("openai", "openai", "upstream 429: RateLimitError with Retry-After", partial(
        upstream, fault="429@7", kind="RateLimitError", status=429, part="Rate limit", header=("retry-after", "7")))
    own("openai", "openai", "upstream 429 after 1.5 s: RateLimitError", late)
    own("openai", "openai", "upstream 429: the package asks again", retried)
    own("openai", "openai", "upstream 401: not the caller's key", partial(
        upstream, fault="401", kind="InternalServerError", status=502, part="key"))
    own("openai", "openai", "an error inside the stream", overloaded_inside)
    own("openai", "openai", "a token: AuthenticationError without it", token)
    own("openai", "openai", "models of a script", listed)
    own("openai", "openai", "a handler's own reply", handler)
    own("openai", "openai", "tools that run in the script", agent)
    own("httpx-sse", "sse", "a stream of events", stream)
    own("httpx-sse", "sse", "a stream, read on after Last-Event-ID", resumed)
    own("httpx-sse", "sse", "events of a handler", counted)
    own("websockets", "websocket", "a stream on a WebSocket", socket)
    own("langchain-openai", "openai", "invoke, stream, astream", langchain)
    own("langchain-openai", "openai", "bind_tools", langchain_tools)
    own("llm", "openai", "extra-openai-models.yaml", llm_program)
