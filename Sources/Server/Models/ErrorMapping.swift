// Failures of requests to providers as HTTP errors.

internal import Chat
internal import Formats
internal import HTTP
internal import JSON

/// An error response, before it has the form of a format.
struct HTTPError: Error, Equatable, Sendable {
    var error: ReplyError
    /// Seconds for `Retry-After`.
    var retryAfter: Int?
    /// Whether the same request may succeed later; nil leaves it to the client to judge by the status.
    var isRetryable: Bool?

    init(_ error: ReplyError, retryAfter: Int? = nil, isRetryable: Bool? = nil) {
        self.error = error
        self.retryAfter = retryAfter
        self.isRetryable = isRetryable
    }

    /// The header fields of the response. The clients of OpenAI and Anthropic repeat every request with 429 or 5xx unless
    /// `x-should-retry` forbids it.
    var headers: HTTPHeaders {
        var headers = HTTPHeaders()
        if let retryAfter { headers["retry-after"] = String(retryAfter) }
        if let isRetryable { headers["x-should-retry"] = isRetryable ? "true" : "false" }
        return headers
    }

    /// The response of paths without a wire format: `{"error": {"message", "type", "request_id"}}`.
    func response(requestID: String) -> ServedResponse {
        let body: JSONValue = [
            "error": [
                "message": .string(error.message), "type": .string(error.type), "request_id": .string(requestID),
            ]
        ]
        var response = ServedResponse(status: error.status, type: "application/json", JSONWriter.bytes(body))
        for field in headers { response.headers.add(field.name, field.value) }
        return response
    }
}

enum ErrorMapping {
    /// The longest wait that is passed on, in seconds.
    private static let longestWait = 86_400.0

    /// The error for a failure. `type` and `code` are OpenAI's; the other formats go by the status.
    /// - Parameter format: the name of the caller's format: Anthropic has a status of its own for overload.
    static func error(_ failure: RequestFailure, format: String? = nil) -> HTTPError {
        var error = ReplyError(status: 502, message: failure.message, type: "server_error")
        switch failure.kind {
        case .rateLimit:
            (error.status, error.type, error.code) = (429, "requests", "rate_limit_exceeded")
        case .quota:
            (error.status, error.type, error.code) = (429, "insufficient_quota", "insufficient_quota")
        case .budget:
            (error.status, error.type, error.code) = (429, "insufficient_quota", "budget_exceeded")
        case .overloaded:
            error.status = format == WireFormat.anthropicMessages.name ? 529 : 503
            (error.type, error.code) = ("overloaded_error", "overloaded")
        case .timeout: (error.status, error.code) = (504, "timeout")
        case .network: error.code = "upstream_error"
        case .truncated: error.code = "upstream_error"
        case .protocol: error.code = "upstream_error"
        case .invalidRequest:
            (error.status, error.type) = (status(refusal: failure.status), "invalid_request_error")
            error.code = failure.code.flatMap(word)
        case .auth, .permission, .config:
            error.code = "upstream_error"
            error.message = "The server's own \(part(failure.kind)) failed, not yours: \(failure.message)"
        case .provider:
            if let status = failure.status, [500, 503, 504].contains(status) { error.status = status }
            error.code = "upstream_error"
        case .cancelled: (error.status, error.code) = (503, "cancelled")
        case .journal: (error.status, error.code) = (500, "journal_error")
        }
        let wait = failure.retryAfter.flatMap(seconds)
        error.retryAfter = wait.map(Double.init)
        return HTTPError(error, retryAfter: wait, isRetryable: failure.isRetryable)
    }

    /// The error for a handler that raised an error. The error itself is in the server's log only.
    static func raised(requestID: String) -> HTTPError {
        HTTPError(
            ReplyError(
                status: 500,
                message: "The server's script failed. Its log has the reason under the request's id, \(requestID).",
                type: "server_error", code: "internal_error"),
            isRetryable: false)
    }

    /// The status of a request that the provider refused.
    private static func status(refusal status: Int?) -> Int {
        guard let status, [404, 413, 422].contains(status) else { return 400 }
        return status
    }

    private static func part(_ kind: ErrorKind) -> String { kind == .config ? "configuration" : "credentials" }

    /// A code of the provider, if it is one word: clients look for "context_length_exceeded".
    private static func word(_ code: String) -> String? {
        let isWord =
            (1...64).contains(code.utf8.count)
            && code.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "."):
                    true
                default: false
                }
            }
        return isWord ? code : nil
    }

    private static func seconds(_ wait: Double) -> Int? {
        guard wait.isFinite, wait > 0 else { return nil }
        return Int(min(wait, longestWait).rounded(.up))
    }
}
