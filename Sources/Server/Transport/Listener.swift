// The listening socket of a server, and the handlers of the connections that it accepts.

internal import Chat
internal import Glibc
internal import NIOCore
internal import NIOHTTP2
internal import NIOPosix
internal import NIOSSL
internal import Synchronization

/// A listening server. Its methods may be called from any thread.
final class Listener: Sendable {
    /// Unsent bytes of a connection beyond which it is not writable, and below which it is again.
    static let highWaterMark = 64 << 10
    static let lowWaterMark = 32 << 10

    let address: ServerAddress
    private let channel: any Channel
    /// Taken by the first removal: a later server may have made a file of the same name.
    private let unixFile: Mutex<UnixSocketFile?>
    private let certificates: CertificateStore?
    private let environment: NIOLoopBound<ConnectionEnvironment>

    private init(
        address: ServerAddress, channel: any Channel, unixFile: UnixSocketFile?, certificates: CertificateStore?,
        environment: NIOLoopBound<ConnectionEnvironment>
    ) {
        self.address = address
        self.channel = channel
        self.unixFile = Mutex(unixFile)
        self.certificates = certificates
        self.environment = environment
    }

    /// Starts to listen, and waits until it does. Must not be called on the event loop.
    /// - Parameters:
    ///   - group: one event loop, that of the receiver.
    ///   - receiver: bound to that loop.
    @available(*, noasync)
    static func start(
        _ spec: ServerSpec, group: MultiThreadedEventLoopGroup, receiver: NIOLoopBound<any RequestReceiver>,
        longestStall: TimeAmount = .seconds(120)
    ) throws(ServerFailure) -> Listener {
        let place = try ListeningAddress(spec)
        let certificates: CertificateStore?
        if let files = spec.certificate { certificates = try CertificateStore(files) } else { certificates = nil }
        let limits = spec.limits
        let loop = group.next()
        do {
            let environment = try loop.submit {
                NIOLoopBound(
                    ConnectionEnvironment(
                        loop: loop.assumeIsolated(), limits: limits, longestStall: longestStall,
                        receiver: receiver.value),
                    eventLoop: loop)
            }.wait()
            let bootstrap = bootstrap(group, environment, certificates)
            let channel: any Channel
            var unixFile: UnixSocketFile?
            switch place {
            case .tcp(let address): channel = try bootstrap.bind(to: address).wait()
            case .unix(let address, let path):
                let descriptor = try ListeningAddress.bindUnixSocket(address, path: path)
                unixFile = UnixSocketFile(path)
                // The socket closes the descriptor, also if it cannot listen.
                channel = try bootstrap.withBoundSocket(descriptor).wait()
            }
            return Listener(
                address: Self.address(spec, channel), channel: channel, unixFile: unixFile, certificates: certificates,
                environment: environment)
        } catch let failure as ServerFailure {
            throw failure
        } catch {
            throw ListeningAddress.failure(error, spec)
        }
    }

    /// Closes the listening socket and idle connections. Running exchanges go on; their connections close after them.
    func stopAccepting() {
        closeSocket()
        environment.whenOnLoop { $0.registry.finish() }
    }

    /// Closes the listening socket and all connections, whatever runs on them.
    func closeAll() {
        closeSocket()
        environment.whenOnLoop { $0.registry.closeAll() }
    }

    /// Calls `action` on the event loop once no connection is left.
    func whenEmpty(_ action: @escaping @Sendable () -> Void) {
        environment.whenOnLoop { $0.registry.notifyWhenEmpty(action) }
    }

    /// Reads the certificate's files again, for later connections. On an error the certificate in use stays.
    func reloadCertificate() throws(ServerFailure) { try certificates?.reload() }

    private func closeSocket() {
        // A second call finds the socket closed.
        channel.close(promise: nil)
        let file = unixFile.withLock { file in
            defer { file = nil }
            return file
        }
        file?.remove()
    }

    private static func address(_ spec: ServerSpec, _ channel: any Channel) -> ServerAddress {
        if let path = spec.unixPath { return ServerAddress(url: "unix:\(path)", port: nil) }
        let port = channel.localAddress?.port ?? spec.port
        let host = spec.host.contains(":") ? "[\(spec.host)]" : spec.host
        return ServerAddress(url: "\(spec.certificate == nil ? "http" : "https")://\(host):\(port)/", port: port)
    }

    /// The options of the listening socket and of accepted ones.
    private static func bootstrap(
        _ group: MultiThreadedEventLoopGroup, _ environment: NIOLoopBound<ConnectionEnvironment>,
        _ certificates: CertificateStore?
    ) -> ServerBootstrap {
        ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 4_096)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelOption(.maxMessagesPerRead, value: 64)
            .serverChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(AcceptPause())
                }
            }
            .childChannelOption(.maxMessagesPerRead, value: 4)
            .childChannelOption(
                .recvAllocator, value: AdaptiveRecvByteBufferAllocator(minimum: 512, initial: 1_024, maximum: 65_536)
            )
            .childChannelOption(
                .writeBufferWaterMark, value: .init(low: lowWaterMark, high: highWaterMark)
            )
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try accept(channel, environment, certificates)
                }
            }
    }

    /// Adds the handlers of an accepted connection.
    private static func accept(
        _ channel: any Channel, _ environment: NIOLoopBound<ConnectionEnvironment>, _ certificates: CertificateStore?
    ) throws {
        let pipeline = channel.pipeline.syncOperations
        let registry = environment.value.registry
        guard !registry.isFull else {
            // Without a handshake there is no way to send a response over TLS.
            guard certificates == nil, registry.beginRefusal() else { throw ChannelError.alreadyClosed }
            return try pipeline.addHandler(OverloadRefusal(environment: environment.value))
        }
        if channel.remoteAddress?.ipAddress != nil {
            try channel.syncOptions?.setOption(.tcpOption(.tcp_nodelay), value: 1)
            // Without this bound the kernel takes megabytes for a slow client, and progress shows only when a third of
            // them is sent (tcp(7), TCP_NOTSENT_LOWAT).
            try channel.syncOptions?.setOption(
                .tcpOption(NIOBSDSocket.Option(rawValue: TCP_NOTSENT_LOWAT)), value: highWaterMark)
        }
        let monitor = ConnectionMonitor(registry: registry)
        try pipeline.addHandler(monitor)
        guard let certificates else {
            return try HTTP1Connection.add(
                to: channel, environment: environment.value, monitor: monitor, isTLS: false)
        }
        monitor.deadline = .now() + .limit(environment.value.limits.headSeconds)
        try pipeline.addHandler(NIOSSLServerHandler(context: certificates.context))
        let boundMonitor = NIOLoopBound(monitor, eventLoop: channel.eventLoop)
        channel.configureHTTP2SecureUpgrade(
            h2ChannelConfigurator: { channel in
                channel.eventLoop.makeCompletedFuture {
                    try HTTP2Stream.addConnection(
                        to: channel, monitor: boundMonitor.value, environment: environment)
                }
            },
            http1ChannelConfigurator: { channel in
                channel.eventLoop.makeCompletedFuture {
                    try HTTP1Connection.add(
                        to: channel, environment: environment.value, monitor: boundMonitor.value, isTLS: true)
                }
            }
        ).whenFailure { _ in channel.close(promise: nil) }
    }
}

extension NIOLoopBound where Value == ConnectionEnvironment {
    /// Runs `action` on the loop, at once if called there.
    fileprivate func whenOnLoop(_ action: @escaping @Sendable (ConnectionEnvironment) -> Void) {
        if eventLoop.inEventLoop { action(value) } else { eventLoop.execute { action(value) } }
    }
}
