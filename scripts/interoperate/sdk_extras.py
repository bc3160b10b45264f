"""Cases for features that only one official client has."""

import asyncio
import json
from dataclasses import replace
from functools import partial

import ollama
import openai
import pydantic
from google.genai import types

from asking import Decoded, Peer, Question
from cases import case, present, raises, same
from sdk_anthropic import Anthropic
from sdk_google import Google
from sdk_openai import OpenAI
from sdk_responses import Responses

BOTH = ("client", "mock")
QUESTION = [{"role": "user", "content": "Describe the moon."}]
REASONED = Question(QUESTION, model="moonrill-reasoner", thinking=True)
CALLING = replace(REASONED, messages=[{"role": "user", "content": "Call the tool that draws the moon."}], tools=[
    {"name": "draw_moon", "description": "Draws the moon.", "parameters": {
        "type": "object", "properties": {"phase": {"type": "string"}}}}])


class Moon(pydantic.BaseModel):
    """The schema of the reply."""

    title: str
    phases: list[str]
    craters: int
    is_full: bool


def parsed(world):
    """The package parses the reply to a JSON schema into its model."""
    completion = OpenAI(world.mock).client(Question(QUESTION)).chat.completions.parse(
        model="moonrill-chat", messages=QUESTION, response_format=Moon)
    present("parsed", completion.choices[0].message.parsed)
    same("parsed", completion.choices[0].message.parsed.model_dump(),
         json.loads(completion.choices[0].message.content))


def choices(world):
    client = OpenAI(world.mock).client(Question(QUESTION))
    found = ["", "", ""]
    for chunk in client.chat.completions.create(model="moonrill-chat", messages=QUESTION, n=3, stream=True):
        for choice in chunk.choices:
            found[choice.index] += choice.delta.content or ""
    completion = client.chat.completions.create(model="moonrill-chat", messages=QUESTION, n=3)
    same("texts", found, [choice.message.content for choice in completion.choices])
    present("each text", all(found))
    same("first text", found[0], world.told("openai", "moonrill-chat", QUESTION)["text"])


def models(world):
    client = OpenAI(world.mock).client(Question(QUESTION))
    listed = [model.id for model in client.models.list()]
    same("models", sorted(listed), ["moonrill-chat", "moonrill-reasoner"])
    same("one model", client.models.retrieve("moonrill-chat").id, "moonrill-chat")


def retries(world):
    """The package retries by itself, obeys Retry-After, and receives the text at the third attempt."""
    with world.mock_with("--fault", "429:1@0.05,503:1@ms:50") as origin:
        client = OpenAI(origin).client(Question(QUESTION), max_retries=2)
        raw = client.chat.completions.with_raw_response.create(model="moonrill-chat", messages=QUESTION)
    same("retries", raw.retries_taken, 2)
    same("text", raw.parse().choices[0].message.content, world.told("openai", "moonrill-chat", QUESTION)["text"])


def quota(world):
    with raises(openai.RateLimitError) as caught:
        OpenAI(world.mock).whole(Question(QUESTION, fault="quota"))
    same("code", caught.error.code, "insufficient_quota")


def asynchronous(world):
    async def streamed() -> str:
        async with openai.AsyncOpenAI(base_url=world.mock + "/v1", api_key="key", timeout=30) as client:
            stream = await client.chat.completions.create(model="moonrill-chat", messages=QUESTION, stream=True)
            return "".join([chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices])

    same("text", asyncio.run(streamed()), world.told("openai", "moonrill-chat", QUESTION)["text"])


def events(world, peer: type[Peer]):
    """Each event fits the type that the package declares for it."""
    for question in (REASONED, CALLING):
        present("events", list(peer(world.mock).raw(question)))


def chats(world, question: Question, streamed: bool):
    """The package keeps the chat. The offline provider must accept the turns that it sends, signatures included."""
    client = Google(world.mock).client(question)
    chat = client.chats.create(model=question.model, config=Google.written(question)["config"])

    def turn(message) -> Decoded:
        decoded = Decoded()
        for chunk in chat.send_message_stream(message) if streamed else [chat.send_message(message)]:
            Google.add(chunk, decoded)
        return decoded

    first = turn(question.messages[0]["content"])
    present("reasoning", first.reasoning)
    same("whether it calls", bool(first.calls), bool(question.tools))
    said = {"role": "assistant", "content": first.text, "tool_calls": [
        {"id": f"call_{index}", "name": name, "arguments": arguments, "arguments_json": json.dumps(arguments)}
        for index, (name, arguments) in enumerate(first.calls)]}
    if first.calls:
        name = first.calls[0][0]
        second = turn(types.Part.from_function_response(name=name, response={"result": "a moon"}))
        next_message = {"role": "tool", "tool_call_id": "call_0", "name": name, "content": "a moon"}
    else:
        second = turn("And the sun?")
        next_message = {"role": "user", "content": "And the sun?"}
    options = {"tools": question.tools} if question.tools else {}
    ours = world.told("gemini", question.model, question.messages + [said, next_message], thinking=True, **options)
    present("text", second.text)
    same("text", second.text, ours["text"])


def google_models(world):
    client = Google(world.mock).client(Question(QUESTION))
    listed = [model.name for model in client.models.list()]
    same("models", sorted(listed), ["models/moonrill-chat", "models/moonrill-reasoner"])
    same("one model", client.models.get(model="moonrill-chat").name, "models/moonrill-chat")


def ollama_models(world):
    listed = [model.model for model in ollama.Client(host=world.mock).list().models]
    same("models", sorted(listed), ["moonrill-chat", "moonrill-reasoner"])


def replies(add):
    """The cases of good replies, which serving.py runs too. `add` takes package, dialect, name and function."""
    add("openai", "openai", "a JSON schema, parsed", parsed)
    add("openai", "openai", "models", models)
    add("openai", "openai", "the asynchronous client", asynchronous)
    for streamed in (True, False):
        how = "streamed" if streamed else "whole"
        add("google-genai", "gemini", f"a chat that the package keeps, {how}",
            partial(chats, question=REASONED, streamed=streamed))
        add("google-genai", "gemini", f"a chat with a tool call, {how}",
            partial(chats, question=CALLING, streamed=streamed))
    add("google-genai", "gemini", "models", google_models)
    add("ollama", "ollama", "models", ollama_models)
    for peer in (Responses, Anthropic):
        add(peer.package, peer.dialect, "each event fits its type", partial(events, peer=peer))


def register():
    replies(lambda package, dialect, name, run: case(package, dialect, name, BOTH)(run))
    case("openai", "openai", "three choices at once", BOTH)(choices)
    case("openai", "openai", "429 and 503, retried by the package", BOTH)(retries)
    case("openai", "openai", "quota: RateLimitError with its code", BOTH)(quota)
