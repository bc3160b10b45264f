// Paths of Messages events that AnthropicMessagesDecoder reads. FrameFieldsTests checks them against it.

extension FrameFields {
    static let anthropicMessages = FrameFields(
        isTyped: true,
        [
            (
                .text,
                [
                    "{type=content_block_start}.content_block{type?=text}.text",
                    "{type=content_block_delta}.delta{type?=text_delta}.text",
                    "{type=message_start}.message.content[]{type?=text}.text",
                    "{type=message}.content[]{type?=text}.text",
                ]
            ),
            (
                .reasoning,
                [
                    "{type=content_block_start}.content_block{type=thinking}.thinking",
                    "{type=content_block_delta}.delta{type?=thinking_delta}.thinking",
                    "{type=message_start}.message.content[]{type=thinking}.thinking",
                    "{type=message}.content[]{type=thinking}.thinking",
                ]
            ),
            (
                .call,
                [
                    "{type=content_block_start}.content_block{type=tool_use}.(id|name)",
                    "{type=content_block_start}.content_block{type=tool_use}.input.**",
                    "{type=content_block_delta}.delta{type?=input_json_delta}.partial_json",
                    "{type=message_start}.message.content[]{type=tool_use}.(id|name)",
                    "{type=message_start}.message.content[]{type=tool_use}.input.**",
                    "{type=message}.content[]{type=tool_use}.(id|name)",
                    "{type=message}.content[]{type=tool_use}.input.**",
                ]
            ),
            (
                .native,
                [
                    "{type=content_block_start}.content_block{type!=text|thinking|tool_use}.**",
                    "{type=content_block_start}.content_block.(signature|citations).**",
                    "{type=content_block_delta}.delta{type?=signature_delta}.signature",
                    "{type=content_block_delta}.delta{type?=citations_delta}.citation.**",
                    "{type=content_block_delta}.delta{type=compaction_delta}.(content|encrypted_content)",
                    "{type=message_start}.message.content[]{type!=text|thinking|tool_use}.**",
                    "{type=message}.content[]{type!=text|thinking|tool_use}.**",
                    "{type=message_delta}.context_management.**",
                    "{type=message_delta}.delta.context_management.**",
                    "{type=message_delta}.delta.container.**", "{type=message_start}.message.container.**",
                ]
            ),
            (
                .usage,
                ["{type=message_delta}.usage.**", "{type=message_start}.message.usage.**", "{type=message}.usage.**"]
            ),
            (
                .finish,
                [
                    "{type=message_delta}.delta.stop_reason", "{type=message_delta}.delta.stop_sequence",
                    "{type=message_delta}.delta.stop_details.**", "{type=message_start}.message.stop_reason",
                    "{type=message_start}.message.stop_sequence", "{type=message_start}.message.stop_details.**",
                    "{type=message}.stop_reason", "{type=message}.stop_sequence", "{type=message}.stop_details.**",
                ]
            ),
            (.name, ["{type=message_start}.message.(id|model)", "{type=message}.(id|model)"]),
            (.error, ["error.**"]),
            (.end, ["{type=message_stop}.type"]),
            (.ignored, ["type", "index", "content_block.type", "delta.type", "message.(type|role)", "{type=ping}.**"]),
        ])
}
