// Paths of Responses events that OpenAIResponsesDecoder reads. FrameFieldsTests checks them against it.

extension FrameFields {
    private static let ends =
        "{type=response.completed|response.incomplete|response.failed|response.cancelled|response.done}.response"

    static let openAIResponses = FrameFields(
        isTyped: true,
        [
            (
                .text,
                [
                    "{type=response.output_text.delta}.delta", "{type=response.output_text.delta}.delta.text",
                    "{type=response.output_text.done}.text",
                    "{type=response.content_part.done}.part{type=output_text}.text",
                    "{type=response.output_item.done}.item{type=message}.content[]{type=output_text}.text",
                    "\(ends).output[]{type=message}.content[]{type=output_text}.text",
                    "{object=response}.output[]{type=message}.content[]{type=output_text}.text",
                ]
            ),
            (
                .reasoning,
                [
                    "{type=response.reasoning_summary_text.delta|response.reasoning_text.delta}.delta",
                    "{type=response.reasoning.delta|response.reasoning_summary.delta}.delta",
                    "{type=response.reasoning_summary_text.done|response.reasoning_text.done}.text",
                    "{type=response.reasoning.done|response.reasoning_summary.done}.text",
                    "{type=response.reasoning_summary_part.done}.part{type=summary_text}.text",
                    "{type=response.content_part.done}.part{type=reasoning_text}.text",
                    "{type=response.output_item.done}.item{type=reasoning}.summary[]{type=summary_text}.text",
                    "{type=response.output_item.done}.item{type=reasoning}.content[]{type=reasoning_text}.text",
                    "\(ends).output[]{type=reasoning}.summary[]{type=summary_text}.text",
                    "\(ends).output[]{type=reasoning}.content[]{type=reasoning_text}.text",
                ]
            ),
            (
                .refusal,
                [
                    "{type=response.refusal.delta}.delta", "{type=response.refusal.done}.refusal",
                    "{type=response.content_part.done}.part{type=refusal}.refusal",
                    "{type=response.output_item.done}.item{type=message}.content[]{type=refusal}.refusal",
                    "\(ends).output[]{type=message}.content[]{type=refusal}.refusal",
                ]
            ),
            (
                .call,
                [
                    "{type=response.function_call_arguments.delta|response.custom_tool_call_input.delta}.delta",
                    "{type=response.function_call_arguments.done}.arguments",
                    "{type=response.custom_tool_call_input.done}.input",
                    "{type=response.output_item.added}.item{type=function_call|custom_tool_call}.(id|call_id|name)",
                    "{type=response.output_item.added}.item{type=function_call|custom_tool_call}.(arguments|input)",
                    "{type=response.output_item.done}.item{type=function_call|custom_tool_call}.(id|call_id|name)",
                    "{type=response.output_item.done}.item{type=function_call|custom_tool_call}.(arguments|input)",
                    "\(ends).output[]{type=function_call|custom_tool_call}.(id|call_id|name|arguments|input)",
                ]
            ),
            (
                .native,
                [
                    "{type=response.output_item.done}.item{type!=message|reasoning|function_call|custom_tool_call}.**",
                    "{type=response.output_text.annotation.added}.annotation.**",
                    "{type=response.output_item.done}.item.content[].annotations.**",
                    "{type=response.image_generation_call.partial_image}.**",
                    "{type=response.output_item.done}.item.encrypted_content",
                ]
            ),
            (.usage, ["\(ends).usage.**", "{object=response}.usage.**"]),
            (
                .finish,
                ["\(ends).status", "\(ends).incomplete_details.**", "{object=response}.(status|incomplete_details).**"]
            ),
            (.name, ["response.(id|model)", "{object=response}.(id|model)"]),
            (.error, ["error.**", "response.error.**"]),
            (
                .end,
                ["{type=response.completed|response.incomplete|response.failed|response.cancelled|response.done}.type"]
            ),
            (
                .ignored,
                [
                    "type", "sequence_number", "item_id", "output_index", "content_index", "summary_index",
                    "obfuscation",
                    "logprobs.**", "{type=response.output_item.added}.item.**",
                    "{type=response.output_item.done}.item.(id|type|status|role|phase|format|namespace)",
                    "{type=response.output_item.done}.item.content[].(type|logprobs).**",
                    "{type=response.output_item.done}.item.summary[].type",
                    "{type=response.content_part.added}.part.**",
                    "{type=response.content_part.done}.part.(type|annotations|logprobs).**",
                    "{type=response.reasoning_summary_part.added}.part.**",
                    "{type=response.reasoning_summary_part.done}.part.type",
                    // The final response repeats the items; other events repeat the request.
                    "response.output[].**", "{type=response.created|response.in_progress|response.queued}.response.**",
                    "response.(instructions|tools|tool_choice|text|reasoning|metadata|truncation|object|created_at).**",
                    // The request's prompt template with its variables.
                    "response.prompt.**", "{object=response}.prompt.**",
                    "response.(safety_identifier|prompt_cache_key|prompt_cache_retention|service_tier|store).**",
                    "response.(content_filters|previous_response_id|max_output_tokens|parallel_tool_calls).**",
                    "{object=response}.(instructions|tools|tool_choice|text|reasoning|metadata|truncation|object).**",
                    "{type=response.mcp_*|response.web_search_call*|response.file_search_call*}.**",
                    "{type=response.code_interpreter_call*|response.image_generation_call*}.**",
                    "{type=response.apply_patch_call*|response.shell_call*|response.local_shell_call*}.**",
                    "{type=response.computer_call*|response.custom_tool_call*|response.function_call*}.**",
                    "{type=response.keepalive|response.heartbeat|keepalive}.**",
                ]
            ),
        ])
}
