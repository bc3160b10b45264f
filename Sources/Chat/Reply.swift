// A model's reply.

public import JSON

/// A model's reply.
public struct Reply: Codable, Hashable, Sendable {
    private enum CodingKeys: String, CodingKey {
        case text, reasoning
        case toolCalls = "tool_calls"
        case nativeCalls = "native_calls"
        case finishReason = "finish_reason"
        case finishReasonRaw = "finish_reason_raw"
        case usage, model, id, provider, attempts
        case firstTokenTime = "first_token_time"
        case totalTime = "total_time"
        case serverTimings = "server_timings"
        case message, refusal
        case finishMessage = "finish_message"
        case isCached = "cached"
    }

    /// The text.
    public var text: String
    /// The reasoning; empty if the provider shows none.
    public var reasoning: String
    /// The tool calls in order. Empty in a partial reply: an incomplete call must never be run.
    public var toolCalls: [ToolCall]
    /// Calls in the provider's own form that the client must answer (`computer_call`, `mcp_approval_request`), unchanged.
    /// Empty in a partial reply.
    public var nativeCalls: [JSONValue] = []
    /// Why it ended; nil in a partial reply.
    public var finishReason: FinishReason?
    /// The reason as the provider sent it.
    public var finishReasonRaw: String?
    /// Token counts; nil if unknown. `Usage.estimated` marks numbers counted here.
    public var usage: Usage?
    /// The model that answered, or the requested one.
    public var model: String
    /// The provider's id of the reply.
    public var id: String?
    /// The provider's name.
    public var provider: String
    /// How many attempts it took.
    public var attempts: Int
    /// Seconds from the request's start to its first output; nil if none came.
    public var firstTokenTime: Double?
    /// Seconds from the request's start to its end.
    public var totalTime: Double
    /// Durations measured by the server, if it reports them.
    public var serverTimings: ServerTimings?
    /// The assistant's message to append to a conversation.
    public var message: JSONValue
    /// The text of a refusal that the provider sends apart from the content.
    public var refusal: String?
    /// The provider's explanation of how the reply ended (Gemini, Anthropic).
    public var finishMessage: String?
    /// Whether a cache answered, without a request to the provider. The counts of `usage` are then those of the recorded reply.
    public var isCached = false

    /// A value with the given parts.
    package init(
        text: String, reasoning: String, toolCalls: [ToolCall], nativeCalls: [JSONValue] = [],
        finishReason: FinishReason? = nil, finishReasonRaw: String? = nil, usage: Usage? = nil, model: String,
        id: String? = nil, provider: String, attempts: Int, firstTokenTime: Double? = nil, totalTime: Double,
        serverTimings: ServerTimings? = nil, message: JSONValue, refusal: String? = nil, finishMessage: String? = nil
    ) {
        self.text = text
        self.reasoning = reasoning
        self.toolCalls = toolCalls
        self.nativeCalls = nativeCalls
        self.finishReason = finishReason
        self.finishReasonRaw = finishReasonRaw
        self.usage = usage
        self.model = model
        self.id = id
        self.provider = provider
        self.attempts = attempts
        self.firstTokenTime = firstTokenTime
        self.totalTime = totalTime
        self.serverTimings = serverTimings
        self.message = message
        self.refusal = refusal
        self.finishMessage = finishMessage
    }
}
