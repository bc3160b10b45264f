// Where providers of one wire format differ.

/// Where providers of one dialect differ. Data, not code: each member says who needs it.
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
    /// How `after_output = "continue"` asks for the rest, if the provider can.
    public enum Continuation: String, CaseIterable, Codable, Sendable {
        /// The provider cannot go on from a partial reply.
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
        /// A field of that name, holding the key alone.
        case header(String)
    }
    /// The name of the field that bounds the reply's length, in Chat Completions.
    public enum LengthField: String, CaseIterable, Codable, Sendable {
        case maxTokens = "max_tokens"
        /// OpenAI's reasoning models take this name alone.
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
    /// What becomes of the reasoning in an assistant's earlier messages, in Chat Completions.
    public enum ReasoningEcho: String, CaseIterable, Codable, Sendable {
        /// It goes back as it came (OpenRouter, Moonshot, vLLM, ...).
        case keep
        /// It is left out: the provider refuses members it does not know (OpenAI, Groq).
        case drop
        /// It goes back where it came as parts of the content, and is left out where it came otherwise (Mistral).
        case parts
        /// It goes back, as `reasoning_content`, with every turn in which the model called tools, and is left out of all
        /// others (DeepSeek).
        case toolLoop = "tool_loop"
    }

    /// What `<think>...</think>` in a reply's text means.
    public enum ThinkTags: String, CaseIterable, Codable, Sendable {
        /// Nothing: it is text.
        case off
        /// At the beginning of the text it is reasoning.
        case on
        /// The text begins inside the reasoning, up to a lone `</think>`: chat templates that put `<think>` into the prompt
        /// (DeepSeek R1, QwQ; see vLLM's and SGLang's reasoning parsers). Without `</think>` all of it is reasoning.
        case open
    }

    /// Whether `stream_options.include_usage` is sent.
    public var usage: UsageRequest
    /// How a reply is continued.
    public var continuation: Continuation
    /// The root that continuations alone go to (DeepSeek's beta). Used only where the endpoint's own root has the same
    /// origin: a client that was pointed elsewhere sends its key nowhere else.
    public var continuationBaseURL: String?
    /// Which field carries the key; nil for the dialect's own.
    public var keyField: KeyField?
    /// What `max_tokens` is called.
    public var lengthField: LengthField
    /// How thinking is asked for.
    public var thinking: ThinkingSwitch
    /// Whether reasoning goes back.
    public var reasoningEcho: ReasoningEcho
    /// Whether reasoning may stand in the content as parts of type `thinking`. Servers of unknown kind get them back as
    /// they sent them; of the known ones Mistral alone has such parts (Mistral API reference, `ThinkChunk`).
    public var takesThinkingParts = true
    /// Whether `response_format` takes a schema.
    public var takesSchema: Bool
    /// Whether reasoning comes in tags.
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
