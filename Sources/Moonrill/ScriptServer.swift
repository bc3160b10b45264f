// A script behind HTTP, for embedding programs: started and stopped from async code, and asked without a port.

internal import Chat
internal import Dispatch
public import HTTP
internal import Server
internal import Synchronization

/// A script that serves with `llm.serve`.
///
/// ```swift
/// let server = try await ScriptServer.start(source: script, listens: false)
/// let response = try await server.respond(to: ScriptServer.Request(target: "/hello"))
/// print(response.status, try await response.text())
/// let result = await server.stop()
/// ```
///
/// The script runs on a thread of its own, the network on another. To be used from any thread.
public final class ScriptServer: Sendable {
    /// A request.
    public struct Request: Sendable {
        /// "GET", in capitals.
        public var method: String
        /// Path and query: "/stream?prompt=hi".
        public var target: String
        /// Header fields. `host` is "localhost" unless it is set.
        public var headers: HTTPHeaders
        /// The body's bytes.
        public var body: [UInt8]

        /// A request with the given parts.
        public init(method: String = "GET", target: String, headers: HTTPHeaders = [:], body: [UInt8] = []) {
            self.method = method
            self.target = target
            self.headers = headers
            self.body = body
        }
    }

    /// A response. Dropping it tells the server that the client is gone.
    public struct Response: Sendable {
        /// The status code.
        public let status: Int
        /// The header fields.
        public let headers: HTTPHeaders
        /// The body, in the pieces in which the server wrote it. To be read once.
        public let body: Body

        /// The whole body as text, with invalid UTF-8 repaired.
        /// - Throws: ``ScriptHostError`` if the server cut the response.
        public func text() async throws(ScriptHostError) -> String {
            var bytes: [UInt8] = []
            while let piece = try await body.next() { bytes += piece }
            return String(decoding: bytes, as: UTF8.self)
        }
    }

    /// The body of a response.
    public final class Body: AsyncSequence, AsyncIteratorProtocol, Sendable {
        private let parts: PartQueue

        fileprivate init(_ parts: PartQueue) { self.parts = parts }

        deinit { parts.cancel() }

        /// The next piece; nil at the end.
        /// - Throws: ``ScriptHostError`` if the server cut the response.
        public func next() async throws(ScriptHostError) -> [UInt8]? {
            switch await parts.next() {
            case .body(let bytes): return bytes
            case .aborted: throw ScriptHostError(message: "the server cut the response")
            case .head, .end, nil: return nil
            }
        }

        /// The body itself.
        public func makeAsyncIterator() -> Body { self }
    }

    /// The server's URL; "local:" for one that does not listen.
    public let url: String
    private let door: LocalDoor
    private let run: ServerRun

    private init(url: String, door: LocalDoor, run: ServerRun) {
        self.url = url
        self.door = door
        self.run = run
    }

    deinit { door.stop() }

    /// Runs a script until its server listens.
    /// - Parameters:
    ///   - source: the Lua text.
    ///   - name: its name in messages.
    ///   - listens: whether to open a socket. Without one, only ``respond(to:)`` reaches the server.
    ///   - configure: sets up the script's host, on the script's thread.
    /// - Throws: ``ScriptHostError`` if the script ends before it serves.
    public static func start(
        source: String, name: String = "script", listens: Bool = true,
        configure: @escaping @Sendable (inout ScriptHost) -> Void = { _ in }
    ) async throws(ScriptHostError) -> ScriptServer {
        try await start(listens: listens, configure) { host throws(ScriptHostError) in
            try host.run(source: source, name: name)
        }
    }

    /// Runs the script in a file until its server listens.
    /// - Throws: ``ScriptHostError`` if the file cannot be read, or the script ends before it serves.
    public static func start(
        file path: String, listens: Bool = true,
        configure: @escaping @Sendable (inout ScriptHost) -> Void = { _ in }
    ) async throws(ScriptHostError) -> ScriptServer {
        try await start(listens: listens, configure) { host throws(ScriptHostError) in try host.run(file: path) }
    }

    private static func start(
        listens: Bool, _ configure: @escaping @Sendable (inout ScriptHost) -> Void,
        _ body: @escaping @Sendable (ScriptHost) throws(ScriptHostError) -> ScriptResult
    ) async throws(ScriptHostError) -> ScriptServer {
        let run = ServerRun()
        // The one block of this queue runs as long as the script, so the queue is a thread.
        DispatchQueue(label: "moonrill.server").async {
            var host = ScriptHost()
            configure(&host)
            host.listens = listens
            host.onServe = { run.started(url: $0, $1) }
            do throws(ScriptHostError) { run.ended(.success(try body(host))) } catch { run.ended(.failure(error)) }
        }
        let (url, door) = try await run.start()
        return ScriptServer(url: url, door: door, run: run)
    }

