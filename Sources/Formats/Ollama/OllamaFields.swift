// Paths of lines of /api/chat and /api/generate, as OllamaDecoder reads them. FrameFieldsTests compares the two.

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
