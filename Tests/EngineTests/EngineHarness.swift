// An engine without sockets or time: the test sends the bytes and moves the clock.

import Base
import Chat
import Formats
import HTTP
import JSON
import Testing
import Transport

@testable import Engine

/// A transport whose servers are the test.
final class FakeTransport: AttemptTransport {
    final class Transfer {
        let attempt: Attempt
        let request: HTTPRequest
        var isPaused = false
        var isCancelled = false
        var isEnded = false
        /// Sent by the server, not yet read by the engine.
        var incoming: [Piece] = []

        init(_ attempt: Attempt, _ request: HTTPRequest) {
            self.attempt = attempt
            self.request = request
        }
    }

    enum Piece {
        case head(HTTPResponseHead)
        case body([UInt8])
        case end(TransferEnding)
    }

    var transfers: [Transfer] = []
    var lastWait: Double??
    /// Results of the next starts.
    var refusals: [TransferRefusal] = []
    /// Pieces per turn for each transfer.
    var piecesPerTurn = Int.max

    func start(_ request: HTTPRequest, _ route: TransferRoute, for attempt: Attempt) throws(TransferRefusal)
        -> TransferHandle
    {
        if let refusal = refusals.first {
            refusals.removeFirst()
            throw refusal
        }
        transfers.append(Transfer(attempt, request))
        return TransferHandle(raw: UInt64(transfers.count - 1))
    }

    func cancel(_ transfer: TransferHandle) { transfers[Int(transfer.raw)].isCancelled = true }
    func pause(_ transfer: TransferHandle) { transfers[Int(transfer.raw)].isPaused = true }
    /// Calls back before it returns, as the real transport may.
    func resume(_ transfer: TransferHandle) {
        transfers[Int(transfer.raw)].isPaused = false
        move(transfers[Int(transfer.raw)], pieces: 1)
    }

    func turn(waitingUpTo seconds: Double?) {
        lastWait = .some(seconds)
        for transfer in transfers { move(transfer, pieces: piecesPerTurn) }
    }

    private func move(_ transfer: Transfer, pieces: Int) {
        var left = pieces
        while left > 0, !transfer.incoming.isEmpty, !transfer.isCancelled, !transfer.isEnded, !transfer.isPaused {
            left -= 1
            switch transfer.incoming.removeFirst() {
            case .head(let head): transfer.attempt.receive(head)
            case .body(let bytes):
                switch transfer.attempt.receive(bytes.span) {
                case .go: break
                case .hold: transfer.isPaused = true
                case .stop: end(transfer, .failed(AttemptError(.network, "stopped")))
                }
            case .end(let ending): end(transfer, ending)
            }
        }
    }

    private func end(_ transfer: Transfer, _ ending: TransferEnding) {
        transfer.isEnded = true
        transfer.attempt.ended(ending)
    }
}

/// An engine on a fake transport, with a clock that only the test moves.
final class EngineHarness {
    final class Time { var now = 1000.0 }

    // swift-format-ignore: NeverUseForceTry
    private static let wakeHandle = try! Multi().wakeHandle

    let time = Time()
    let transport = FakeTransport()
    let engine: Engine
    let client: EngineClient
    var events: [ChatEvent] = []
    var log: [String] { lines.lines }
    private let lines = Lines()

    final class Lines { var lines: [String] = [] }

    init(random: Double = 0.5, keys: [String: String] = [:], maxTransfers: Int? = nil) {
        var configuration = EngineConfiguration(
            credentials: { keys[$0] },
            format: {
                switch $0 {
                case "plain": WireFormat.plain()
                case "lines": WireFormat.plain(framing: .newlineDelimitedJSON)
                default: FormatCatalog.named($0)
                }
            })
        configuration.clock = { [time] in time.now }
        configuration.unixTime = { 1_700_000_000 }
        configuration.random = { random }
        configuration.maxTransfers = maxTransfers
        configuration.logLevel = .trace
        configuration.log = { [lines] in lines.lines.append("\($0) \($1)") }
        engine = Engine(configuration, transport: transport, wakeHandle: Self.wakeHandle)
        client = engine.attach()
    }

    static func spec(
        dialect: String = "plain", baseURL: String = "http://127.0.0.1:1", retry: RetryPolicy = RetryPolicy(),
        timeouts: Timeouts = Timeouts(), isObserved: Bool = true, continuation: Quirks.Continuation = .prefill
    ) -> RequestSpec {
        RequestSpec(
            chat: ChatRequest(model: "m", messages: [["role": "user", "content": "Hi"]]),
            endpoint: Endpoint(
                provider: "test", dialect: dialect, baseURL: baseURL, quirks: Quirks(continuation: continuation)),
            timeouts: timeouts, retry: retry, isObserved: isObserved)
    }

    func start(_ id: UInt64 = 1, _ spec: RequestSpec = EngineHarness.spec()) {
        client.submit(.start(RequestID(id), spec))
        turn()
    }

    /// One turn; events stay in the engine.
    func turn() { engine.turn(waitingUpTo: 0) }

    /// One turn, then takes all events.
    func turnAndTake() {
        turn()
        takeAll()
    }

    func takeAll() {
        while let id = client.nextReady() { events += client.take(id) }
    }

    func advance(_ seconds: Double) {
        time.now += seconds
        turn()
    }

    // MARK: The server

    var last: FakeTransport.Transfer { transport.transfers[transport.transfers.count - 1] }

    func head(_ status: Int = 200, _ headers: HTTPHeaders = ["Content-Type": "text/event-stream"]) {
        last.incoming.append(.head(HTTPResponseHead(status: status, headers: headers)))
    }

    func send(_ text: String) { last.incoming.append(.body(Array(text.utf8))) }

    /// Each payload as an event.
    func send(events payloads: String...) { for payload in payloads { send("data: \(payload)\n\n") } }

    func end(_ ending: TransferEnding = .complete) { last.incoming.append(.end(ending)) }

    // MARK: What came of it

    var text: String {
        events.reduce("") { if case .text(let batch) = $1, batch.kind == .text { $0 + batch.text } else { $0 } }
    }
    var finish: Reply? {
        for case .finish(let reply) in events { return reply }
        return nil
    }
    var failure: RequestFailure? {
        for case .failed(let failure) in events { return failure }
        return nil
    }
    var terminals: Int { events.count { $0.isTerminal } }
    var retries: [RetryInfo] { events.compactMap { if case .retry(let info) = $0 { info } else { nil } } }
    var resets: Int { events.count { if case .reset = $0 { true } else { false } } }

    /// Each event in a word.
    var names: [String] {
        events.map { event in
            switch event {
            case .start: "start"
            case .text(let batch) where batch.count == 1:
                batch.kind == .reasoning ? "r:\(batch.text)" : "t:\(batch.text)"
            case .text(let batch):
                batch.map { "\(batch.kind == .reasoning ? "R" : "T"):\($0)" }.joined(separator: " ")
            case .toolCall(let call): "call:\(call.name)"
            case .usage: "usage"
            case .heartbeat: "heartbeat"
            case .native(let name, _): "native:\(name)"
            case .phase(let name): "phase:\(name ?? "")"
            case .chunk(let text): "chunk:\(text)"
            case .retry: "retry"
            case .wait(let info): "wait:\(info.reason)"
            case .reset: "reset"
            case .finish: "finish"
            case .failed: "failed"
            }
        }
    }
}
