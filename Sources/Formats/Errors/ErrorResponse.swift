// Decodes error responses to APIError, for every format.

internal import Base
package import Chat
package import HTTP
internal import JSON

extension APIError {
    /// - Parameter status: the HTTP status of the response. If it is below 300, the status in the report has priority.
    init(_ report: ErrorReport, status: Int? = nil) {
        let status = status.flatMap { $0 < 300 ? nil : $0 } ?? report.status ?? status
        let verdict = ErrorClassifier.classify(
            status: status, words: [report.code, report.type].compactMap(\.self), message: report.message ?? "",
            isLongQuota: report.isLongQuota)
        // The type is more specific than a code that only repeats the status.
        let code = report.code == status.map(String.init) ? report.type ?? report.code : report.code ?? report.type
        let fallback = report.code.map { "the provider reported the error \"\($0)\"" }
        self.init(
            kind: verdict.kind,
            message: report.message ?? fallback ?? "the provider reported an error without a message",
            status: status, code: code, isRetryable: verdict.isRetryable, retryAfter: report.retryAfter,
            requestID: report.requestID)
        rateHeaders = report.rateHeaders
    }
}

/// Decodes error responses of every format.
package enum ErrorResponse {
    /// Decodes an error response of any known shape: JSON in all its variants, the title of an HTML page, plain text,
    /// or an empty body.
    package static func error(head: HTTPResponseHead, body: [UInt8], now: UnixTime) -> APIError {
        var report = Self.report(body)
        if report.message == nil { report.message = describe(head, body: body) }
        var error = APIError(report, status: head.status)
        error.requestID = requestID(head.headers) ?? report.requestID
        error.retryAfter = RetryAfter.seconds(head.headers, now: now) ?? report.retryAfter
        switch head.headers["x-should-retry"].map({ Snippet.trimmed($0).lowercased() }) {
        case "true": error.isRetryable = true
        case "false": error.isRetryable = false
        default: break
        }
        return error
    }

    /// The report of a body: JSON, even after other text (some gateways write a word before it), the title of an HTML
    /// page, or text.
    static func report(_ body: [UInt8]) -> ErrorReport {
        if let report = json(body) { return report }
        if let title = Snippet.htmlTitle(body.span) {
            return ErrorReport(text: title.isEmpty ? "" : "an HTML page: \(title)")
        }
        if let brace = body.firstIndex(of: UInt8(ascii: "{")), let report = json([UInt8](body[brace...])) {
            return report
        }
        return ErrorReport(text: Snippet.of(body.span))
    }

    private static func json(_ body: [UInt8]) -> ErrorReport? {
        do throws(JSONError) {
            return ErrorReport(try JSONReader.value(body))
        } catch {
            return nil  // The caller decodes other bodies.
        }
    }

    /// A message for a response without one.
    static func describe(_ head: HTTPResponseHead, body: [UInt8]) -> String {
        let phrase = phrases[head.status].map { " (\($0))" } ?? ""
        if (300..<400).contains(head.status) {
            let target = head.headers["location"].map { host($0) } ?? "another address"
            return
                "HTTP \(head.status)\(phrase): redirects to \(target), which is not followed, so that no key goes there"
        }
        if head.status == 407 {
            return "HTTP 407\(phrase): the proxy wants a name and a password; they belong into its URL (http_proxy)"
        }
        if body.isEmpty { return "HTTP \(head.status)\(phrase) with an empty body" }
        return "HTTP \(head.status)\(phrase): \(Snippet.of(body.span))"
    }

    /// The first header that has a request id.
    static func requestID(_ headers: HTTPHeaders) -> String? {
        let names = [
            "x-request-id", "request-id", "x-amzn-requestid", "apim-request-id", "x-ms-request-id",
            "x-goog-request-id", "x-generation-id", "x-kong-request-id", "cf-ray",
        ]
        return names.lazy.compactMap { headers[$0] }.first { !$0.isEmpty }
    }

    private static func host(_ location: String) -> String {
        do throws(APIError) {
            return try BaseURL(location).origin
        } catch {
            return "another path"
        }
    }

    /// Status phrases of RFC 9110 section 15, and two that providers added.
    private static let phrases: [Int: String] = [
        301: "Moved Permanently", 302: "Found", 303: "See Other", 307: "Temporary Redirect",
        308: "Permanent Redirect", 400: "Bad Request", 401: "Unauthorized", 402: "Payment Required",
        403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed", 407: "Proxy Authentication Required",
        408: "Request Timeout", 409: "Conflict", 413: "Content Too Large", 415: "Unsupported Media Type",
        422: "Unprocessable Content", 429: "Too Many Requests", 500: "Internal Server Error",
        501: "Not Implemented", 502: "Bad Gateway", 503: "Service Unavailable", 504: "Gateway Timeout",
        524: "A Timeout Occurred", 529: "Site is overloaded",
    ]
}
