// Starts and stops the simulator. It runs on one thread of its own.

internal import Base
internal import Glibc
internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix
internal import Synchronization

/// A simulated provider of language models: an HTTP/1.1 server on loopback with the formats of `FormatCatalog` and
/// generated replies. It needs no key and no network. The same request gets the same bytes, and the same conversation
/// gets the same text in every format.
///
/// - OpenAI's Chat Completions and Responses: `POST /v1/chat/completions`, `POST /v1/responses`, `GET /v1/models`
/// - Anthropic's Messages: `POST /v1/messages`
/// - Google's generateContent: `POST /v1beta/models/MODEL:streamGenerateContent` with `?alt=sse` or, in an array,
///   without, and `:generateContent`; the same under `/v1` and Vertex AI's paths; `GET /v1beta/models`
/// - Ollama's chat: `POST /api/chat`, `GET /api/tags`, `GET /api/version`
/// - Text-generation-inference: `POST /generate_stream`, `POST /generate`
/// - Cohere's chat: `POST /v2/chat`
///
/// Models reason if their name says so (`moonrill-reasoner`, names with r1, o1, o3, think, gpt-5 or qwq); others
/// (`moonrill-chat`) do not. Any key is accepted but "bad" and keys that begin with "invalid", which get 401.
///
/// A streamed reply is paced: delta k is sent k / rate seconds after the first, which is sent at once. Other replies are
/// sent whole without delay. A conversation that ends with a message of the assistant is continued to the text that an
/// uninterrupted reply would have had.
///
/// Request headers control one reply: `X-Moonrill-Deltas: N` (or `inf`) for exactly N deltas "tok1 tok2 ...",
/// `X-Moonrill-Rate: R` deltas a second, `X-Moonrill-Seed: N`, and `X-Moonrill-Fault` with a fault plan in the
/// grammar of `FaultPlan` instead of the server's.
package final class SimulatorServer: Sendable {
    /// The address that the server listens on.
    package let host: String
    /// The TCP port, given or chosen by the kernel.
    package let port: Int

    private let group: MultiThreadedEventLoopGroup
    private let records: ServerRecords
    private let isStopped = Mutex(false)

    /// The base URL for clients: "http://127.0.0.1:PORT/v1".
    package var baseURL: String { "http://\(host.contains(":") ? "[\(host)]" : host):\(port)/v1" }

    private init(host: String, port: Int, group: MultiThreadedEventLoopGroup, records: ServerRecords) {
        self.host = host
        self.port = port
        self.group = group
        self.records = records
    }

    /// Starts a server and waits until it listens: about a millisecond, and one thread.
    /// - Throws: `SimulatorError.portInUse`, `.cannotListen` or `.badOption`.
    @available(*, noasync, message: "await start(_:) instead")
    package static func start(_ options: SimulatorOptions = SimulatorOptions()) throws(SimulatorError)
        -> SimulatorServer
    {
        try check(options)
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let records = ServerRecords()
        do {
            let channel = try bind(group, options, records).wait()
            return SimulatorServer(
                host: options.host, port: channel.localAddress?.port ?? 0, group: group, records: records)
        } catch {
            group.shutdownGracefully { _ in }
            throw reason(error, options)
        }
    }

    /// Starts a server and waits until it listens.
    /// - Throws: `SimulatorError.portInUse`, `.cannotListen` or `.badOption`.
    package static func start(_ options: SimulatorOptions = SimulatorOptions()) async throws(SimulatorError)
        -> SimulatorServer
    {
        try check(options)
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let records = ServerRecords()
        do {
            let channel = try await bind(group, options, records).get()
            return SimulatorServer(
                host: options.host, port: channel.localAddress?.port ?? 0, group: group, records: records)
        } catch {
            group.shutdownGracefully { _ in }
            throw reason(error, options)
        }
    }

    /// Counters so far. May be called from any thread, also after `stop`.
    package func statistics() -> SimulatorStatistics { records.statistics }

    /// Closes all sockets, ends the thread and waits for it. A second call does nothing.
    /// Must not be called from `SimulatorOptions.onRequest`.
    package func stop() {
        let isFirst = isStopped.withLock { isStopped in
            defer { isStopped = true }
            return !isStopped
        }
        guard isFirst else { return }
        records.stop()
        do {
            try group.syncShutdownGracefully()
        } catch {
            // Sockets that fail to close are closed by the kernel all the same.
        }
    }

    deinit {
        // Without stop() the thread would outlive the server.
        if !isStopped.withLock({ $0 }) { group.shutdownGracefully { _ in } }
    }

    private static func check(_ options: SimulatorOptions) throws(SimulatorError) {
        guard (0...65_535).contains(options.port) else {
            throw .badOption(name: "port", reason: "must be between 0 and 65535, and is \(options.port)")
        }
        guard options.rate.isFinite, options.rate >= 0 else {
            throw .badOption(
                name: "rate", reason: "must be deltas a second, or 0 for no pacing, and is \(options.rate)")
        }
    }

    private static func reason(_ error: any Error, _ options: SimulatorOptions) -> SimulatorError {
        guard let error = error as? IOError else {
            return .cannotListen(host: options.host, port: options.port, reason: "\(error)")
        }
        if error.errnoCode == EADDRINUSE { return .portInUse(host: options.host, port: options.port) }
        return .cannotListen(host: options.host, port: options.port, reason: "\(error)")
    }

    private static func bind(
        _ group: MultiThreadedEventLoopGroup, _ options: SimulatorOptions, _ records: ServerRecords
    ) -> EventLoopFuture<any Channel> {
        let loop = group.next()
        return loop.submit {
            NIOLoopBound(ServerCore(loop: loop, options: options, records: records), eventLoop: loop)
        }.flatMap { core in
            let listening = ServerBootstrap(group: group)
                .serverChannelOption(.backlog, value: 4_096)
                .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
                .serverChannelOption(.maxMessagesPerRead, value: 256)
                .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
                .childChannelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandlers(
                            ByteToMessageHandler(HTTPRequestDecoder(leftOverBytesStrategy: .dropBytes)),
                            ConnectionHandler(core: core.value, observe: options.onRequest))
                    }
                }
                .bind(host: options.host, port: options.port)
            return listening.map { channel in
                channel.closeFuture.whenComplete { _ in core.value.pacer.stop() }
                return channel
            }
        }
    }
}
