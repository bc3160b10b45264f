"""The client of the package huggingface_hub for the native endpoints of text-generation-inference."""

import httpx2
from huggingface_hub import InferenceClient
from huggingface_hub.errors import HfHubHTTPError, TextGenerationError
from huggingface_hub.inference._common import GenerationError, OverloadedError, ValidationError

from asking import Decoded, Peer, Question
from cases import same

FINISH = {"eos_token": "stop", "stop_sequence": "stop", "length": "length"}


class HuggingFaceText(Peer):
    package, dialect = "huggingface_hub", "tgi"
    reasons = calls_tools = converses = False
    statuses = {400: ValidationError, 401: HfHubHTTPError, 403: HfHubHTTPError, 404: HfHubHTTPError,
                422: ValidationError, 429: HfHubHTTPError, 500: GenerationError, 503: OverloadedError}
    in_stream = (TextGenerationError,)
    cut = (httpx2.TransportError,)

    def client(self, question: Question) -> InferenceClient:
        return InferenceClient(token=question.key, timeout=30, headers=question.headers)

    def stream(self, question: Question) -> Decoded:
        decoded, whole = Decoded(), None
        # The client must outlive its stream: it closes its connections when it is collected.
        client = self.client(question)
        for part in client.text_generation(
                question.messages[0]["content"], model=self.origin + "/generate_stream", stream=True, details=True,
                max_new_tokens=question.max_tokens):
            if not part.token.special:
                decoded.text += part.token.text
                decoded.pieces += 1
            if part.details:
                decoded.finish = FINISH.get(part.details.finish_reason, part.details.finish_reason)
                decoded.usage = {"output_tokens": part.details.generated_tokens}
            whole = part.generated_text or whole
        same("generated_text", whole, decoded.text)
        return decoded

    def whole(self, question: Question) -> Decoded:
        output = self.client(question).text_generation(
            question.messages[0]["content"], model=self.origin + "/generate", details=True,
            max_new_tokens=question.max_tokens)
        return Decoded(text=output.generated_text,
                       finish=FINISH.get(output.details.finish_reason, output.details.finish_reason),
                       usage={"output_tokens": output.details.generated_tokens})

    @staticmethod
    def status(error: Exception) -> int | None:
        return (error if isinstance(error, HfHubHTTPError) else error.__cause__).response.status_code

    @staticmethod
    def message(error: Exception) -> str:
        return f"{error} {error.response.text}" if isinstance(error, HfHubHTTPError) else str(error)
