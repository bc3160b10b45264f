// Options, delegate and end of a transfer.

package import HTTP

/// Options of one transfer.
package struct TransferOptions: Sendable {
    /// Timeout for name, TCP and TLS together, in seconds. First-byte, idle and total timeouts belong to the caller,
    /// who cancels.
    package var connectTimeout: Double = 10
    /// Bytes of curl's receive buffer, 1,024 to 524,288; nil: 64 KiB while fewer than 16 transfers are open,
    /// 16 KiB below 64, 2 KiB below 512, else 1 KiB.
    package var receiveBuffer: Int?
    /// Limit of all header blocks and trailers of the response together, in bytes.
    package var maxHeaderBytes: Int = 256 * 1024
    /// PEM file of trusted certificates, and folder with one certificate a file by hash (openssl-rehash(1)). Either
    /// replaces those of the system.
    package var caFile: String?
    package var caFolder: String?
    /// nil: the environment decides (`http_proxy`, `https_proxy`, `all_proxy`, `no_proxy`, by curl's rules); empty:
    /// no proxy; else the proxy's URL.
    package var proxy: String?
    /// Opens a new connection instead of an idle one: after an idle connection died, a second attempt must not meet
    /// another dead one. The new connection is kept for reuse.
    package var freshConnection = false
    /// Receives curl's notes by line: connecting, TLS, reuse. Never headers or bodies. Called inside the turn, on the
    /// thread of the `Multi`.
    package var trace: (@Sendable (String) -> Void)?

    /// The defaults.
    package init() {}
}

/// Result of `didReceive`.
package enum BodyVerdict: Sendable, Equatable {
    /// The bytes are consumed.
    case taken
    /// Not now: the transfer pauses, and the same bytes come again after `Multi.resume`.
    case pause
    /// Stop: the connection closes and the end is `.stopped`.
    case stop
}

/// Observes one transfer, which holds it strongly until the end is delivered or the transfer is cancelled. All calls
/// come from `Multi.turn`, on its thread.
///
/// `didReceive` may only call `cancel`, `pause`, `resume` and `start` of the `Multi`; they take effect after the
/// callback, within the same turn. `didEnd` may call everything except `turn`.
package protocol TransferDelegate: AnyObject {
    /// The final head arrived (1xx blocks are dropped).
    func transfer(_ transfer: Transfer, didReceive head: HTTPResponseHead)
    /// Body bytes arrived, at most 16 KiB, decoded if the server compressed without being asked. The span is curl's
    /// buffer.
    func transfer(_ transfer: Transfer, didReceive bytes: Span<UInt8>) -> BodyVerdict
    /// The transfer ended: once, outside curl's callbacks, never after `cancel`.
    func transfer(_ transfer: Transfer, didEnd end: TransferEnd)
}

/// How a transfer ended.
package enum TransferResult: Sendable, Equatable {
    /// The response is complete by HTTP, or it had no framing and the connection closed. Only the wire format knows
    /// whether the reply is complete.
    case complete
    /// The delegate returned `.stop`.
    case stopped
    /// The network, the server or the request failed.
    case failed(TransportError)
}

/// Summary of an ended transfer.
package struct TransferEnd: Sendable, Equatable {
    /// How it ended.
    package var result: TransferResult
    /// Whether a status line of any block arrived.
    package var sawHead: Bool
    /// Whether the final header block ended, and so was delivered.
    package var headComplete: Bool
    /// Body bytes delivered, after decoding.
    package var bodyBytes: Int
    /// Bytes of the request handed to the connection. 0: the server cannot have acted on it.
    package var requestBytesSent: Int
    /// Whether a reused connection carried the request.
    package var reusedConnection: Bool
    /// Address and port, as "127.0.0.1:8080" or "[::1]:8080"; nil without a connection.
    package var remoteAddress: String?
    /// Head with which a proxy refused a tunnel, or nil.
    package var refusingProxy: HTTPResponseHead?
    /// Seconds until the connection was established, TLS included; 0 if reused or never.
    package var connectSeconds: Double
    /// Seconds until the first byte of the response; nil without one.
    package var firstByteSeconds: Double?
    /// Seconds from start to end.
    package var totalSeconds: Double

    /// An end with the given parts.
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
