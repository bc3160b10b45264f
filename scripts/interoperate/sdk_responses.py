"""The client of the package openai for the Responses API."""

import json

import openai

from asking import Decoded, Question
from cases import Differs, same
from sdk_openai import OpenAI, strict


class InStream(Exception):
    """An error event or a failed response; the package returns it as an event."""


def written(question: Question) -> dict:
    """The request's arguments: conversation items in place of messages."""
    items = []
    for message in question.messages:
        if message["role"] == "tool":
            items.append({"type": "function_call_output", "call_id": message["tool_call_id"],
                          "output": message["content"]})
        elif calls := message.get("tool_calls"):
            items += [{"type": "function_call", "call_id": call["id"], "name": call["name"],
                       "arguments": call["arguments_json"]} for call in calls]
        else:
            items.append({"role": message["role"], "content": message["content"]})
    chosen = {"model": question.model, "input": items}
    if question.system:
        chosen["instructions"] = question.system
    if question.tools:
        chosen["tools"] = [{"type": "function", "strict": False} | tool for tool in question.tools]
    if question.max_tokens:
        chosen["max_output_tokens"] = question.max_tokens
    if question.thinking:
        chosen["reasoning"] = {"summary": "auto"}
    return chosen


class Responses(OpenAI):
    dialect = "responses"
    thinking = {"thinking": True}
    in_stream = (InStream, openai.APIError)

    def stream(self, question: Question) -> Decoded:
        decoded, final = Decoded(), None
        with self.client(question).responses.stream(**written(question)) as stream:
            for event in stream:
                match event.type:
                    case "response.output_text.delta":
                        decoded.text += event.delta
                        decoded.pieces += 1
                    case "response.reasoning_summary_text.delta" | "response.reasoning_text.delta":
                        decoded.reasoning += event.delta
                    case "response.completed" | "response.incomplete":
                        final = event.response
                    case "response.failed":
                        raise InStream(f"{event.response.error.code}: {event.response.error.message}")
                    case "error":
                        raise InStream(f"{event.code}: {event.message}")
        if final is None:
            raise Differs("the stream ended without a final response")
        last = read(final)
        same("the final response's text", last.text, decoded.text)
        same("the final response's reasoning", last.reasoning, decoded.reasoning)
        last.pieces = decoded.pieces
        return last

    def raw(self, question: Question):
        """Yields the events of the stream. Each must fit the types of the package."""
        for event in self.client(question).responses.create(stream=True, **written(question)):
            strict(event)
            yield event

    def whole(self, question: Question) -> Decoded:
        response = self.client(question).responses.create(**written(question))
        strict(response)
        return read(response)


def read(response) -> Decoded:
    calls = [item for item in response.output if item.type == "function_call"]
    thoughts = [item for item in response.output if item.type == "reasoning"]
    reasoning = "".join(part.text for item in thoughts for part in [*item.summary, *(item.content or [])])
    finish = "length" if response.status == "incomplete" else "tool_calls" if calls else "stop"
    if response.status == "incomplete":
        same("incomplete_details", response.incomplete_details.reason, "max_output_tokens")
    usage = response.usage
    return Decoded(
        text=response.output_text, reasoning=reasoning,
        calls=[(call.name, json.loads(call.arguments)) for call in calls], ids=[call.call_id for call in calls],
        finish=finish, usage={
            "input_tokens": usage.input_tokens, "output_tokens": usage.output_tokens,
            "total_tokens": usage.total_tokens, "reasoning_tokens": usage.output_tokens_details.reasoning_tokens})
