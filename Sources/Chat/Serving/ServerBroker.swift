// The protocol between a script and the HTTP server that it runs.

package import JSON

/// A script's view of its HTTP server. Commands go down and events come up, as values. All calls are made on the script's
/// thread; the server itself runs on a thread of its own and wakes the script's reactor when there are events.
package protocol ServerBroker: AnyObject {
    /// Starts to listen.
    /// - Throws: ``ServerFailure`` for an address in use, a certificate that cannot be read, a missing token.
    func start(_ spec: ServerSpec) throws(ServerFailure) -> ServerAddress

    /// Queues a command. A command for an exchange that is over is ignored.
    func submit(_ command: ServerCommand)

    /// Passes the queued commands on. Called once a turn of the script's loop.
    func flush()

    /// Removes and returns the events that have come, oldest first.
    func take() -> [ServerEvent]

    /// Accepts nothing more. Exchanges that run may go on for the time given in the specification. Then they are cut, and
    /// ``ServerEvent/stopped`` comes. A second call cuts them at once.
    func stop()

    /// Reads the certificate and the key again, for connections that come later.
    func reloadCertificate()
}

/// Where a server listens.
package struct ServerAddress: Equatable, Sendable {
    /// The URL for clients: "http://127.0.0.1:8080/", or "unix:/run/moonrill.sock".
    package var url: String
    /// The TCP port, given or chosen by the kernel; nil for a Unix socket.
    package var port: Int?

    package init(url: String, port: Int?) {
        self.url = url
        self.port = port
    }
}

/// Why a server cannot start.
package struct ServerFailure: Error, Sendable {
    /// What failed, the value, and what to do.
    package var message: String
    /// The address is taken by another process.
    package var isAddressInUse: Bool

    package init(message: String, isAddressInUse: Bool = false) {
        self.message = message
        self.isAddressInUse = isAddressInUse
    }
}

/// The number of an exchange: one request to the server and its response.
package struct ExchangeID: Hashable, Sendable {
    /// The number.
    package var raw: UInt64

    package init(_ raw: UInt64) { self.raw = raw }
}

/// What a server reports to its script.
package enum ServerEvent: Sendable {
    /// A request for a handler of the script.
    case request(ServedRequest)
    /// Nobody waits for the response any more: the handler is to be cancelled.
    case gone(ExchangeID)
    /// The client reads more slowly than the response grows: send no more until `drained`.
    case congested(ExchangeID)
    /// The client has read what was sent.
    case drained(ExchangeID)
    /// The host asks for the end of the server, as a signal does.
    case stopAsked
    /// The server has ended, and every exchange with it.
    case stopped
}

/// What a script sends to its server.
package enum ServerCommand: Sendable {
    /// The whole response.
    case respond(ExchangeID, ServedResponse)
    /// The response is a stream of chat events. It begins now, before the provider answers.
    case open(ExchangeID, model: String?)
    /// Chat events of the response, in order. `finish` or `failed` ends it.
    case events(ExchangeID, [ChatEvent])
    /// An event of the script's own, with its name; nil for the default event.
    case emit(ExchangeID, name: String?, JSONValue)
    /// The handler waits until the client has read what was sent: `drained` answers, at once if it has.
    case sync(ExchangeID)
    /// The handler has returned without a value: the response ends.
    case end(ExchangeID)
    /// The handler raised an error: 500 with the exchange's request id, or the failure event if the response has begun.
    case raised(ExchangeID)
    /// The end of a request to a provider, for the metrics.
    case report(UpstreamReport)
}

/// How one request to a provider went.
package struct UpstreamReport: Sendable {
    package var provider: String
    package var model: String
    /// "ok" or the kind of the error.
    package var outcome: String
    package var retries: Int
    package var inputTokens: Int
    package var outputTokens: Int
    /// Seconds from the request's start to its first output; nil without any.
    package var firstToken: Double?
    /// Seconds from the request's start to its end.
    package var total: Double?

    package init(
        provider: String, model: String, outcome: String, retries: Int, inputTokens: Int, outputTokens: Int,
        firstToken: Double?, total: Double?
    ) {
        self.provider = provider
        self.model = model
        self.outcome = outcome
        self.retries = retries
        self.inputTokens = inputTokens
        self.outputTokens = outputTokens
        self.firstToken = firstToken
        self.total = total
    }
}
