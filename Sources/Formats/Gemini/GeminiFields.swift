// Paths of generateContent chunks, as GeminiDecoder reads them. FrameFieldsTests compares the two.

extension FrameFields {
    static let gemini = FrameFields([
        (.reasoning, ["candidates[].content.parts[]{thought=true}.text"]),
        (.text, ["candidates[].content.parts[].text"]),
        (.finish, ["promptFeedback.(blockReason|blockReasonMessage)"]),
        (
            .call,
            [
                "candidates[].content.parts[].functionCall.(id|name)",
                "candidates[].content.parts[].functionCall.args.**",
                "candidates[].content.parts[].functionCall.partialArgs.**",
                "candidates[].content.parts[].functionCall.willContinue",
            ]
        ),
        (
            .native,
            [
                "candidates[].content.parts[].thoughtSignature",
                "candidates[].content.parts[].(inlineData|fileData|executableCode|codeExecutionResult).**",
                "candidates[].content.parts[].(toolCall|toolResponse|functionResponse|videoMetadata).**",
                "candidates[].(groundingMetadata|citationMetadata|urlContextMetadata|urlRetrievalMetadata).**",
                "candidates[].(groundingAttributions|safetyRatings|logprobsResult|avgLogprobs).**", "modelStatus.**",
                "promptFeedback.**",
            ]
        ),
        (.usage, ["usageMetadata.**"]),
        (.finish, ["candidates[].(finishReason|finishMessage)"]),
        (.name, ["responseId", "modelVersion"]),
        (.error, ["error.**"]),
        (
            .ignored,
            [
                "candidates[].index", "candidates[].content.role", "candidates[].content.parts[].thought",
                "candidates[].tokenCount",
                "createTime",
            ]
        ),
    ])
}
