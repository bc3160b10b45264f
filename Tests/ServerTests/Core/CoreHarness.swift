// A server's core without sockets and clocks: time passes and files are read when the test says so.

import Base
import Chat
import HTTP
import JSON
import Logging
import Support
import Testing

@testable import Server

/// Runs functions that may block at once.
private struct DirectRunner: BlockingRunner {
    func run<Value: Sendable>(_ body: @escaping @Sendable () -> Value, then: @escaping (Value?) -> Void) {
        then(body())
    }
}

final class CoreHarness {
    private(set) var core: ServerCore
    private let surroundings: State

    /// What the core's functions share.
    private final class State {
        var now = 1_000.0
        var events: [ServerEvent] = []
        var timers: [(time: Double, action: () -> Void)] = []
        let log = LogText()
    }

    var now: Double { surroundings.now }
    var log: String { surroundings.log.text }

    init(
        _ patterns: [String] = [], models: [String] = [], token: String? = nil,
        _ change: (inout ServerSpec) -> Void = { _ in }
    ) throws {
        var spec = ServerSpec()
        spec.routes = try patterns.map { RouteSpec(pattern: try RoutePattern($0), action: .handler) }
        spec.models = models
        change(&spec)
        let state = State()
        surroundings = state
        core = try ServerCore(
            spec, token: token,
            ServerSurroundings(
                deliver: { state.events.append($0) },
                schedule: { seconds, action in state.timers.append((state.now + seconds, action)) },
                now: { state.now },
                blocking: DirectRunner(),
                logger: Logger(label: "test") { _ in LogTextHandler(log: state.log) }))
    }

    // MARK: Time

    /// Lets time pass and runs what is due, in order.
    func advance(_ seconds: Double) {
        let end = surroundings.now + seconds
        while let index = surroundings.timers.indices.min(by: {
            surroundings.timers[$0].time < surroundings.timers[$1].time
        }),
            surroundings.timers[index].time <= end
        {
            let timer = surroundings.timers.remove(at: index)
            surroundings.now = max(surroundings.now, timer.time)
            timer.action()
        }
        surroundings.now = end
    }

    // MARK: Clients

    /// A client and its response.
    final class Client {
        let writer: RecordingWriter
        fileprivate(set) var exchange: (any ServerExchange)?

        fileprivate init(_ writer: RecordingWriter) { self.writer = writer }

        /// The connection ends, as the transport reports it: not after the end of the response.
        func leave() {
            guard !writer.isOver else { return }
            exchange?.clientIsGone()
        }

        var status: Int { writer.status ?? 0 }
        var headers: HTTP.HTTPHeaders { writer.headers }
        var text: String { writer.text }
        var frames: [Frame] { writer.frames }
        var json: JSONValue { (try? JSONReader.value(writer.body)) ?? .null }
        /// The id of the stream that it reads.
        var stream: String { headers["x-moonrill-stream"] ?? "" }
    }

    func ask(
        _ method: String, _ target: String, _ headers: HTTP.HTTPHeaders = [:], body: String = "", window: Int? = nil
    ) -> Client {
        var fields = headers
        if fields["host"] == nil { fields["host"] = "127.0.0.1:8080" }
        let head = RequestHead(method: method, target: target, headers: fields, remoteAddress: "10.0.0.1")
        let client = Client(RecordingWriter(window: window))
        if let refusal = core.refusal(of: head) {
            client.writer.respond(refusal)
            return client
        }
        client.exchange = core.receive(IncomingRequest(head: head, body: Array(body.utf8)), client.writer)
        client.writer.exchange = client.exchange
        return client
    }

    func get(_ target: String, _ headers: HTTP.HTTPHeaders = [:], window: Int? = nil) -> Client {
        ask("GET", target, headers, window: window)
    }

    // MARK: The script

    /// What was reported since the last call.
    func take() -> [ServerEvent] {
        defer { surroundings.events = [] }
        return surroundings.events
    }

    /// The requests that were reported since the last call.
    func requests() -> [ServedRequest] {
        take().compactMap { if case .request(let request) = $0 { request } else { nil } }
    }

    /// The only request that was reported since the last call.
    func request() -> ServedRequest {
        let requests = requests()
        if requests.count != 1 { Issue.record("\(requests.count) requests in place of one") }
        return requests.first
            ?? ServedRequest(id: ExchangeID(0), handler: 0, method: "", path: "", client: "", requestID: "")
    }

    func perform(_ commands: ServerCommand...) { core.perform(commands) }

    /// Sends pieces of text.
    func send(_ id: ExchangeID, _ pieces: String...) {
        for piece in pieces { core.perform([.events(id, [.text(TextBatch(piece))])]) }
    }

    /// Ends a reply.
    func finish(_ id: ExchangeID, text: String = "") {
        core.perform([.events(id, [.finish(Self.reply(text))])])
    }

    static func reply(_ text: String) -> Reply {
        var usage = Usage()
        (usage.inputTokens, usage.outputTokens) = (3, 4)
        return Reply(
            text: text, reasoning: "", toolCalls: [], finishReason: .stop, usage: usage, model: "m", provider: "p",
            attempts: 1, totalTime: 0.5, message: ["role": "assistant", "content": .string(text)])
    }

    static func failure(_ kind: ErrorKind, _ message: String, retryAfter: Double? = nil) -> ChatEvent {
        .failed(
            RequestFailure(
                kind: kind, message: message, isRetryable: true, retryAfter: retryAfter, provider: "p", model: "m",
                attempts: 1))
    }
}

extension ServerEvent {
    /// The event in a few words, for comparison.
    var summary: String {
        switch self {
        case .request(let request): "request \(request.id.raw)"
        case .gone(let id): "gone \(id.raw)"
        case .congested(let id): "congested \(id.raw)"
        case .drained(let id): "drained \(id.raw)"
        case .stopAsked: "stop asked"
        case .stopped: "stopped"
        }
    }
}

final class LogText: Sendable {
    private let lines = Locked("")
    var text: String { lines.withLock { $0 } }
    func add(_ line: String) { lines.withLock { $0 += line + "\n" } }
}

struct LogTextHandler: LogHandler {
    let log: LogText
    var logLevel = Logger.Level.trace
    var metadata: Logger.Metadata = [:]

    init(log: LogText) { self.log = log }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) { log.add("\(event.level): \(event.message)") }
}
