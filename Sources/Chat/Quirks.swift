// Differences between the providers of one wire format.

/// Differences of a provider from its wire format.
public struct Quirks: Codable, Hashable, Sendable {
    private enum CodingKeys: String, CodingKey {
        case usage, continuation
        case continuationBaseURL = "continuation_base_url"
        case keyField = "key_field"
        case lengthField = "length_field"
        case thinking
        case reasoningEcho = "reasoning_echo"
        case takesThinkingParts = "takes_thinking_parts"
        case takesSchema = "takes_schema"
        case thinkTags = "think_tags"
    }

    /// How a stream is asked to report usage.
    public enum UsageRequest: String, CaseIterable, Codable, Sendable {
        case streamOptions = "stream_options"
        case none
    }
    /// How the rest of a cut reply is requested (`after_output = "continue"`).
    public enum Continuation: String, CaseIterable, Codable, Sendable {
        /// The provider cannot continue a partial reply.
        case none
        /// A final assistant message, continued by default (OpenRouter, Groq, llama.cpp, ...).
        case prefill
        /// A final assistant message with `"prefix": true` (DeepSeek beta, Mistral).
        case prefixFlag = "prefix_flag"
        /// A final assistant message with `"partial": true` (Moonshot, Qwen).
        case partialFlag = "partial_flag"
        /// A final assistant message, with `continue_final_message` set in the body (vLLM, SGLang).
        case bodyFlag = "body_flag"
    }
    /// The header field that carries the key.
    public enum KeyField: Hashable, Sendable {
        /// `Authorization: Bearer KEY` (RFC 6750 section 2.1).
        case bearer
        /// A field with this name and the key as its value.
        case header(String)
    }
    /// The name of the field that bounds the length of the reply, in Chat Completions.
    public enum LengthField: String, CaseIterable, Codable, Sendable {
        case maxTokens = "max_tokens"
        /// The only name that OpenAI's reasoning models accept.
        case maxCompletionTokens = "max_completion_tokens"
    }
    /// How thinking is turned on and off, in Chat Completions.
    public enum ThinkingSwitch: String, CaseIterable, Codable, Sendable {
        /// `reasoning_effort`, "none" for off (OpenAI, Groq, Ollama, ...).
        case effort
        /// `thinking = {type = "enabled" | "disabled"}` (DeepSeek, Zhipu, Moonshot).
        case type
        /// `enable_thinking` and `thinking_budget` (Qwen, SiliconFlow).
        case flag
        /// `chat_template_kwargs = {enable_thinking = ...}` (vLLM, llama.cpp).
        case template
        /// `reasoning = {enabled, max_tokens, effort}` (OpenRouter).
        case reasoning
    }
    /// Which reasoning of earlier assistant messages is sent, in Chat Completions.
    public enum ReasoningEcho: String, CaseIterable, Codable, Sendable {
        /// All of it, unchanged (OpenRouter, Moonshot, vLLM, ...).
        case keep
        /// None: the provider rejects unknown members (OpenAI, Groq).
        case drop
        /// Reasoning that came as parts of the content (Mistral).
        case parts
        /// That of turns with tool calls, as `reasoning_content` (DeepSeek).
        case toolLoop = "tool_loop"
    }

    /// Meaning of `<think>...</think>` in the text of a reply.
    public enum ThinkTags: String, CaseIterable, Codable, Sendable {
        /// It is text.
        case off
        /// It is reasoning at the beginning of the text, and text elsewhere.
        case on
        /// The reply begins inside the reasoning, which ends at a lone `</think>`: the chat template puts `<think>` into the
        /// prompt (DeepSeek R1, QwQ; reasoning parsers of vLLM and SGLang). Without `</think>` all of it is reasoning.
        case open
    }

    /// Whether `stream_options.include_usage` is sent.
    public var usage: UsageRequest
    /// How the rest of a cut reply is requested.
    public var continuation: Continuation
    /// The root for continuations alone (DeepSeek's beta). Used only if the endpoint's root has the same origin, so that a key
    /// is never sent to another one.
    public var continuationBaseURL: String?
    /// The header field that carries the key; nil for that of the format.
    public var keyField: KeyField?
    /// The name of `max_tokens`.
    public var lengthField: LengthField
    /// How thinking is requested.
    public var thinking: ThinkingSwitch
    /// Which reasoning is sent back.
    public var reasoningEcho: ReasoningEcho
    /// Whether content may have parts of type `thinking`. Unknown servers get back the parts that they sent. Of the known
    /// ones only Mistral has them (Mistral API reference, `ThinkChunk`).
    public var takesThinkingParts = true
    /// Whether `response_format` accepts a schema.
    public var takesSchema: Bool
    /// How think tags are read.
    public var thinkTags: ThinkTags

    /// The given quirks.
    public init(
        usage: UsageRequest = .streamOptions, continuation: Continuation = .none, continuationBaseURL: String? = nil,
        keyField: KeyField? = nil, lengthField: LengthField = .maxTokens, thinking: ThinkingSwitch = .effort,
        reasoningEcho: ReasoningEcho = .keep, takesSchema: Bool = true, thinkTags: ThinkTags = .on
    ) {
        self.usage = usage
        self.continuation = continuation
        self.continuationBaseURL = continuationBaseURL
        self.keyField = keyField
        self.lengthField = lengthField
        self.thinking = thinking
        self.reasoningEcho = reasoningEcho
        self.takesSchema = takesSchema
        self.thinkTags = thinkTags
    }
}
