// The thread of a ChatClient: an engine used on this thread only, and a mailbox for commands of other threads. The lock of the
// mailbox is held only to move values.

internal import Base
internal import Chat
internal import Dispatch
internal import Engine
internal import Journal
internal import Logging
internal import Synchronization

/// Runs the requests of one client.
final class ChatLoop: Sendable {
    /// Work for the thread.
    private struct Mailbox {
        var commands: [RequestCommand] = []
        /// Waiting readers of events, at most one per request.
        var demands: [RequestID: CheckedContinuation<[ChatEvent], Never>] = [:]
        var nextID: UInt64 = 1
        var isStopping = false
        var wake: (@Sendable () -> Void)?
    }

    private let mailbox = Mutex(Mailbox())
    private let credentials: @Sendable (String) -> String?
    private let journal: OpenJournal?
    private let logger: Logger

    init(credentials: @escaping @Sendable (String) -> String?, journal: OpenJournal?, logger: Logger) {
        self.credentials = credentials
        self.journal = journal
        self.logger = logger
    }

    /// Starts the thread and waits until its engine exists.
    func start() throws(ChatClientError) {
        let ready = DispatchSemaphore(value: 0)
        let problem = Mutex<ChatClientError?>(nil)
        // The one block of this queue runs as long as the client exists, so the queue is a thread.
        DispatchQueue(label: "moonrill.chat").async { [self] in
            do throws(EngineError) {
                let engine = try Engine(
                    EngineConfiguration(
                        credentials: credentials, logger: logger, caFile: ProcessEnvironment.trustedCertificates,
                        caFolder: ProcessEnvironment.trustedFolder))
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

    /// Waits for the next events of a request; empty once the loop has ended.
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
        let direct = engine.attach()
        let journal = journal?.broker(in: direct, wake: engine.waker, credentials)
        let client: any RequestBroker = journal ?? direct
        let reactor: any Reactor = journal.map { JournalReactor(engine, journal: $0) } ?? engine
        while true {
            let (commands, demanded, isStopping) = mailbox.withLock { mailbox in
                defer { mailbox.commands.removeAll(keepingCapacity: true) }
                return (mailbox.commands, Array(mailbox.demands.keys), mailbox.isStopping)
            }
            for command in commands { client.submit(command) }
            if isStopping { break }
            var served = false
            // A journal looks at the reports of its store here, before its events are taken.
            _ = client.hasReady
            // Events are taken on demand. Others stay in the engine, whose full inbox pauses the socket.
            for id in demanded {
                let events = client.take(id)
                guard !events.isEmpty else { continue }
                served = true
                mailbox.withLock { $0.demands.removeValue(forKey: id) }?.resume(returning: events)
            }
            // Unread events of other requests must not keep the loop busy.
            while client.nextReady() != nil {}
            reactor.turn(waitingUpTo: served || !commands.isEmpty ? 0 : nil)
        }
        // A program may ask more under the same name: its job stays open.
        journal?.end(RunEnd(outcome: "finished", status: 0, isSuccess: false))
        let left = mailbox.withLock { mailbox in
            defer { mailbox.demands.removeAll() }
            return Array(mailbox.demands.values)
        }
        for continuation in left { continuation.resume(returning: []) }
        logger.trace("the chat loop has ended")
    }
}

/// One request of a stream: started with the first read, cancelled on release.
final class ChatTicket: Sendable {
    private let loop: ChatLoop
    private let spec: RequestSpec
    private let id = Mutex<RequestID?>(nil)

    init(loop: ChatLoop, spec: RequestSpec) {
        self.loop = loop
        self.spec = spec
    }

    deinit {
        // Ignored by a request that has ended.
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
