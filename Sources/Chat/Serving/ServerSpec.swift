// What a script serves, and within which limits: the options of `llm.serve` and of the command as values.

/// A server as a script asks for it.
package struct ServerSpec: Equatable, Sendable {
    /// The address to listen on.
    package var host = "127.0.0.1"
    /// The TCP port; 0 lets the kernel choose.
    package var port = 8080
    /// The path of a Unix socket, in place of host and port.
    package var unixPath: String?
    /// TLS with the certificate chain and the private key of these PEM files.
    package var certificate: CertificateFiles?
    /// The name of the environment variable that holds the token which clients must send.
    package var tokenVariable: String?
    /// Whether an address that other machines can reach may be served without a token.
    package var isOpen = false
    /// Origins of web pages on other sites that may use the server (CORS); "*" for all.
    package var origins: [String] = []
    /// Names under which the server may be asked (the header `Host`), besides its own address and "localhost".
    package var hosts: [String] = []
    /// Whether `X-Forwarded-For` names the client: a proxy of ours sets it.
    package var trustsProxy = false
    /// The routes of the script. Of several that match, the most specific wins.
    package var routes: [RouteSpec] = []
    /// The names of the models. The handler of model n has the number `routes.count + n`.
    package var models: [String] = []
    package var limits = ServerLimits()
    package var streams = StreamSpec()
    /// Seconds that running exchanges get when the server stops.
    package var drain = 10.0

    package init() {}
}

/// The files of a certificate.
package struct CertificateFiles: Equatable, Sendable {
    /// The certificate chain, PEM.
    package var chain: String
    /// The private key, PEM.
    package var key: String

    package init(chain: String, key: String) {
        self.chain = chain
        self.key = key
    }
}

/// One route.
package struct RouteSpec: Equatable, Sendable {
    /// What answers.
    package enum Action: Equatable, Sendable {
        /// The handler of the script with the route's number.
        case handler
        /// The chat page.
        case page(title: String)
        /// Files below a folder. The pattern ends with `*`.
        case files(directory: String)
    }

    package var pattern: RoutePattern
    package var action: Action

    package init(pattern: RoutePattern, action: Action) {
        self.pattern = pattern
        self.action = action
    }
}

/// Bounds on what clients may use.
package struct ServerLimits: Equatable, Sendable {
    /// Open connections.
    package var connections = 10_000
    /// Exchanges that run at the same time; more get 503.
    package var concurrent = 10_000
    /// Requests of one client a minute; nil for no limit. More get 429.
    package var perClientRPM: Double?
    /// Bytes of a body.
    package var bodyBytes = 32 << 20
    /// Bytes of a request's head.
    package var headBytes = 32 << 10
    /// Bytes of a request's target.
    package var targetBytes = 16 << 10
    /// Seconds in which a request's head must be complete.
    package var headSeconds = 10.0
    /// Seconds in which a body must be complete.
    package var bodySeconds = 60.0
    /// Seconds that a connection without requests is kept.
    package var idleSeconds = 75.0

    package init() {}
}

/// How streams are kept for their readers.
package struct StreamSpec: Equatable, Sendable {
    /// Seconds for which an ended stream can be read again.
    package var keptSeconds = 300.0
    /// Bytes of one stream that can be read again.
    package var keptBytes = 1 << 20
    /// Bytes of all streams that can be read again.
    package var totalBytes = 64 << 20
    /// Seconds that a stream goes on without a reader; nil for 10 s if its client reconnects by itself, as EventSource does,
    /// and nearly at once otherwise.
    package var linger: Double?
    /// Seconds between the comments that keep a silent connection open.
    package var heartbeatSeconds = 15.0

    package init() {}
}
