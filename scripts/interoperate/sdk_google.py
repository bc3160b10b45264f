"""The client of the package google-genai for Gemini."""

import httpx
import httpx2
from google import genai
from google.genai import errors, types

from asking import Decoded, Peer, Question
from cases import same

FINISH = {"STOP": "stop", "MAX_TOKENS": "length"}


class Google(Peer):
    package, dialect = "google-genai", "gemini"
    thinking = {"thinking": True}
    has_ids = False
    statuses = {400: errors.ClientError, 401: errors.ClientError, 403: errors.ClientError, 404: errors.ClientError,
                429: errors.ClientError, 500: errors.ServerError, 503: errors.ServerError}
    codes = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND",
             429: "RESOURCE_EXHAUSTED", 500: "INTERNAL", 503: "UNAVAILABLE"}
    in_stream = (errors.APIError,)
    cut = (httpx.TransportError, httpx2.TransportError)

    def client(self, question: Question, **kwargs) -> genai.Client:
        return genai.Client(api_key=question.key, http_options=types.HttpOptions(
            base_url=self.origin, api_version="v1beta", headers=question.headers, timeout=30_000,
            retry_options=types.HttpRetryOptions(attempts=1), **kwargs))

    @staticmethod
    def written(question: Question) -> dict:
        contents = []
        for message in question.messages:
            if message["role"] == "tool":
                part = types.Part.from_function_response(name=message["name"], response={"result": message["content"]})
                contents.append(types.Content(role="user", parts=[part]))
            elif calls := message.get("tool_calls"):
                contents.append(types.Content(role="model", parts=[
                    types.Part.from_function_call(name=call["name"], args=call["arguments"]) for call in calls]))
            else:
                role = "model" if message["role"] == "assistant" else "user"
                contents.append(types.Content(role=role, parts=[types.Part.from_text(text=message["content"])]))
        config = types.GenerateContentConfig(
            system_instruction=question.system, max_output_tokens=question.max_tokens,
            automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True))
        if question.tools:
            config.tools = [types.Tool(function_declarations=[
                types.FunctionDeclaration(name=tool["name"], description=tool["description"],
                                          parameters_json_schema=tool["parameters"]) for tool in question.tools])]
        if question.thinking:
            config.thinking_config = types.ThinkingConfig(include_thoughts=True)
        return {"model": question.model, "contents": contents, "config": config}

    def stream(self, question: Question) -> Decoded:
        decoded = Decoded()
        # The client must outlive its stream: it closes its connections when it is collected.
        client = self.client(question)
        for chunk in client.models.generate_content_stream(**self.written(question)):
            before = decoded.text
            self.add(chunk, decoded)
            decoded.pieces += decoded.text != before
        return self.ended(decoded)

    def whole(self, question: Question) -> Decoded:
        decoded = Decoded()
        client = self.client(question)
        self.add(client.models.generate_content(**self.written(question)), decoded)
        return self.ended(decoded)

    @staticmethod
    def add(chunk, decoded: Decoded):
        for candidate in (chunk.candidates or [])[:1]:
            for part in (candidate.content.parts if candidate.content else None) or []:
                if part.function_call:
                    decoded.calls.append((part.function_call.name, part.function_call.args))
                elif part.thought:
                    decoded.reasoning += part.text or ""
                else:
                    decoded.text += part.text or ""
            if candidate.finish_reason:
                decoded.finish = candidate.finish_reason.name
        if told := chunk.usage_metadata:
            # Gemini counts thoughts separately, and for Gemini so do we.
            decoded.usage = {"input_tokens": told.prompt_token_count, "total_tokens": told.total_token_count,
                             "output_tokens": told.candidates_token_count or 0}

    @staticmethod
    def ended(decoded: Decoded) -> Decoded:
        decoded.finish = FINISH.get(decoded.finish, decoded.finish)
        if decoded.calls:
            same("finishReason with calls", decoded.finish, "stop")
            decoded.finish = "tool_calls"
        return decoded

    @staticmethod
    def status(error: Exception) -> int | None:
        return error.code

    @staticmethod
    def code(error: Exception) -> str | None:
        return error.status
