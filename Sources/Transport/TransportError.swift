// Why a transfer failed. A message names host and port, never a header, a body, a query or a key.

/// A failed transfer.
package struct TransportError: Error, Sendable, Equatable {
    /// Kinds of failure that call for different policies.
    package enum Code: Sendable, Hashable, CaseIterable {
        /// The host name does not exist, or has no address.
        case resolve
        /// The lookup of the host name failed or timed out. Nothing was sent.
        case resolver
        /// Nothing listens, or the network does not reach the host. Nothing was sent.
        case connect
        /// The connection (name, TCP and TLS together) timed out. Nothing was sent.
        case connectTimeout
        /// The certificate is not trusted, or the trust store is unusable. A retry cannot help.
        case tls
        /// The TLS handshake failed. Nothing was sent.
        case tlsHandshake
        /// The proxy was not found, or refused.
        case proxy
        /// The proxy's address is unreadable. Nothing was sent.
        case proxyAddress
        /// The server closed before its final answer began. The request was sent.
        case emptyReply
        /// The request could not be sent completely, or a reused connection died before the response: the server may
        /// have acted on it.
        case sendFailed
        /// The connection broke (reset, bad chunk, end inside the headers) during the response.
        case receive
        /// The body ended before its announced length.
        case partialBody
        /// HTTP/2 ended the stream or the session with an error.
        case http2Stream
        /// The response is not HTTP/1.x or HTTP/2, its headers are too large, or its encoding is invalid.
        case badResponse
        /// Not an absolute http or https URL. Nothing was sent.
        case unsupportedURL
        /// A header name or value, or the method, is invalid. Nothing was sent.
        case headerInvalid
        /// No file descriptor is left in the process or the system.
        case tooManyDescriptors
        /// Other; see the message and `curlCode`.
        case other
    }

    /// The kind of failure.
    package var code: Code
    /// One line; names host and port, never headers or keys.
    package var message: String
    /// libcurl's CURLcode; 0 without one.
    package var curlCode: Int

    /// An error with the given parts.
    package init(_ code: Code, _ message: String, curlCode: Int = 0) {
        self.code = code
        self.message = message
        self.curlCode = curlCode
    }
}

extension TransportError: CustomStringConvertible {
    /// The message.
    package var description: String { message }
}
