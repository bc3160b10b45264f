// Classifies errors of providers for all formats: statuses, error bodies and errors inside streams. No other code reads
// provider error codes.

package import Chat

/// Assigns a kind to a provider's error, and decides whether it is retryable.
package enum ErrorClassifier {
    /// A classified error.
    package struct Verdict: Sendable, Equatable {
        package var kind: ErrorKind
        /// Whether the same request may succeed later.
        package var isRetryable: Bool

        package init(_ kind: ErrorKind, isRetryable: Bool = false) {
            self.kind = kind
            self.isRetryable = isRetryable
        }
    }

    /// Classifies by status and by the provider's codes. A code that is more specific than the status has priority: an
    /// exhausted quota with status 429 is not retryable, and an unknown key with status 400 is not a malformed request.
    /// - Parameters:
    ///   - status: the HTTP status, or the one in the error of a stream; nil if neither is known.
    ///   - words: the provider's code and type strings, as sent.
    ///   - message: the provider's message, for errors that some providers send without a code.
    ///   - isLongQuota: whether the body reports that a quota of a day or more is exhausted.
    package static func classify(
        status: Int?, words: [String], message: String, isLongQuota: Bool = false
    ) -> Verdict {
        let words = words.map(normalised)
        if isLongQuota, status == nil || status == 429 { return Verdict(.quota) }
        if let verdict = byCode(words, status: status) { return verdict }
        if let verdict = byProse(message.lowercased(), status: status, words: words) { return verdict }
        if let status, let verdict = byStatus(status) { return verdict }
        return words.lazy.compactMap(byType).first ?? Verdict(.provider)
    }

    // MARK: Codes more specific than the status

    private static let quotaCodes: Set<String> = [
        "insufficient_quota", "billing_hard_limit_reached", "billing_not_active", "billing_error",
        "payment_required", "payment_required_error", "insufficient_balance", "insufficient_credits",
        "credit_balance_too_low",
        "exceeded_current_quota_error",  // Moonshot, under 429
        "arrearage",  // DashScope, under 400
        "1113",  // Zhipu, under 429: the account is in arrears
    ]
    private static let keyCodes: Set<String> = [
        "invalid_api_key", "api_key_invalid", "incorrect_api_key", "invalid_authentication_error",
        "authentication_error", "unauthenticated", "unauthorized", "missing_api_key",
    ]
    private static let overloadCodes: Set<String> = [
        "overloaded", "overloaded_error", "engine_overloaded_error", "engine_overloaded", "model_overloaded",
        "server_overloaded", "server_busy", "unavailable", "service_unavailable", "service_unavailable_error",
    ]

    private static func byCode(_ words: [String], status: Int?) -> Verdict? {
        let mayOutweigh = status.map { (400...599).contains($0) || $0 < 300 } ?? true
        guard mayOutweigh else { return nil }
        if words.contains(where: quotaCodes.contains) { return Verdict(.quota) }
        if status != 403, words.contains(where: keyCodes.contains) { return Verdict(.auth) }
        if words.contains(where: overloadCodes.contains) { return Verdict(.overloaded, isRetryable: true) }
        return nil
    }

    // MARK: Errors without a code

    private static let quotaProse = [
        "insufficient balance", "insufficient quota", "insufficient credits", "credit balance is too low",
        "out of credits", "used all available credits", "exceeded your current quota", "billing hard limit",
    ]
    // Limits that are not overcome by waiting: OpenRouter "free-models-per-day", OpenAI and Groq "requests per day
    // (RPD)", Cohere "1000 API calls / month". Applied with status 429, or to a rate limit error in a stream.
    private static let longQuotaProse = [
        "per day", "per-day", "per_day", "/day", "/ day", "(rpd)", "(tpd)", "daily limit", "daily quota",
        "daily request",
        "daily token", "daily rate", "daily usage", "per month", "per-month", "/month", "/ month", "monthly limit",
        "monthly quota", "monthly usage",
    ]
    fileprivate static let concurrencyProse = [
        "concurren", "simultaneous", "parallel request", "too many connections",
    ]
    private static let keyProse = [
        "incorrect api key", "invalid api key", "api key not valid", "invalid x-api-key", "no api key",
    ]
    // Ollama has no code for overload.
    private static let overloadProse = ["overloaded", "server busy", "server is busy"]

    private static func byProse(_ message: String, status: Int?, words: [String]) -> Verdict? {
        // Google reports every per-minute limit as an exceeded quota, with a RetryInfo; those are retryable.
        let isGoogleLimit = words.contains("resource_exhausted")
        if !isGoogleLimit, status.map({ [400, 402, 403, 429].contains($0) }) ?? true,
            quotaProse.contains(where: message.contains)
        {
            return Verdict(.quota)
        }
        if status == 429 || (status == nil && words.contains { byType($0)?.kind == .rateLimit }),
            longQuotaProse.contains(where: message.contains)
        {
            return Verdict(.quota)
        }
        // xAI responds to a wrong key with status 400 and code "invalid-argument".
        if status == 400 || status == nil, keyProse.contains(where: message.contains) { return Verdict(.auth) }
        if status.map({ $0 >= 500 }) ?? true, overloadProse.contains(where: message.contains) {
            return Verdict(.overloaded, isRetryable: true)
        }
        return nil
    }

    // MARK: Statuses and types

    private static func byStatus(_ status: Int) -> Verdict? {
        switch status {
        case 401: Verdict(.auth)
        case 402: Verdict(.quota)
        case 403: Verdict(.permission)
        case 407: Verdict(.network)
        case 408, 409, 425, 499: Verdict(.provider, isRetryable: true)
        case 429: Verdict(.rateLimit, isRetryable: true)
        case 400..<500: Verdict(.invalidRequest)
        case 503, 529: Verdict(.overloaded, isRetryable: true)
        case 500..<600: Verdict(.provider, isRetryable: true)
        case 300..<400: Verdict(.config)
        default: nil
        }
    }

    private static func byType(_ word: String) -> Verdict? {
        switch word {
        case "invalid_request_error", "invalid_request", "bad_request", "invalid_argument", "failed_precondition",
            "not_found_error", "not_found", "model_not_found", "request_too_large", "context_length_exceeded",
            "unprocessable_entity", "invalid_model", "tool_use_failed", "validation_error", "validation":
            Verdict(.invalidRequest)
        // The codes of a failed response (https://platform.openai.com/docs/api-reference/responses/object).
        case "invalid_prompt", "invalid_image", "invalid_image_format", "invalid_base64_image", "invalid_image_url",
            "image_too_large", "image_too_small", "image_parse_error", "image_content_policy_violation",
            "invalid_image_mode", "image_file_too_large", "unsupported_image_media_type", "empty_image_file",
            "failed_to_download_image", "image_file_not_found":
            Verdict(.invalidRequest)
        case "permission_error", "permission_denied", "forbidden", "access_denied": Verdict(.permission)
        case "rate_limit_error", "rate_limit_exceeded", "rate_limit", "rate_limit_reached", "resource_exhausted",
            "too_many_requests", "throttling", "1302", "1303", "1305":
            Verdict(.rateLimit, isRetryable: true)
        case "api_error", "server_error", "internal_server_error", "internal_error", "internal", "timeout_error",
            "timeout", "vector_store_timeout", "deadline_exceeded", "aborted", "upstream_error", "bad_gateway",
            "gateway_timeout":
            Verdict(.provider, isRetryable: true)
        default: nil
        }
    }

    /// Converts "InvalidApiKey" and "invalid-argument" to "invalid_api_key" and "invalid_argument".
    private static func normalised(_ word: String) -> String {
        var out: [UInt8] = []
        var previousIsLower = false
        for byte in word.utf8 {
            let isUpper = (0x41...0x5A).contains(byte)
            if isUpper, previousIsLower { out.append(UInt8(ascii: "_")) }
            previousIsLower = (0x61...0x7A).contains(byte)
            switch byte {
            case UInt8(ascii: "-"), UInt8(ascii: " "), UInt8(ascii: "."): out.append(UInt8(ascii: "_"))
            default: out.append(isUpper ? byte | 0x20 : byte)
            }
        }
        return String(decoding: out, as: UTF8.self)
    }
}

extension APIError {
    /// True for a limit of concurrent requests: kind `overloaded` (503 and 529), or a message or code that mentions
    /// concurrency (Mistral and Z.ai "concurrency", Anthropic "concurrent connections"; sent with 429).
    package var isAboutConcurrency: Bool {
        if kind == .overloaded { return true }
        let words = (message + " " + (code ?? "")).lowercased()
        return ErrorClassifier.concurrencyProse.contains(where: words.contains)
    }
}
