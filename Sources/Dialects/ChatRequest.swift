// What a script asks for, before any dialect has put it on the wire.

public import Wire

/// One request for a model's reply, in the common form.
public struct ChatRequest: Sendable, Equatable {
    /// The model's name, as the provider spells it.
    public var model: String
    /// The system prompt, if any; it stands before `messages`.
    public var system: String?
    /// The conversation: objects with `role` and `content`, in the Chat Completions form.
    public var messages: [JSONValue]
    /// Everything else of the body (`temperature`, `max_tokens`, `tools`, ...), passed on as it is.
    public var parameters: JSONObject
    /// The reply's text so far, when a cut stream is to be continued.
    public var continuing: String?

    /// A request of the given parts.
    public init(
        model: String, system: String? = nil, messages: [JSONValue], parameters: JSONObject = [:],
        continuing: String? = nil
    ) {
        self.model = model
        self.system = system
        self.messages = messages
        self.parameters = parameters
        self.continuing = continuing
    }
}

/// Where a request goes: a preset, as the client's options changed it.
public struct Endpoint: Sendable, Equatable {
    /// The preset's name ("deepseek"), or the host's for a bare base URL.
    public var provider: String
    /// The dialect's name: "openai".
    public var dialect: String
    /// The API's root, without the final slash: "https://api.deepseek.com/v1".
    public var baseURL: String
    /// The NAME of the environment variable with the key; nil where none is needed.
    public var keyVariable: String?
    /// What this provider does differently.
    public var quirks: Quirks
    /// Headers that the client adds to each request.
    public var headers: HTTPHeaders

    /// An endpoint of the given parts.
    public init(
        provider: String, dialect: String = "openai", baseURL: String, keyVariable: String? = nil,
        quirks: Quirks = Quirks(), headers: HTTPHeaders = [:]
    ) {
        self.provider = provider
        self.dialect = dialect
        self.baseURL = baseURL
        self.keyVariable = keyVariable
        self.quirks = quirks
        self.headers = headers
    }
}

/// Where providers of one dialect differ. Data, not code: each member says who needs it.
public struct Quirks: Sendable, Equatable {
    /// How a stream is asked to report usage.
    public enum UsageRequest: Sendable { case streamOptions, none }
    /// How `after_output = "continue"` asks for the rest, if the provider can.
    public enum Continuation: Sendable {
        /// The provider cannot go on from a partial reply.
        case none
        /// A final assistant message, continued by default (OpenRouter, Groq, llama.cpp, ...).
        case prefill
        /// A final assistant message with `"prefix": true` (DeepSeek beta, Mistral).
        case prefixFlag
        /// A final assistant message with `"partial": true` (Moonshot, Qwen).
        case partialFlag
        /// A final assistant message, with `continue_final_message` set in the body (vLLM, SGLang).
        case bodyFlag
    }

    /// Whether `stream_options.include_usage` is sent.
    public var usage: UsageRequest
    /// How a reply is continued.
    public var continuation: Continuation
    /// The root that continuations alone go to (DeepSeek's beta). Used only where the endpoint's own root has the same
    /// origin: a client that was pointed elsewhere sends its key nowhere else.
    public var continuationBaseURL: String?

    /// The given quirks.
    public init(
        usage: UsageRequest = .streamOptions, continuation: Continuation = .none, continuationBaseURL: String? = nil
    ) {
        self.usage = usage
        self.continuation = continuation
        self.continuationBaseURL = continuationBaseURL
    }
}
