"""The clients of the packages openai and huggingface_hub for Chat Completions."""

import json

import httpx2
import openai
import pydantic
from huggingface_hub import InferenceClient
from huggingface_hub.errors import BadRequestError, HfHubHTTPError, TextGenerationError
from openai.lib.streaming.chat import ChatCompletionStreamState

from asking import Decoded, Peer, Question, chat_options
from cases import Differs, misfit, same

FINISH = {"stop": "stop", "length": "length", "tool_calls": "tool_calls"}


def strict(value):
    """Fails if the received data does not fit the types of the package, which constructs them without validation."""
    try:
        type(value).model_validate(value.to_dict(mode="json"))
    except pydantic.ValidationError as error:
        raise Differs(misfit(f"does not fit {type(value).__name__}", error)) from error


def counts(usage) -> dict[str, int]:
    counted = {"input_tokens": usage.prompt_tokens, "output_tokens": usage.completion_tokens,
               "total_tokens": usage.total_tokens}
    if details := getattr(usage, "completion_tokens_details", None):
        # Hugging Face's package leaves unknown members unparsed.
        counted["reasoning_tokens"] = dict(details)["reasoning_tokens"]
    return counted


class OpenAI(Peer):
    package, dialect = "openai", "openai"
    statuses = {
        400: openai.BadRequestError, 401: openai.AuthenticationError, 403: openai.PermissionDeniedError,
        404: openai.NotFoundError, 409: openai.ConflictError, 422: openai.UnprocessableEntityError,
        429: openai.RateLimitError, 500: openai.InternalServerError, 503: openai.InternalServerError,
        529: openai.InternalServerError,
    }
    codes = {401: "invalid_api_key", 404: "model_not_found", 429: "rate_limit_exceeded"}
    in_stream = (openai.APIError,)
    cut = (openai.APIConnectionError,)

    def client(self, question: Question, **kwargs) -> openai.OpenAI:
        return openai.OpenAI(base_url=self.origin + "/v1", api_key=question.key, timeout=30,
                             default_headers=question.headers, **{"max_retries": 0} | kwargs)

    def stream(self, question: Question) -> Decoded:
        decoded, state = Decoded(), ChatCompletionStreamState()
        client = self.client(question)
        for chunk in client.chat.completions.create(
                stream=True, stream_options={"include_usage": True}, **chat_options(question)):
            strict(chunk)
            state.handle_chunk(chunk)
            for choice in chunk.choices:
                decoded.text += choice.delta.content or ""
                decoded.reasoning += getattr(choice.delta, "reasoning_content", None) or ""
                decoded.pieces += bool(choice.delta.content)
            if chunk.usage:
                decoded.usage = counts(chunk.usage)
        # Not get_final_completion, which raises for a reply that was cut by the token limit.
        final = self.read(state.current_completion_snapshot)
        same("the accumulator's text", final.text, decoded.text)
        same("the accumulator's reasoning", final.reasoning, decoded.reasoning)
        decoded.calls, decoded.ids, decoded.finish = final.calls, final.ids, final.finish
        return decoded

    def whole(self, question: Question) -> Decoded:
        completion = self.client(question).chat.completions.create(**chat_options(question))
        strict(completion)
        return self.read(completion)

    @staticmethod
    def code(error: Exception) -> str | None:
        return error.code

    @staticmethod
    def read(completion) -> Decoded:
        choice = completion.choices[0]
        calls = choice.message.tool_calls or []
        return Decoded(
            text=choice.message.content or "", reasoning=getattr(choice.message, "reasoning_content", None) or "",
            calls=[(call.function.name, json.loads(call.function.arguments)) for call in calls],
            ids=[call.id for call in calls], finish=FINISH.get(choice.finish_reason, choice.finish_reason),
            usage=counts(completion.usage) if completion.usage else {})


class HuggingFaceChat(Peer):
    package, dialect = "huggingface_hub", "openai"
    statuses = {400: BadRequestError, 401: HfHubHTTPError, 403: HfHubHTTPError, 404: HfHubHTTPError,
                422: HfHubHTTPError, 429: HfHubHTTPError, 500: HfHubHTTPError, 503: HfHubHTTPError}
    in_stream = (TextGenerationError,)
    cut = (httpx2.TransportError,)

    def client(self, question: Question) -> InferenceClient:
        return InferenceClient(base_url=self.origin + "/v1", token=question.key, timeout=30, headers=question.headers)

    def stream(self, question: Question) -> Decoded:
        decoded, calls = Decoded(), {}
        # The client must outlive its stream: it closes its connections when it is collected.
        client = self.client(question)
        for chunk in client.chat_completion(
                stream=True, stream_options={"include_usage": True}, **chat_options(question)):
            for choice in chunk.choices:
                decoded.text += choice.delta.content or ""
                decoded.reasoning += choice.delta.get("reasoning_content") or ""
                decoded.pieces += bool(choice.delta.content)
                decoded.finish = choice.finish_reason or decoded.finish
                for piece in choice.delta.tool_calls or []:
                    call = calls.setdefault(piece["index"], {"id": "", "name": "", "arguments": ""})
                    call["id"] += piece.get("id") or ""
                    call["name"] += piece["function"].get("name") or ""
                    call["arguments"] += piece["function"].get("arguments") or ""
            if chunk.usage:
                decoded.usage = counts(chunk.usage)
        found = [calls[index] for index in sorted(calls)]
        decoded.calls = [(call["name"], json.loads(call["arguments"])) for call in found]
        decoded.ids = [call["id"] for call in found]
        return decoded

    def whole(self, question: Question) -> Decoded:
        completion = self.client(question).chat_completion(**chat_options(question))
        choice = completion.choices[0]
        calls = choice.message.tool_calls or []
        return Decoded(
            text=choice.message.content or "", reasoning=choice.message.get("reasoning_content") or "",
            calls=[(call.function.name, json.loads(call.function.arguments)) for call in calls],
            ids=[call.id for call in calls], finish=choice.finish_reason, usage=counts(completion.usage))

    @staticmethod
    def status(error: Exception) -> int | None:
        return error.response.status_code

    @staticmethod
    def message(error: Exception) -> str:
        return f"{error} {error.response.text}" if isinstance(error, HfHubHTTPError) else str(error)
