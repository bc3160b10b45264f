// Why a transfer failed, in words and as a code that a retry policy can switch over. A pure value.
// A message names host and port; it must never hold a header, a body, a query or a key.

/// A failed transfer.
package struct TransportError: Error, Sendable, Equatable {
    /// The kinds of failure that call for different policies.
    package enum Code: Sendable, Hashable, CaseIterable {
        /// There is no such host name, or none with an address.
        case resolve
        /// The host name could not be looked up: the resolver failed, or did not answer. Nothing was sent.
        case resolver
        /// Nothing listens, or the network does not reach the host. Nothing was sent.
        case connect
        /// The connection (name, TCP and TLS together) was not ready in time. Nothing was sent.
        case connectTimeout
        /// The certificate is not to be trusted, or the trust store is unusable. Trying again cannot help.
        case tls
        /// The TLS handshake was cut or refused. Nothing was sent.
        case tlsHandshake
        /// The proxy cannot be found, or refused.
        case proxy
        /// The proxy's address cannot be read. Nothing was sent.
        case proxyAddress
        /// The server closed before its final answer began. The request was sent.
        case emptyReply
        /// The request could not be sent whole, or a kept connection died before the answer: the server may have
        /// acted on it.
        case sendFailed
        /// The connection broke (reset, bad chunk, end inside the headers) while the answer was read.
        case receive
        /// The body ended before the length it promised.
        case partialBody
        /// HTTP/2 ended the stream or the session with an error.
        case http2Stream
        /// The answer is not HTTP as spoken today, its headers are too large, or its encoding cannot be undone.
        case badResponse
        /// Not an absolute http or https URL. Nothing was sent.
        case unsupportedURL
        /// A header's name or value, or the method, must not be sent. Nothing was sent.
        case headerInvalid
        /// The process or the system has no descriptor left.
        case tooManyDescriptors
        /// Anything else; see the message and `curlCode`.
        case other
    }

    /// The kind of failure.
    package var code: Code
    /// One line for people: names host and port, never headers or keys.
    package var message: String
    /// libcurl's CURLcode, or 0 where libcurl was not asked.
    package var curlCode: Int

    /// An error of the given parts.
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
