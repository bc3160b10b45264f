// The server of a script: its thread, and the exchange of commands and events with the script's thread.

internal import Base
package import Chat
internal import HTTP
package import Logging
internal import NIOCore
internal import NIOPosix
internal import Synchronization

/// An HTTP server on a thread of its own. It is used on the script's thread, except ``open(_:deliver:)``.
///
/// The network's thread never touches Lua. It passes values in batches: events are collected until the script's thread takes
/// them, commands until it flushes them.
package final class HTTPServer: ServerBroker {
    private let wake: @Sendable () -> Void
    private let credentials: (String) -> String?
    private let logger: Logger
    /// Whether a socket listens; otherwise requests come only from callers in this process.
    private let hasSocket: Bool
    private let inbox = EventInbox()
    private var commands: [ServerCommand] = []
    private var running: Running?

    /// What exists once the server has started.
    private struct Running {
        let group: MultiThreadedEventLoopGroup
        let core: NIOLoopBound<ServerCore>
        let listener: Listener?
        let drain: Double
        var isStopping = false
    }

    /// - Parameters:
    ///   - hasSocket: whether to listen, or to answer only callers in this process.
    ///   - credentials: the value of an environment variable that holds a token.
    ///   - wake: called on the server's thread when there are events.
    package init(
        hasSocket: Bool = true, logger: Logger, credentials: @escaping (String) -> String?,
        wake: @escaping @Sendable () -> Void
    ) {
        self.hasSocket = hasSocket
        self.logger = logger
        self.credentials = credentials
        self.wake = wake
    }

    deinit {
        // A server that was not stopped: its script was killed.
        guard let running else { return }
        running.listener?.closeAll()
        running.group.shutdownGracefully { _ in }
    }

    // MARK: ServerBroker

    package func start(_ spec: ServerSpec) throws(ServerFailure) -> ServerAddress {
        let token = try token(spec)
        try checkExposure(spec, hasToken: token != nil)
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        do {
            let core = try makeCore(spec, token, group)
            guard hasSocket else {
                running = Running(group: group, core: core, listener: nil, drain: spec.drain)
                return ServerAddress(url: "local:", port: nil)
            }
            let receiver = try group.next().submit {
                NIOLoopBound<any RequestReceiver>(core.value, eventLoop: core.eventLoop)
            }.wait()
            let listener = try Listener.start(spec, group: group, receiver: receiver)
            running = Running(group: group, core: core, listener: listener, drain: spec.drain)
            return listener.address
        } catch {
            group.shutdownGracefully { _ in }
            if let failure = error as? ServerFailure { throw failure }
            if let error = error as? RoutePatternError { throw ServerFailure(message: error.message) }
            throw ServerFailure(message: "the server cannot start: \(error)")
        }
    }

    package func submit(_ command: ServerCommand) { commands.append(command) }

    package func flush() {
        guard !commands.isEmpty else { return }
        let batch = commands
        commands = []
        running?.core.execute { $0.perform(batch) }
    }

    package func take() -> [ServerEvent] { inbox.take() }

    package func stop() {
        guard var running else { return }
        flush()
        let drain = running.isStopping ? 0 : running.drain
        running.isStopping = true
        self.running = running
        let listener = running.listener
        listener?.stopAccepting()
        let (inbox, wake) = (inbox, wake)
        let stopped: @Sendable () -> Void = { if inbox.add(.stopped) { wake() } }
        running.core.execute { core in
            core.end(within: drain) { Self.close(listener, on: core, then: stopped) }
        }
    }

    /// Lets the last responses reach their clients, but not for ever, then closes what is left.
    private static func close(_ listener: Listener?, on core: ServerCore, then action: @escaping @Sendable () -> Void) {
        guard let listener else { return action() }
        listener.whenEmpty(action)
        core.surroundings.schedule(flushSeconds) { listener.closeAll() }
    }

    private static let flushSeconds = 1.0

    package func reloadCertificate() {
        do throws(ServerFailure) {
            try running?.listener?.reloadCertificate()
            logger.notice("the certificate was read again")
        } catch {
            logger.error("the old certificate stays in use: \(error.message)")
        }
    }

    /// A way for callers in this process to ask the server; nil before it has started.
    package var door: LocalDoor? { running.map { LocalDoor($0.core) } }

    // MARK: Start

    private func token(_ spec: ServerSpec) throws(ServerFailure) -> String? {
        guard let name = spec.tokenVariable else { return nil }
        guard let token = credentials(name), !token.isEmpty else {
            throw ServerFailure(
                message: "the variable \(name) of token_env (--token-env) is not set; put the token into it")
        }
        return token
    }

    /// Other machines may use a server only with a token, or if that was said.
    private func checkExposure(_ spec: ServerSpec, hasToken: Bool) throws(ServerFailure) {
        guard hasSocket, spec.unixPath == nil, !Self.isLoopback(spec.host), !hasToken else { return }
        guard spec.isOpen else {
            throw ServerFailure(
                message: "host \"\(spec.host)\" can be reached by other machines: name the variable of a token with "
                    + "token_env (--token-env NAME), or say open = true (--open) to serve everyone")
        }
        logger.warning("everyone who reaches \(spec.host) can use this server: it is open and has no token")
    }

    private static func isLoopback(_ host: String) -> Bool {
        host == "localhost" || host == "::1" || (host.hasPrefix("127.") && host.split(separator: ".").count == 4)
    }

    private func makeCore(
        _ spec: ServerSpec, _ token: String?, _ group: MultiThreadedEventLoopGroup
    ) throws -> NIOLoopBound<ServerCore> {
        let loop = group.next()
        let (inbox, wake, logger) = (inbox, wake, logger)
        return try loop.submit {
            let surroundings = ServerSurroundings(
                deliver: { if inbox.add($0) { wake() } },
                schedule: { seconds, action in
                    loop.assumeIsolated().scheduleTask(in: .limit(seconds)) { action() }
                },
                now: SystemClock.now,
                blocking: ThreadPoolRunner(loop: loop),
                logger: logger)
            return NIOLoopBound(try ServerCore(spec, token: token, surroundings), eventLoop: loop)
        }.wait()
    }
}

// The script's thread owns it.
@available(*, unavailable)
extension HTTPServer: Sendable {}

/// Runs functions on the threads that NIO has for them.
private struct ThreadPoolRunner: BlockingRunner {
    let loop: any EventLoop

    func run<Value: Sendable>(_ body: @escaping @Sendable () -> Value, then: @escaping (Value?) -> Void) {
        NIOThreadPool.singleton.runIfActive(eventLoop: loop, body).assumeIsolated().whenComplete { result in
            switch result {
            case .success(let value): then(value)
            case .failure: then(nil)
            }
        }
    }
}

/// Events on their way to the script's thread.
private final class EventInbox: Sendable {
    private let events = Mutex<[ServerEvent]>([])

    /// - Returns: whether the script's thread has to be woken.
    func add(_ event: ServerEvent) -> Bool {
        events.withLock { events in
            events.append(event)
            return events.count == 1
        }
    }

    func take() -> [ServerEvent] {
        events.withLock { events in
            guard !events.isEmpty else { return [] }
            let taken = events
            events = []
            return taken
        }
    }
}

extension NIOLoopBound {
    /// Runs a function on the loop, later.
    fileprivate func execute(_ action: @escaping @Sendable (Value) -> Void) {
        eventLoop.execute { action(self.value) }
    }
}
