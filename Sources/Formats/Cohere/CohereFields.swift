// Paths of Cohere chat events, versions 1 and 2, as CohereDecoder reads them. FrameFieldsTests compares the two.

extension FrameFields {
    static let cohere = FrameFields(
        isTyped: true,
        [
            (
                .text,
                [
                    "{type=content-delta|content-start}.delta.message.content.text", "message.content[].text",
                    "{event_type=text-generation}.text", "{generation_id=*}.text", "{response_id=*}.text",
                ]
            ),
            (
                .reasoning,
                ["{type=content-delta|content-start}.delta.message.content.thinking", "message.content[].thinking"]
            ),
            (
                .call,
                [
                    "{type=tool-call-start}.delta.message.tool_calls.(id|type)",
                    "{type=tool-call-start|tool-call-delta}.delta.message.tool_calls.function.(name|arguments)",
                    "message.tool_calls[].(id|type)", "message.tool_calls[].function.(name|arguments)",
                    "{event_type=tool-calls-generation}.tool_calls[].**",
                    "{event_type=stream-end}.response.tool_calls[].**", "{generation_id=*}.tool_calls[].**",
                ]
            ),
            (
                .native,
                [
                    "{type=tool-plan-delta}.delta.message.tool_plan",
                    "{type=citation-start}.delta.message.citations.**",
                    "message.tool_plan", "message.citations.**", "{event_type=citation-generation}.citations.**",
                    "{event_type=search-queries-generation|search-results}.**",
                ]
            ),
            (
                .usage,
                [
                    "{type=message-end}.delta.usage.**", "{event_type=stream-end}.response.meta.**", "usage.**",
                    "meta.**",
                ]
            ),
            (
                .finish,
                [
                    "{type=message-end}.delta.finish_reason", "{event_type=stream-end}.finish_reason",
                    "{event_type=stream-end}.response.finish_reason", "finish_reason",
                ]
            ),
            (.name, ["id", "{event_type=stream-start}.generation_id", "response.response_id"]),
            (.error, ["error.**", "{type=message-end}.delta.error.**", "response.error.**"]),
            (.end, ["{type=message-end}.type", "{event_type=stream-end}.event_type"]),
            (
                .ignored,
                [
                    "{type=message-start}.delta.message.**", "type", "index", "event_type", "is_finished",
                    "generation_id", "delta.message.role", "message.role",
                    "delta.message.content.type", "message.content[].type",
                    // A copy of the whole reply.
                    "{event_type=stream-end}.response.(text|chat_history|generation_id|citations|documents).**",
                    "{event_type=stream-end}.response.(search_queries|search_results).**", "chat_history.**",
                ]
            ),
        ])
}
