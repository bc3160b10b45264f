"""The client of the package cohere for version 2 of its chat endpoint."""

import json
import logging
from contextlib import contextmanager

import cohere
import httpx
from cohere.core.api_error import ApiError

from asking import Decoded, Peer, Question, chat_options
from cases import Differs

FINISH = {"COMPLETE": "stop", "MAX_TOKENS": "length", "TOOL_CALL": "tool_calls"}


class InStream(Exception):
    """The last event is an error; the package returns it as an event."""


class Cohere(Peer):
    package, dialect = "cohere", "cohere"
    thinking = {"thinking": True}
    statuses = {
        400: cohere.BadRequestError, 401: cohere.UnauthorizedError, 403: cohere.ForbiddenError,
        404: cohere.NotFoundError, 422: cohere.UnprocessableEntityError, 429: cohere.TooManyRequestsError,
        500: cohere.InternalServerError, 503: cohere.ServiceUnavailableError,
    }
    in_stream = (InStream, ApiError)
    cut = (httpx.TransportError,)

    def client(self, question: Question) -> cohere.ClientV2:
        return cohere.ClientV2(api_key=question.key, base_url=self.origin, timeout=30)

    @staticmethod
    def written(question: Question) -> dict:
        chosen = chat_options(question)
        if question.thinking:
            chosen["thinking"] = {"type": "enabled"}
        return chosen | {"request_options": {"max_retries": 0, "additional_headers": question.headers}}

    def stream(self, question: Question) -> Decoded:
        decoded, calls, ended = Decoded(), {}, False
        client = self.client(question)
        with skipping_nothing():
            for event in client.chat_stream(**self.written(question)):
                match event.type:
                    case "content-delta":
                        content = event.delta.message.content
                        decoded.text += content.text or ""
                        decoded.reasoning += content.thinking or ""
                        decoded.pieces += bool(content.text)
                    case "tool-call-start":
                        call = event.delta.message.tool_calls
                        calls[event.index] = [call.id, call.function.name, call.function.arguments or ""]
                    case "tool-call-delta":
                        calls[event.index][2] += event.delta.message.tool_calls.function.arguments
                    case "message-end":
                        ended = True
                        if event.delta.error or event.delta.finish_reason == "ERROR":
                            raise InStream(event.delta.error)
                        decoded.finish = FINISH.get(event.delta.finish_reason, event.delta.finish_reason)
                        decoded.usage = counts(event.delta.usage)
        if not ended:
            raise Differs("the stream ended without message-end")
        decoded.ids = [calls[index][0] for index in sorted(calls)]
        decoded.calls = [(calls[index][1], json.loads(calls[index][2] or "{}")) for index in sorted(calls)]
        return decoded

    def whole(self, question: Question) -> Decoded:
        response = self.client(question).chat(**self.written(question))
        content = response.message.content or []
        calls = response.message.tool_calls or []
        return Decoded(
            text="".join(part.text for part in content if part.type == "text"),
            reasoning="".join(part.thinking for part in content if part.type == "thinking"),
            calls=[(call.function.name, json.loads(call.function.arguments)) for call in calls],
            ids=[call.id for call in calls], finish=FINISH.get(response.finish_reason, response.finish_reason),
            usage=counts(response.usage))


def counts(usage) -> dict[str, int]:
    return {"input_tokens": int(usage.tokens.input_tokens), "output_tokens": int(usage.tokens.output_tokens)}


@contextmanager
def skipping_nothing():
    """Fails if the package could not read an event: it skips such an event and only logs it."""
    skipped: list[str] = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: skipped.append(record.getMessage())
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)
    if skipped:
        raise Differs("; ".join(skipped))
