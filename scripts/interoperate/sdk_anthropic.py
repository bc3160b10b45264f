"""The client of the package anthropic for the Messages API."""

import anthropic
import httpx2

from asking import Decoded, Peer, Question
from cases import same
from sdk_openai import strict

FINISH = {"end_turn": "stop", "max_tokens": "length", "tool_use": "tool_calls"}
BUDGET = 1024


def written(question: Question) -> dict:
    messages = []
    for message in question.messages:
        if message["role"] == "tool":
            block = {"type": "tool_result", "tool_use_id": message["tool_call_id"], "content": message["content"]}
            # The results of one turn are one user message.
            if messages and messages[-1]["role"] == "user" and isinstance(messages[-1]["content"], list):
                messages[-1]["content"].append(block)
            else:
                messages.append({"role": "user", "content": [block]})
        elif calls := message.get("tool_calls"):
            messages.append({"role": "assistant", "content": [
                {"type": "tool_use", "id": call["id"], "name": call["name"], "input": call["arguments"]}
                for call in calls]})
        else:
            messages.append({"role": message["role"], "content": message["content"]})
    chosen = {"model": question.model, "messages": messages, "max_tokens": question.max_tokens or 4096}
    if question.system:
        chosen["system"] = question.system
    if question.tools:
        chosen["tools"] = [{"name": tool["name"], "description": tool["description"],
                            "input_schema": tool["parameters"]} for tool in question.tools]
    if question.thinking:
        chosen["thinking"] = {"type": "enabled", "budget_tokens": BUDGET}
    return chosen


class Anthropic(Peer):
    package, dialect = "anthropic", "anthropic"
    thinking = {"thinking": BUDGET, "max_tokens": 4096}
    statuses = {
        400: anthropic.BadRequestError, 401: anthropic.AuthenticationError, 403: anthropic.PermissionDeniedError,
        404: anthropic.NotFoundError, 409: anthropic.ConflictError, 422: anthropic.UnprocessableEntityError,
        429: anthropic.RateLimitError, 500: anthropic.InternalServerError, 503: anthropic.ServiceUnavailableError,
        529: anthropic.OverloadedError,
    }
    codes = {
        400: "invalid_request_error", 401: "authentication_error", 403: "permission_error", 404: "not_found_error",
        429: "rate_limit_error", 500: "api_error", 529: "overloaded_error",
    }
    in_stream = (anthropic.APIStatusError,)
    cut = (httpx2.TransportError, anthropic.APIConnectionError)

    def client(self, question: Question, **kwargs) -> anthropic.Anthropic:
        return anthropic.Anthropic(base_url=self.origin, api_key=question.key, timeout=30,
                                   default_headers=question.headers, **{"max_retries": 0} | kwargs)

    def stream(self, question: Question) -> Decoded:
        text = reasoning = ""
        pieces = 0
        with self.client(question).messages.stream(**written(question)) as stream:
            for event in stream:
                if event.type == "text":
                    text += event.text
                    pieces += 1
                elif event.type == "thinking":
                    reasoning += event.thinking
            final = stream.get_final_message()
        strict(final)
        decoded = self.read(final)
        same("the accumulator's text", decoded.text, text)
        same("the accumulator's reasoning", decoded.reasoning, reasoning)
        decoded.pieces = pieces
        return decoded

    def raw(self, question: Question):
        """Yields the events of the stream. Each must fit the types of the package."""
        for event in self.client(question).messages.create(stream=True, **written(question)):
            strict(event)
            yield event

    def whole(self, question: Question) -> Decoded:
        message = self.client(question).messages.create(**written(question))
        strict(message)
        return self.read(message)

    @staticmethod
    def code(error: Exception) -> str | None:
        return error.body["error"]["type"]

    @staticmethod
    def read(message) -> Decoded:
        same("type and role", (message.type, message.role), ("message", "assistant"))
        calls = [block for block in message.content if block.type == "tool_use"]
        return Decoded(
            text="".join(block.text for block in message.content if block.type == "text"),
            reasoning="".join(block.thinking for block in message.content if block.type == "thinking"),
            calls=[(call.name, call.input) for call in calls], ids=[call.id for call in calls],
            finish=FINISH.get(message.stop_reason, message.stop_reason),
            usage={"input_tokens": message.usage.input_tokens, "output_tokens": message.usage.output_tokens})
