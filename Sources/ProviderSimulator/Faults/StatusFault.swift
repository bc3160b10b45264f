// Responses of status faults: the error that providers send with each status, and Retry-After.

internal import Formats
internal import Glibc
internal import HTTP

struct StatusFault {
    private let kind: Fault.Kind

    init(_ kind: Fault.Kind) { self.kind = kind }

    func answer(_ request: IncomingRequest, _ format: ServedFormat) -> Answer {
        switch kind {
        case .status(let status, let retry):
            var error = Self.error(status)
            error.retryAfter = retry.flatMap(Self.seconds)
            return Responder.refuse(error, request, format, extra: retry.map(Self.fields) ?? [])
        default: return Responder.refuse(.noQuota, request, format)
        }
    }

    private static func fields(_ hint: RetryHint) -> [(String, String)] {
        switch hint {
        case .text(let text): return [("Retry-After", text)]
        case .milliseconds(let count): return [("retry-after-ms", String(count))]
        case .date(let seconds):
            let now = Int(time(nil))
            return [("Date", HTTPDate.text(now)), ("Retry-After", HTTPDate.text(now + seconds))]
        }
    }

    /// Nil for invalid text, which no provider has in a body.
    private static func seconds(_ hint: RetryHint) -> Double? {
        switch hint {
        case .text(let text): Double(text).flatMap { $0.isFinite && $0 >= 0 ? $0 : nil }
        case .milliseconds(let count): Double(count) / 1_000
        case .date(let seconds): Double(seconds)
        }
    }

    private static func error(_ status: Int) -> ReplyError {
        let (message, type, code): (String, String, String?) =
            switch status {
            case 401: ("Incorrect API key provided.", "invalid_request_error", "invalid_api_key")
            case 403: ("You are not allowed to use this model.", "permission_error", "forbidden")
            case 404: ("The model does not exist.", "invalid_request_error", "model_not_found")
            case 408: ("The request timed out.", "timeout_error", "timeout")
            case 409: ("The request conflicts with another.", "conflict_error", "conflict")
            case 429: ("Rate limit reached for requests.", "requests", "rate_limit_exceeded")
            case 503, 529:
                (ReplyError.overloaded.message, ReplyError.overloaded.type, ReplyError.overloaded.code)
            case 500...: ("The server had an error while processing your request.", "server_error", nil)
            default: ("The request is not valid.", "invalid_request_error", nil)
            }
        return ReplyError(status: status, message: message, type: type, code: code)
    }
}

extension ReplyError {
    /// Overload, as a status or inside a stream.
    static let overloaded = ReplyError(
        status: 529, message: "The server is overloaded. Please try again later.", type: "overloaded_error",
        code: "overloaded")

    /// The 429 that waiting does not fix.
    static let noQuota = ReplyError(
        status: 429, message: "You exceeded your current quota, please check your plan and billing details.",
        type: "insufficient_quota", code: "insufficient_quota")
}
