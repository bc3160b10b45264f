// Transfers through libcurl: hands bytes to attempts, and maps the end of a transfer to an AttemptError. The only file of
// Engine that uses Transport.

internal import Base
internal import Chat
internal import HTTP
internal import Transport

extension Engine {
    /// An engine on the network.
    /// - Throws: an `EngineError` if the system has no descriptors for it.
    package convenience init(_ configuration: EngineConfiguration) throws(EngineError) {
        do throws(TransportError) {
            let multi = try Multi()
            self.init(
                configuration, transport: CurlTransport(multi, configuration),
                wakeHandle: multi.wakeHandle)
            for secret in multi.proxySecrets { context.secrets.add(secret) }
        } catch {
            throw EngineError(message: "the transport cannot start: \(error.message)")
        }
    }
}

/// Carries attempts through libcurl.
final class CurlTransport: AttemptTransport {
    private let multi: Multi
    private let caFile: String?
    private let caFolder: String?
    private var transfers = SequentialTable<Transfer>()

    init(_ multi: Multi, _ configuration: EngineConfiguration) {
        self.multi = multi
        caFile = configuration.caFile
        caFolder = configuration.caFolder
    }

    func start(_ request: HTTPRequest, _ route: TransferRoute, for attempt: Attempt) throws(TransferRefusal)
        -> TransferHandle
    {
        var options = TransferOptions()
        options.connectTimeout = route.connectTimeout
        options.freshConnection = route.isFresh
        options.caFile = caFile
        options.caFolder = caFolder
        if route.isDirect { options.proxy = "" }
        do throws(TransportError) {
            let transfer = try multi.start(request, options: options, delegate: AttemptDelegate(attempt, self))
            transfers[transfer.id] = transfer
            return TransferHandle(raw: transfer.id)
        } catch {
            let end = TransferEnd(result: .failed(error))
            switch TransferEnding(error, of: end, connectTimeout: route.connectTimeout) {
            case .noDescriptors: throw .noDescriptors
            case .failed(let fault): throw .fault(fault)
            case .refusedByProxy(_, let message): throw .fault(AttemptError(.network, message))
            case .complete, .cut: throw .fault(AttemptError(.network, error.message))
            }
        }
    }

    func cancel(_ transfer: TransferHandle) {
        guard let running = transfers[transfer.raw] else { return }
        transfers[transfer.raw] = nil
        multi.cancel(running)
    }

    func pause(_ transfer: TransferHandle) {
        if let transfer = transfers[transfer.raw] { multi.pause(transfer) }
    }

    func resume(_ transfer: TransferHandle) {
        if let transfer = transfers[transfer.raw] { multi.resume(transfer) }
    }

    func turn(waitingUpTo seconds: Double?) { multi.turn(waitingUpTo: seconds) }

    fileprivate func hold(_ transfer: Transfer) { multi.pause(transfer) }
    fileprivate func forget(_ transfer: Transfer) { transfers[transfer.id] = nil }
}

/// Passes the callbacks of a transfer to its attempt.
private final class AttemptDelegate: TransferDelegate {
    private let attempt: Attempt
    private let connectTimeout: Double
    private unowned let transport: CurlTransport

    init(_ attempt: Attempt, _ transport: CurlTransport) {
        self.attempt = attempt
        self.transport = transport
        connectTimeout = attempt.owner?.spec.timeouts.connect ?? 0
    }

    func transfer(_ transfer: Transfer, didReceive head: HTTPResponseHead) {
        attempt.receive(head, proxy: transfer.answeringProxy)
    }

    func transfer(_ transfer: Transfer, didReceive bytes: Span<UInt8>) -> BodyVerdict {
        // The transport keeps bytes that arrive while the request is held, and delivers them again.
        if attempt.isHeld { return .pause }
        switch attempt.receive(bytes) {
        case .go: return .taken
        case .stop: return .stop
        case .hold:
            transport.hold(transfer)
            return .taken
        }
    }

    func transfer(_ transfer: Transfer, didEnd end: TransferEnd) {
        transport.forget(transfer)
        switch end.result {
        case .complete: attempt.ended(.complete)
        case .stopped: attempt.ended(.cut(how: "stopped"))
        case .failed(let error): attempt.ended(TransferEnding(error, of: end, connectTimeout: connectTimeout))
        }
    }
}

extension TransferEnding {
    /// The end of a transfer that failed with a transport error.
    init(_ error: TransportError, of end: TransferEnd, connectTimeout: Double) {
        func failed(_ kind: ErrorKind, _ retry: AttemptError.Retry) -> TransferEnding {
            var fault = AttemptError(kind, error.message, retry: retry)
            fault.wantsFreshConnection = end.reusedConnection
            return .failed(fault)
        }
        // Without a byte sent the provider cannot have acted on the request.
        let silent: AttemptError.Retry =
            end.requestBytesSent > 0 ? .once : end.reusedConnection ? .unsent : .backoff
        self =
            switch error.code {
            case .tls: .failed(.untrustedCertificate(error.message))
            case .proxy where end.refusingProxy != nil:
                .refusedByProxy(end.refusingProxy ?? HTTPResponseHead(status: 0), error.message)
            case .resolve, .proxy: failed(.network, .never)
            case .proxyAddress: failed(.config, .never)
            case .connect, .resolver, .tlsHandshake: failed(.network, .backoff)
            case .connectTimeout: .failed(.connectTimeout(after: connectTimeout, error.message))
            case .emptyReply, .sendFailed: failed(.network, silent)
            case .receive, .partialBody, .http2Stream:
                if end.headComplete {
                    .cut(how: error.message)
                } else if end.sawHead || error.code == .http2Stream {
                    failed(.network, .backoff)
                } else {
                    failed(.network, silent)
                }
            case .badResponse: failed(.protocol, .never)
            case .unsupportedURL: failed(.config, .never)
            case .headerInvalid: failed(.invalidRequest, .never)
            case .tooManyDescriptors: .noDescriptors
            case .other: failed(.network, .once)
            }
    }
}

extension AttemptError {
    /// An untrusted certificate. Behind a company proxy or at a private server the issuer is usually unknown to the system.
    fileprivate static func untrustedCertificate(_ message: String) -> AttemptError {
        AttemptError(
            .network,
            "\(message); SSL_CERT_FILE can name a PEM file with the certificates to trust, SSL_CERT_DIR a folder")
    }

    fileprivate static func connectTimeout(after seconds: Double, _ message: String) -> AttemptError {
        var fault = AttemptError.timeout(.connect, after: seconds)
        fault.error.message += ": \(message)"
        return fault
    }
}
