// The parts of a model's reply, as values that every dialect decodes into.

public import Wire

/// Why a model stopped, in the one vocabulary that scripts see.
public enum FinishReason: String, Sendable {
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
    /// Anything else; an unknown reason is never called `stop`.
    case other
}

/// A tool call, whole.
public struct ToolCall: Sendable, Equatable {
    /// The provider's id for the call, or one made here (`LocalCallIDs`) where it sends none.
    public var id: String
    /// The tool's name.
    public var name: String
    /// The arguments as the provider sent them (UTF-8 JSON text; empty means `{}`).
    public var argumentsJSON: String
    /// The arguments decoded; nil where the text is not whole JSON (a reply cut by its token limit).
    public var arguments: JSONValue?

    /// A call of the given parts.
    public init(id: String, name: String, argumentsJSON: String, arguments: JSONValue?) {
        self.id = id
        self.name = name
        self.argumentsJSON = argumentsJSON
        self.arguments = arguments
    }
}

/// Token counts. A count the provider did not report is nil, not zero.
public struct Usage: Sendable, Equatable {
    /// Tokens of the prompt.
    public var inputTokens: Int?
    /// Tokens of the reply. Most providers count the reasoning among them, Gemini does not.
    public var outputTokens: Int?
    /// Tokens of the reasoning alone.
    public var reasoningTokens: Int?
    /// Prompt tokens served from the provider's cache.
    public var cachedTokens: Int?
    /// Prompt tokens that the provider has put into its cache, where it reports (and charges) them.
    public var cacheWriteTokens: Int?
    /// Whether the two counts of the cache are no part of `inputTokens`, as Anthropic counts.
    public var countsCacheApart = false
    /// Input and output together.
    public var totalTokens: Int?
    /// What the provider says that the reply cost, in US dollars.
    public var cost: Double?
    /// True when counted here because the provider's numbers never came.
    public var estimated = false

    /// No counts.
    public init() {}

    /// Tokens that the model has read, those of the cache among them.
    public var readTokens: Int? {
        guard countsCacheApart else { return inputTokens }
        return WireNumber.sum(inputTokens ?? 0, cachedTokens ?? 0, cacheWriteTokens ?? 0)
    }

    /// Tokens that the model has written, the reasoning among them: where that is counted apart, the total tells.
    public var writtenTokens: Int? {
        guard let outputTokens, let totalTokens, let readTokens else { return outputTokens }
        return max(outputTokens, totalTokens - readTokens)
    }
}
