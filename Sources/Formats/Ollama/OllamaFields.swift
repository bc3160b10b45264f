// The places of Ollama's lines, of `/api/chat` and `/api/generate`, as OllamaDecoder reads them. A reading that is added
// there is added here: FrameFieldsTests holds the two together.

extension FrameFields {
    static let ollama = FrameFields([
        (.text, ["message.content", "response"]),
        (.reasoning, ["message.thinking", "thinking"]),
        (
            .call,
            [
                "message.tool_calls[].function.name", "message.tool_calls[].function.(id|index)",
                "message.tool_calls[].function.arguments.**", "message.tool_calls[].id",
            ]
        ),
        (.native, ["logprobs.**", "context.**", "remote_model", "remote_host", "message.images.**"]),
        (.usage, ["prompt_eval_count", "eval_count"]),
        (.finish, ["done_reason"]),
        (.name, ["model"]),
        (.error, ["error.**"]),
        (.end, ["done"]),
        (
            .ignored,
            [
                "created_at", "message.role", "total_duration", "load_duration", "prompt_eval_duration",
                "eval_duration",
            ]
        ),
    ])
}
