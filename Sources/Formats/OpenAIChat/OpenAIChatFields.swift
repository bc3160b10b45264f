// Paths of Chat Completions chunks and legacy completions that OpenAIChatDecoder reads. FrameFieldsTests checks them
// against it.

extension FrameFields {
    /// Containers of output: deltas, messages, and either inside a delta.
    private static let containers = ["choices[].(delta|message)", "choices[].delta.(message|delta)"]
    /// Forms of text: a string, parts, or an object.
    private static let forms = ["", "[]", ".(text|content|value)", "[].(text|content|value)"]
    private static let reasoningNames = "(reasoning_content|reasoning|reasoning_text|thinking)"

    /// The paths with each of `ends` in each container.
    private static func inContainers(_ ends: [String]) -> [String] {
        containers.flatMap { container in ends.map { container + $0 } }
    }

    static let openAIChat = FrameFields([
        (
            .reasoning,
            inContainers(
                forms.map { ".\(reasoningNames)\($0)" }
                    + ["", "[]"].flatMap { part in
                        ["", "[]", ".text", "[].text"].map {
                            ".(content|text)\(part).(thinking|reasoning|reasoning_content|reasoning_text|summary)\($0)"
                        } + [
                            ".(content|text)\(part){type=thinking*|reasoning*|summary*|thought}.(text|content|value)",
                            ".(content|text)\(part){thought=true}.(text|content|value)",
                        ]
                    }) + forms.map { "choices[].\(reasoningNames)\($0)" }
        ),
        (
            .text,
            inContainers(forms.map { ".(content|text)\($0)" } + ["", "[]", "[].(text|content|value)"])
                + inContainers([".audio.transcript"]) + forms.map { "choices[].text\($0)" }
        ),
        (.refusal, inContainers([".refusal", ".(content|text)[].refusal"])),
        (
            .call,
            inContainers([
                ".tool_calls[].function.(name|arguments)", ".tool_calls[].(id|index|type)",
                ".function_call.(name|arguments)",
            ])
        ),
        (
            .native,
            inContainers([".(reasoning_details|annotations|executed_tools|images|audio|thinking_blocks).**"]) + [
                "(citations|search_results|related_questions|videos|images).**", "choices[].logprobs.**",
                "choices[].content_filter_results.**", "prompt_filter_results.**",
            ]
        ),
        (.usage, ["usage.**", "x_groq.usage.**", "choices[].usage.**"]),
        (.finish, ["choices[].finish_reason"] + inContainers([".finish_reason"])),
        (.name, ["id", "model"]),
        (.error, ["error.**", "choices[].error.**", "x_groq.error.**"]),
        (
            .ignored,
            [
                "object", "created", "choices[].index", "choices[].native_finish_reason", "system_fingerprint",
                "service_tier", "provider", "obfuscation", "p",
            ] + inContainers([".(role|channel)"])
        ),
        // Arrays and objects that the format does not define.
        (
            .passedOn,
            inContainers([".(!message|delta)[].**", ".(!message|delta).*.**"]) + [
                "choices[].(!delta|message)[].**", "choices[].(!delta|message).*.**", "(!choices)[].**",
                "(!choices).*.**",
            ]
        ),
    ])
}
