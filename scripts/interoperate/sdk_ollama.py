"""The client of the package ollama for its native chat endpoint."""

import httpx
import ollama

from asking import Decoded, Peer, Question, chat_messages, schema

FINISH = {"stop": "stop", "length": "length"}


class Ollama(Peer):
    package, dialect = "ollama", "ollama"
    thinking = {"thinking": True}
    # The package has no member for the ids that newer servers send.
    has_ids = False
    statuses = dict.fromkeys((400, 401, 403, 404, 429, 500, 503), ollama.ResponseError)
    in_stream = (ollama.ResponseError,)
    cut = (httpx.TransportError,)

    def client(self, question: Question) -> ollama.Client:
        return ollama.Client(host=self.origin, timeout=30,
                             headers={"Authorization": f"Bearer {question.key}"} | question.headers)

    @staticmethod
    def written(question: Question) -> dict:
        messages = chat_messages(question, arguments=lambda call: call["arguments"])
        for message, original in zip(messages[bool(question.system):], question.messages):
            message.pop("tool_call_id", None)
            if message["role"] == "tool":
                message["tool_name"] = original["name"]
            for call in message.get("tool_calls", []):
                del call["id"], call["type"]
        chosen = {"model": question.model, "messages": messages}
        if question.tools:
            chosen["tools"] = [schema(tool) for tool in question.tools]
        if question.max_tokens:
            chosen["options"] = {"num_predict": question.max_tokens}
        if question.thinking:
            chosen["think"] = True
        return chosen

    def stream(self, question: Question) -> Decoded:
        decoded = Decoded()
        client = self.client(question)
        for part in client.chat(stream=True, **self.written(question)):
            decoded.pieces += bool(part.message.content)
            self.add(part, decoded)
        return decoded

    def whole(self, question: Question) -> Decoded:
        decoded = Decoded()
        self.add(self.client(question).chat(**self.written(question)), decoded)
        return decoded

    @staticmethod
    def add(part, decoded: Decoded):
        decoded.text += part.message.content or ""
        decoded.reasoning += part.message.thinking or ""
        decoded.calls += [(call.function.name, dict(call.function.arguments))
                          for call in part.message.tool_calls or []]
        if part.done:
            decoded.finish = "tool_calls" if decoded.calls else FINISH.get(part.done_reason, part.done_reason)
            decoded.usage = {"input_tokens": part.prompt_eval_count, "output_tokens": part.eval_count}
