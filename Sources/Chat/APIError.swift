// An error that a provider reports, classified.

package import HTTP

/// What kind of failure this is: `err.kind` of the Lua API.
public enum ErrorKind: String, Codable, Sendable {
    case config, auth, permission
    case invalidRequest = "invalid_request"
    case rateLimit = "rate_limit"
    case quota, overloaded, timeout, network, truncated, `protocol`, provider, cancelled, budget
    /// The record of a request could not be written or read.
    case journal
}

/// An error that a provider reported: in a status, in a body, or inside the stream.
package struct APIError: Error, Sendable, Equatable {
    /// The classified kind.
    package var kind: ErrorKind
    /// The provider's message, or one made here if it sent none. Never empty.
    package var message: String
    /// The HTTP status of the response, or the one named in the stream.
    package var status: Int?
    /// The provider's code or type string, as sent.
    package var code: String?
    /// Whether the same request may succeed later.
    package var isRetryable: Bool
    /// Seconds the provider asks to wait.
    package var retryAfter: Double?
    /// Rate headers in the error's body (OpenRouter: `error.metadata.headers`).
    package var rateHeaders = HTTPHeaders()
    /// The provider's id of the request.
    package var requestID: String?

    /// An error with the given parts.
    package init(
        kind: ErrorKind, message: String, status: Int? = nil, code: String? = nil, isRetryable: Bool = false,
        retryAfter: Double? = nil, requestID: String? = nil
    ) {
        self.kind = kind
        self.message = message
        self.status = status
        self.code = code
        self.isRetryable = isRetryable
        self.retryAfter = retryAfter
        self.requestID = requestID
    }
}
