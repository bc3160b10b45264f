// The answers of status faults: the error bodies that providers send with each status, and Retry-After.

internal import Glibc

struct StatusFault {
    private let kind: Fault.Kind

    init(_ kind: Fault.Kind) { self.kind = kind }

    func answer(_ request: IncomingRequest, _ dialect: any SimulatedFormat) -> Answer {
        switch kind {
        case .status(let status, let retry):
            var refusal = Self.refusal(status)
            refusal.retryAfter = retry.flatMap(Self.seconds)
            return Responder.refuse(refusal, request, dialect, extra: retry.map(Self.fields) ?? [])
        default: return Responder.refuse(.noQuota, request, dialect)
        }
    }

    private static func fields(_ hint: RetryHint) -> [(String, String)] {
        switch hint {
        case .text(let text): return [("Retry-After", text)]
        case .milliseconds(let count): return [("retry-after-ms", String(count))]
        case .date(let seconds):
            let now = Int(time(nil))
            return [("Date", ResponseHead.date(now)), ("Retry-After", ResponseHead.date(now + seconds))]
        }
    }

    /// Nil for what makes no sense: a body would not say it.
    private static func seconds(_ hint: RetryHint) -> Double? {
        switch hint {
        case .text(let text): Double(text).flatMap { $0.isFinite && $0 >= 0 ? $0 : nil }
        case .milliseconds(let count): Double(count) / 1_000
        case .date(let seconds): Double(seconds)
        }
    }

    private static func refusal(_ status: Int) -> RequestRefusal {
        let (message, type, code): (String, String, String?) =
            switch status {
            case 401: ("Incorrect API key provided.", "invalid_request_error", "invalid_api_key")
            case 403: ("You are not allowed to use this model.", "permission_error", "forbidden")
            case 404: ("The model does not exist.", "invalid_request_error", "model_not_found")
            case 408: ("The request timed out.", "timeout_error", "timeout")
            case 409: ("The request conflicts with another.", "conflict_error", "conflict")
            case 429: ("Rate limit reached for requests.", "requests", "rate_limit_exceeded")
            case 503, 529:
                (RequestRefusal.overloaded.message, RequestRefusal.overloaded.type, RequestRefusal.overloaded.code)
            case 500...: ("The server had an error while processing your request.", "server_error", nil)
            default: ("The request is not valid.", "invalid_request_error", nil)
            }
        return RequestRefusal(status: status, message: message, type: type, code: code)
    }
}

extension RequestRefusal {
    /// Overload, as a status or inside a stream.
    static let overloaded = RequestRefusal(
        status: 529, message: "The server is overloaded. Please try again later.", type: "overloaded_error",
        code: "overloaded")

    /// The 429 that waiting does not heal.
    static let noQuota = RequestRefusal(
        status: 429, message: "You exceeded your current quota, please check your plan and billing details.",
        type: "insufficient_quota", code: "insufficient_quota")
}
