// The members of an error document of any shape, from an error body or a stream.

internal import Base
internal import HTTP
internal import JSON

/// An error as the provider sent it. Decodes all known shapes.
struct ErrorReport: Equatable {
    /// The message, with details of the cause from other members.
    var message: String?
    /// `code` as text.
    var code: String?
    /// `type`, or Google's `status` word.
    var type: String?
    /// An HTTP status inside the document.
    var status: Int?
    /// The provider's request id.
    var requestID: String?
    /// Seconds to wait (Google's RetryInfo).
    var retryAfter: Double?
    /// Rate headers in the body: OpenRouter "Limits", `error.metadata.headers`.
    var rateHeaders = HTTPHeaders()
    /// Whether a quota of a day or more is exhausted: Google's `QuotaFailure` (google.rpc, "Rate limits" of the Gemini
    /// API).
    var isLongQuota = false

    /// Decodes a document. A value of unknown shape gives an empty report.
    init(_ value: JSONValue) { read(value, depth: 0) }

    /// An error that consists of text only.
    init(text: String) { message = Self.trimmed(text) }

    private mutating func read(_ value: JSONValue, depth: Int) {
        guard depth < 4 else { return }
        switch value {
        case .string(let text): if message == nil { message = Self.trimmed(text) }
        case .array(let elements): if let first = elements.first { read(first, depth: depth + 1) }
        case .object(let object): read(object, depth: depth)
        default: break
        }
    }

    /// The innermost error has priority; missing members are taken from the enclosing objects.
    private mutating func read(_ object: JSONObject, depth: Int) {
        for key in ["error", "errors"] {
            if let inner = object[key], inner.array != nil || inner.object != nil || inner.string != nil {
                read(inner, depth: depth + 1)
            }
        }
        readMessage(object, depth: depth)
        readCodes(object)
        requestID = requestID ?? Self.text(object["request_id"]) ?? Self.text(object["requestId"])
        if let details = object["details"]?.array {
            readRetryInfo(details)
            readQuotaFailure(details)
        }
        for member in object["metadata"]?["headers"]?.object?.members ?? [] where member.key.utf8.count < 64 {
            if let value = Self.text(member.value) { rateHeaders.add(member.key, value) }
        }
    }

    private mutating func readMessage(_ object: JSONObject, depth: Int) {
        for key in ["message", "msg", "detail", "error_message", "error_msg", "error_description", "title"] {
            guard message == nil, let value = object[key] else { continue }
            if case .array(let problems) = value {
                message = Self.trimmed(problems.compactMap(Self.problem).joined(separator: "; "))
            } else {
                read(value, depth: depth + 1)
            }
        }
        // OpenRouter's message is "Provider returned error"; the cause is in `metadata.raw`.
        if let metadata = object["metadata"]?.object, let raw = Self.text(metadata["raw"]) {
            let provider = Self.text(metadata["provider_name"]).map { "\($0): " } ?? ""
            message = "\(message ?? "the upstream provider failed") (\(provider)\(Snippet.of(raw, limit: 500)))"
        }
    }

    private mutating func readCodes(_ object: JSONObject) {
        code = code ?? Self.text(object["code"])
        let types = [object["type"], object["error_type"], object["status"]?.string.map { .string($0) }]
        type = type ?? types.lazy.compactMap { Self.text($0) }.first { $0 != "error" }
        let statuses = [object["status_code"], object["status"], object["raw_status_code"], object["code"]]
        status =
            status
            ?? statuses.lazy.compactMap { value in
                (value?.int ?? value?.string.flatMap { Int64($0) }).flatMap { Int(exactly: $0) }
            }.first { (400...599).contains($0) }
    }

    private mutating func readRetryInfo(_ details: [JSONValue]) {
        for detail in details {
            guard retryAfter == nil, let delay = detail["retryDelay"]?.string, delay.hasSuffix("s"),
                let seconds = Double(delay.dropLast()).flatMap({ WireNumber.delay($0) })
            else { continue }
            retryAfter = seconds
        }
    }

    /// Reads `violations[].quotaId`, such as "GenerateRequestsPerDayPerProjectPerModel-FreeTier". ErrorInfo has the
    /// same id as `quota_limit`.
    private mutating func readQuotaFailure(_ details: [JSONValue]) {
        for detail in details {
            var names = (detail["violations"]?.array ?? []).flatMap { [$0["quotaId"], $0["quotaMetric"]] }
            names.append(detail["metadata"]?["quota_limit"])
            for name in names {
                let word = (name?.string ?? "").lowercased().filter(\.isLetter)
                if word.contains("perday") || word.contains("permonth") { isLongQuota = true }
            }
        }
    }

    /// The text of one problem in a validation report: {"loc": ["body", "n"], "msg": "..."} or a plain string.
    private static func problem(_ value: JSONValue) -> String? {
        if let text = value.string { return text }
        guard let words = text(value["msg"]) ?? text(value["message"]) else { return nil }
        let place = (value["loc"]?.array ?? []).compactMap { text($0) }.joined(separator: ".")
        return place.isEmpty ? words : "\(place): \(words)"
    }

    private static func text(_ value: JSONValue?) -> String? {
        switch value {
        case .string(let text): trimmed(text)
        case .int(let number): String(number)
        default: nil
        }
    }

    private static func trimmed(_ text: String) -> String? {
        let text = Snippet.trimmed(text)
        return text.isEmpty ? nil : text
    }
}
