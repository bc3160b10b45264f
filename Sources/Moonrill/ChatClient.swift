// Streaming from Swift without a script: requests as AsyncSequences. ChatLoop runs the engine.

public import Chat
internal import Formats
public import HTTP
public import JSON
internal import Journal
public import Logging
internal import Providers
internal import Synchronization

/// Streams replies of a model to async Swift code.
///
/// ```swift
/// let client = try ChatClient(provider: "deepseek", model: "deepseek-reasoner")
/// for try await event in client.stream("Why is the sky blue?") {
///     if case .text(let batch) = event, batch.kind == .text { print(batch.text, terminator: "") }
/// }
/// ```
///
/// Trusted certificates: those of the system, or of the file named by `SSL_CERT_FILE` and the folder named by
/// `SSL_CERT_DIR`.
///
/// A client owns one thread, on which all its requests run until the client is released. Events arrive in batches, with one
/// hop per batch. The buffer for a slow consumer is bounded; a full one pauses the socket.
public final class ChatClient: Sendable {
    private let loop: ChatLoop
    private let endpoint: Endpoint
    private let model: String
    private let timeouts: Timeouts
    private let retry: RetryPolicy
    private let isLimited: Bool
    private let cache: CachePolicy?

    /// A client of a provider.
    /// - Parameters:
    ///   - provider: the name of a provider ("deepseek"); with `baseURL`, any label.
    ///   - model: the model; nil for the provider's example.
    ///   - dialect: the wire format, if the provider has several; nil for its default.
    ///   - baseURL: the root of the API instead of the provider's.
    ///   - keyVariable: the environment variable with the key instead of the provider's.
    ///   - headers: sent with each request.
    ///   - credentials: returns the key for a variable name; called on the client's thread.
    ///   - timeouts: time limits of each request.
    ///   - retry: when and how often a failed request is sent again.
    ///   - isLimited: whether the requests share a rate limiter. If not, refusals and rate headers of one do not delay
    ///     another.
    ///   - journal: the store of its requests; nil for none. A job of a client stays open when the client is released: a
    ///     client with the same job resumes it; `again` starts a new one.
    ///   - logger: receives the log of the client's thread.
    /// - Throws: ``ChatClientError`` that names what is missing and how to set it.
    public init(
        provider: String? = nil, model: String? = nil, dialect: String? = nil, baseURL: String? = nil,
        keyVariable: String? = nil, headers: HTTPHeaders = [:],
        credentials: @escaping @Sendable (String) -> String? = { ProcessEnvironment.value($0) },
        timeouts: Timeouts = Timeouts(), retry: RetryPolicy = RetryPolicy(),
        isLimited: Bool = true, journal: JournalSettings? = nil, logger: Logger = Logger(label: "moonrill")
    ) throws(ChatClientError) {
        let name = provider ?? (baseURL == nil ? ProcessEnvironment.defaultProvider() : nil)
        let preset = name.flatMap(ProviderCatalog.named)
        if let dialect, FormatCatalog.named(dialect) == nil {
            throw ChatClientError(
                message: "unknown dialect \"\(dialect)\"; known: \(FormatCatalog.names.joined(separator: ", "))")
        }
        let known = preset?.endpoint(dialect)
        guard let url = baseURL ?? known?.baseURL, !url.isEmpty else {
            let near = name.flatMap { ProviderCatalog.suggestion(for: $0) }.map { " (did you mean \"\($0)\"?)" } ?? ""
            throw ChatClientError(
                message: preset.map { "\($0.title) needs a base URL here" }
                    ?? name.map { "unknown provider \"\($0)\"\(near); give a base URL to reach any other" }
                    ?? "no provider is chosen: name one, give a base URL, or set MOONRILL_PROVIDER")
        }
        if let keyVariable, !KeyVariable.isName(keyVariable) {
            throw ChatClientError(message: "keyVariable \(KeyVariable.problem)")
        }
        let host: String
        do throws(APIError) { host = try BaseURL(url).host } catch { throw ChatClientError(message: error.message) }
        guard let model = model ?? preset?.model else {
            throw ChatClientError(message: "no model is named for \(host)")
        }
        endpoint = Endpoint(
            provider: name ?? host, dialect: dialect ?? known?.dialect ?? "openai", baseURL: url,
            keyVariable: keyVariable ?? preset?.keyVariable, quirks: known?.quirks ?? Quirks(),
            headers: headers)
        self.model = model
        self.timeouts = timeouts
        self.retry = retry
        self.isLimited = isLimited
        cache = journal?.cachePolicy
        let opened: OpenJournal?
        do throws(StoreError) {
            let variables = ProviderCatalog.all.compactMap(\.keyVariable) + (keyVariable.map { [$0] } ?? [])
            opened = try journal?.open(JournaledSource(keyVariables: variables), credentials) {
                logger.warning("\($0)")
            }
        } catch {
            throw ChatClientError(message: error.message)
        }
        loop = ChatLoop(credentials: credentials, journal: opened, logger: logger)
        try loop.start()
    }