    /// Answers a request as if it had come over the network.
    /// - Throws: ``ScriptHostError`` if the server cut the response before its head, or has ended.
    public func respond(to request: Request) async throws(ScriptHostError) -> Response {
        let local = LocalRequest(
            method: request.method, target: request.target, headers: request.headers, body: request.body)
        let parts = PartQueue()
        parts.attach(door.send(local) { parts.add($0) })
        guard case .head(let status, let headers)? = await parts.next() else {
            throw ScriptHostError(message: "the server cut the response")
        }
        return Response(status: status, headers: headers, body: Body(parts))
    }

    /// Ends the server: running responses get the seconds of ``ServerSettings/drain``. Then the script goes on after
    /// `llm.serve`, to its end.
    /// - Returns: how the script ended.
    /// - Throws: ``ScriptHostError`` if the script's environment failed.
    @discardableResult
    public func stop() async throws(ScriptHostError) -> ScriptResult {
        door.stop()
        return try await run.end().get()
    }
}

/// The run of a server's script, between its thread and async callers.
private final class ServerRun: Sendable {
    private struct State {
        var door: (url: String, door: LocalDoor)?
        var result: Result<ScriptResult, ScriptHostError>?
        /// Counts the changes, so that none is missed between a look and a wait.
        var changes = 0
        var waiters: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())

    func started(url: String, _ door: LocalDoor) { change { $0.door = (url, door) } }

    func ended(_ result: Result<ScriptResult, ScriptHostError>) { change { $0.result = result } }

    /// Waits until the server listens.
    func start() async throws(ScriptHostError) -> (String, LocalDoor) {
        while true {
            let seen = state.withLock { $0 }
            if let door = seen.door { return door }
            if let result = seen.result { throw Self.failure(try result.get()) }
            await change(after: seen.changes)
        }
    }

    /// Waits until the script has ended.
    func end() async -> Result<ScriptResult, ScriptHostError> {
        while true {
            let seen = state.withLock { $0 }
            if let result = seen.result { return result }
            await change(after: seen.changes)
        }
    }

    private static func failure(_ result: ScriptResult) -> ScriptHostError {
        if case .failed(let message, _) = result.ending { return ScriptHostError(message: message) }
        return ScriptHostError(message: "the script ended without llm.serve")
    }

    private func change(_ body: (inout State) -> Void) {
        let waiters = state.withLock { state in
            body(&state)
            state.changes += 1
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume() }
    }

    private func change(after seen: Int) async {
        await withCheckedContinuation { continuation in
            let isDone = state.withLock { state in
                if state.changes != seen { return true }
                state.waiters.append(continuation)
                return false
            }
            if isDone { continuation.resume() }
        }
    }
}

/// The parts of one response on their way to its reader.
private final class PartQueue: Sendable {
    private struct State {
        var parts: [LocalResponsePart] = []
        var reader: CheckedContinuation<LocalResponsePart?, Never>?
        var exchange: LocalExchange?
        var isOver = false
    }

    private let state = Mutex(State())

    func attach(_ exchange: LocalExchange) { state.withLock { $0.exchange = exchange } }

    func add(_ part: LocalResponsePart) {
        let reader = state.withLock { state in
            defer { state.reader = nil }
            if state.reader == nil { state.parts.append(part) }
            return state.reader
        }
        reader?.resume(returning: part)
    }

    /// The next part; nil after the last, and in a cancelled task.
    func next() async -> LocalResponsePart? {
        await withTaskCancellationHandler {
            await nextPart()
        } onCancel: {
            cancel()
        }
    }

    private func nextPart() async -> LocalResponsePart? {
        let part = await withCheckedContinuation { continuation in
            let (part, isOver) = state.withLock { state -> (LocalResponsePart?, Bool) in
                if state.isOver { return (nil, true) }
                if !state.parts.isEmpty { return (state.parts.removeFirst(), false) }
                state.reader = continuation
                return (nil, false)
            }
            if part != nil || isOver { continuation.resume(returning: part) }
        }
        let exchange = state.withLock { state in
            switch part {
            case .end, .aborted, nil: state.isOver = true
            case .head, .body: break
            }
            return state.exchange
        }
        if case .body(let bytes) = part { exchange?.didRead(bytes.count) }
        return part
    }

    /// The reader wants no more.
    func cancel() {
        let (exchange, reader) = state.withLock { state in
            defer { state.reader = nil }
            state.isOver = true
            return (state.exchange, state.reader)
        }
        exchange?.cancel()
        reader?.resume(returning: nil)
    }
}
