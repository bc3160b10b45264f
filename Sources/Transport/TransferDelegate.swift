// What a transfer is given (options) and what it tells (delegate, end). Values and one protocol: no curl here.

package import HTTP

/// What one transfer may do and take.
package struct TransferOptions: Sendable {
    /// Seconds for name, TCP and TLS together. There is no other timeout here: first-byte, idle and total limits
    /// belong to the caller, who cancels.
    package var connectTimeout: Double = 10
    /// Bytes of curl's receive buffer, 1,024 to 524,288; nil: 64 KiB while few transfers are open, else 16 KiB.
    package var receiveBuffer: Int?
    /// Bytes allowed for all header blocks and trailers of the answer together.
    package var maxHeaderBytes: Int = 256 * 1024
    /// A PEM file of trusted certificates, used instead of the system's.
    package var caFile: String?
    /// nil: the environment decides (`http_proxy`, `https_proxy`, `all_proxy`, `no_proxy`, by curl's rules);
    /// empty: no proxy; else the proxy's URL.
    package var proxy: String?
    /// Whether to leave kept connections alone and open a new one: for a second try after a kept one died, which must
    /// not meet a second dead one. The new connection is kept afterwards like any other.
    package var freshConnection = false
    /// Receives curl's own account, a line at a time: connecting, TLS, reuse. Never request headers or bodies.
    /// Called inside the turn, on the thread of the `Multi`.
    package var trace: (@Sendable (String) -> Void)?

    /// The defaults.
    package init() {}
}

/// A delegate's answer to body bytes.
package enum BodyVerdict: Sendable, Equatable {
    /// The bytes are consumed.
    case taken
    /// Not now: the transfer pauses, and the same bytes come again after `Multi.resume`.
    case pause
    /// No more is wanted: the connection closes and the end is `.stopped`.
    case stop
}

/// Hears of one transfer. The transfer holds its delegate strongly until the end is delivered or the transfer is
/// cancelled, then lets go. Every call comes from within `Multi.turn`, on its thread.
///
/// From `didReceive` only `cancel`, `pause`, `resume` and `start` may be called on the `Multi`; they take full effect
/// when the callback has returned, within the same turn. From `didEnd` everything but `turn` may be called.
package protocol TransferDelegate: AnyObject {
    /// The final head arrived (1xx blocks are dropped).
    func transfer(_ transfer: Transfer, didReceive head: HTTPResponseHead)
    /// Body bytes arrived, at most 16 KiB, decoded if the server compressed unasked. The span is curl's own buffer.
    func transfer(_ transfer: Transfer, didReceive bytes: Span<UInt8>) -> BodyVerdict
    /// The transfer is over: once, outside curl's callbacks, and never after `cancel`.
    func transfer(_ transfer: Transfer, didEnd end: TransferEnd)
}

/// How a transfer came to its end.
package enum TransferResult: Sendable, Equatable {
    /// HTTP says the answer is whole, or it had no framing and the connection closed. Only the dialect can tell
    /// whether the reply is whole.
    case complete
    /// The delegate answered `.stop`.
    case stopped
    /// The network, the server or the request was at fault.
    case failed(TransportError)
}

/// The account of a transfer that is over.
package struct TransferEnd: Sendable, Equatable {
    /// How it ended.
    package var result: TransferResult
    /// Whether a status line of any block arrived.
    package var sawHead: Bool
    /// Whether the final header block came to its end, and so was delivered.
    package var headComplete: Bool
    /// Body bytes delivered and taken, after decoding.
    package var bodyBytes: Int
    /// Bytes of the request, headers and body, handed to the connection. 0: the server cannot have acted on it.
    package var requestBytesSent: Int
    /// Whether the request went over a connection kept from an earlier one.
    package var reusedConnection: Bool
    /// Address and port really used, as "127.0.0.1:8080" or "[::1]:8080"; nil before a connection.
    package var remoteAddress: String?
    /// The head with which a proxy refused to connect; nil where it did not.
    package var refusingProxy: HTTPResponseHead?
    /// Seconds from the start until the connection stood, TLS included; 0 if kept or never.
    package var connectSeconds: Double
    /// Seconds from the start until the first byte of the answer; nil if none came.
    package var firstByteSeconds: Double?
    /// Seconds from the start to the end.
    package var totalSeconds: Double

    /// An end of the given parts.
    package init(
        result: TransferResult, sawHead: Bool = false, headComplete: Bool = false, bodyBytes: Int = 0,
        requestBytesSent: Int = 0, reusedConnection: Bool = false, remoteAddress: String? = nil,
        refusingProxy: HTTPResponseHead? = nil, connectSeconds: Double = 0, firstByteSeconds: Double? = nil,
        totalSeconds: Double = 0
    ) {
        self.result = result
        self.sawHead = sawHead
        self.headComplete = headComplete
        self.bodyBytes = bodyBytes
        self.requestBytesSent = requestBytesSent
        self.reusedConnection = reusedConnection
        self.remoteAddress = remoteAddress
        self.refusingProxy = refusingProxy
        self.connectSeconds = connectSeconds
        self.firstByteSeconds = firstByteSeconds
        self.totalSeconds = totalSeconds
    }

    /// The failure, if it failed.
    package var error: TransportError? {
        if case .failed(let error) = result { error } else { nil }
    }
}