    deinit { loop.stop() }

    /// The events of a request. It starts with the first `next()`, and is cancelled with its task or when the iterator is
    /// released.
    /// - Parameters:
    ///   - prompt: the user message.
    ///   - system: the system prompt.
    ///   - parameters: further options (`temperature`, ...). Names that Moonrill does not know are sent as they are.
    public func stream(_ prompt: String, system: String? = nil, parameters: JSONObject = [:]) -> ChatStream {
        stream(messages: [["role": "user", "content": .string(prompt)]], system: system, parameters: parameters)
    }

    /// The events of a request with a whole conversation.
    /// - Parameters:
    ///   - messages: objects with `role` and `content`, in the Chat Completions form.
    ///   - system: the system prompt.
    ///   - parameters: further options (`temperature`, ...). Names that Moonrill does not know are sent as they are.
    public func stream(messages: [JSONValue], system: String? = nil, parameters: JSONObject = [:]) -> ChatStream {
        let chat = ChatRequest(model: model, system: system, messages: messages, parameters: parameters)
        var spec = RequestSpec(chat: chat, endpoint: endpoint, timeouts: timeouts, retry: retry, isObserved: true)
        spec.isLimited = isLimited
        spec.cache = cache
        return ChatStream(loop: loop, spec: spec)
    }

    /// Sends a request and waits for the whole reply.
    /// - Throws: `RequestFailure`, or `CancellationError` if the task was cancelled.
    public func ask(_ prompt: String, system: String? = nil, parameters: JSONObject = [:]) async throws -> Reply {
        for try await event in stream(prompt, system: system, parameters: parameters) {
            if case .finish(let reply) = event { return reply }
        }
        throw CancellationError()
    }
}

/// An invalid configuration of a client.
public struct ChatClientError: Error, Sendable, CustomStringConvertible {
    /// The problem and its fix.
    public var message: String
    /// The message.
    public var description: String { message }
}

/// The events of one request. `finish` is the last; a request that fails throws its `RequestFailure`.
public struct ChatStream: AsyncSequence, Sendable {
    /// Text, reasoning, tool calls, usage, retries, and the finished reply.
    public typealias Element = ChatEvent

    let loop: ChatLoop
    let spec: RequestSpec

    /// Each iterator sends its own request with its first `next()`.
    public func makeAsyncIterator() -> Iterator { Iterator(ticket: ChatTicket(loop: loop, spec: spec)) }

    /// Iterates over the events.
    public struct Iterator: AsyncIteratorProtocol {
        private let ticket: ChatTicket
        private var batch: [ChatEvent] = []
        private var index = 0
        private var isOver = false

        init(ticket: ChatTicket) { self.ticket = ticket }

        /// The next event; nil after `finish`, or if the task was cancelled.
        public mutating func next() async throws -> ChatEvent? {
            guard !isOver else { return nil }
            if index == batch.count {
                batch = await ticket.nextBatch()
                index = 0
            }
            guard index < batch.count else {
                isOver = true
                try Task.checkCancellation()
                return nil
            }
            let event = batch[index]
            index += 1
            switch event {
            case .finish: isOver = true
            case .failed(let failure):
                isOver = true
                try Task.checkCancellation()
                throw failure
            default: break
            }
            return event
        }
    }
}
