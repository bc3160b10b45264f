// Why a model stopped.

/// Why a model stopped, in the common vocabulary.
public enum FinishReason: String, Codable, Sendable {
    /// A natural end, or a stop sequence.
    case stop
    /// The token limit was reached.
    case length
    /// The model waits for tool results.
    case toolCalls = "tool_calls"
    /// The provider withheld the rest.
    case contentFilter = "content_filter"
    /// The script stopped the stream.
    case cancelled
    /// Any other reason. An unknown reason is never mapped to `stop`.
    case other
}
