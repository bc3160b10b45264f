// The thread behind a ChatClient: an engine that only this thread touches, and a mailbox through which everything
// else speaks to it. The mailbox's lock is held for a few moves, never while anything runs.

internal import Base
internal import Chat
internal import Dispatch
internal import Engine
internal import Logging
internal import Synchronization

/// Runs the requests of one client.
final class ChatLoop: Sendable {
    /// What waits to be done on the thread.
    private struct Mailbox {
        var commands: [RequestCommand] = []
        /// Who waits for events: at most one for each request.
        var demands: [RequestID: CheckedContinuation<[ChatEvent], Never>] = [:]
        var nextID: UInt64 = 1
        var isStopping = false
        var wake: (@Sendable () -> Void)?
    }

    /// The most events handed over at once.
    private static let batchSize = 1024

    private let mailbox = Mutex(Mailbox())
    private let credentials: @Sendable (String) -> String?
    private let logger: Logger

    init(credentials: @escaping @Sendable (String) -> String?, logger: Logger) {
        self.credentials = credentials
        self.logger = logger
    }

    /// Starts the thread and waits until its engine stands.
    func start() throws(ChatClientError) {
        let ready = DispatchSemaphore(value: 0)
        let problem = Mutex<ChatClientError?>(nil)
        // A queue of its own is a thread of its own: its one block runs as long as the client lives.
        DispatchQueue(label: "moonrill.chat").async { [self] in
            do throws(EngineError) {
                let engine = try Engine(
                    EngineConfiguration(
                        credentials: credentials, logger: logger, caFile: ProcessEnvironment.trustedCertificates))
                mailbox.withLock { $0.wake = engine.waker }
                ready.signal()
                run(engine)
            } catch {
                problem.withLock { $0 = ChatClientError(message: error.message) }
                ready.signal()
            }
        }
        ready.wait()
        if let problem = problem.withLock({ $0 }) { throw problem }
    }

    func stop() { post { $0.isStopping = true } }

    func begin(_ spec: RequestSpec) -> RequestID {
        post { mailbox in
            let id = RequestID(mailbox.nextID)
            mailbox.nextID += 1
            mailbox.commands.append(.start(id, spec))
            return id
        }
    }

    func cancel(_ id: RequestID) { post { $0.commands.append(.cancel(id)) } }

    /// The next events of a request, as soon as there is one; empty when the loop has ended.
    func events(of id: RequestID) async -> [ChatEvent] {
        await withCheckedContinuation { continuation in
            let isRefused = post { mailbox in
                if mailbox.isStopping { return true }
                mailbox.demands[id] = continuation
                return false
            }
            if isRefused { continuation.resume(returning: []) }
        }
    }

    private func post<Answer: Sendable>(_ change: (inout Mailbox) -> Answer) -> Answer {
        let (answer, wake) = mailbox.withLock { mailbox in (change(&mailbox), mailbox.wake) }
        wake?()
        return answer
    }

    // MARK: On the thread

    private func run(_ engine: Engine) {
        while true {
            let (commands, demanded, isStopping) = mailbox.withLock { mailbox in
                defer { mailbox.commands.removeAll(keepingCapacity: true) }
                return (mailbox.commands, Array(mailbox.demands.keys), mailbox.isStopping)
            }
            for command in commands { engine.submit(command) }
            if isStopping { break }
            var served = false
            // Events are taken only on demand: what nobody asks for stays in the engine, and fills the socket.
            for id in demanded {
                let events = engine.take(id, upTo: Self.batchSize)
                guard !events.isEmpty else { continue }
                served = true
                mailbox.withLock { $0.demands.removeValue(forKey: id) }?.resume(returning: events)
            }
            // Unread events of other requests must not keep the engine awake.
            while engine.nextReady() != nil {}
            engine.turn(waitingUpTo: served || !commands.isEmpty ? 0 : nil)
        }
        let left = mailbox.withLock { mailbox in
            defer { mailbox.demands.removeAll() }
            return Array(mailbox.demands.values)
        }
        for continuation in left { continuation.resume(returning: []) }
        logger.trace("the chat loop has ended")
    }
}

/// One request of a stream: begun when first asked, cancelled when let go.
final class ChatTicket: Sendable {
    private let loop: ChatLoop
    private let spec: RequestSpec
    private let id = Mutex<RequestID?>(nil)

    init(loop: ChatLoop, spec: RequestSpec) {
        self.loop = loop
        self.spec = spec
    }

    deinit {
        // A request that has ended ignores it.
        if let id = id.withLock({ $0 }) { loop.cancel(id) }
    }

    func nextBatch() async -> [ChatEvent] {
        if Task.isCancelled { return [] }
        let request = id.withLock { id in
            if let id { return id }
            let new = loop.begin(spec)
            id = new
            return new
        }
        return await withTaskCancellationHandler {
            await loop.events(of: request)
        } onCancel: {
            loop.cancel(request)
        }
    }
}
