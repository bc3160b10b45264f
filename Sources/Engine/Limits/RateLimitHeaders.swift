// Rate limits in a provider's response.
//
// Sources: OpenAI "Rate limits in headers" (x-ratelimit-limit-requests), also Groq, xAI and others; Anthropic "Response headers"
// (anthropic-ratelimit-requests-limit); Cerebras "Rate limits" (x-ratelimit-remaining-requests-day); Mistral
// (ratelimitbysize-remaining); IETF draft "RateLimit header fields for HTTP" (ratelimit-remaining; ratelimit: "name";r=0;t=30);
// OpenRouter "Limits" (x-ratelimit-reset in milliseconds since 1970).

internal import HTTP
internal import JSON

/// The rate headers of one response.
struct RateLimitHeaders: Equatable {
    /// One limit: requests or tokens, optionally of a window.
    struct Allowance: Equatable {
        /// For messages: "requests per key", "tokens per day".
        var name: String
        var isTokens: Bool
        /// The total; nil if only the remainder is sent.
        var limit: Double?
        var remaining: Double
        /// Seconds until the total is available again.
        var reset: Double?
        /// The allowance refills continuously, not at the end of a window.
        var isContinuous: Bool

        /// Seconds until a request is possible; nil if some are left or no reset is sent.
        var wait: Double? {
            guard let reset, reset > 0 else { return nil }
            guard isContinuous, let limit else { return remaining < 1 ? reset : nil }
            // Waits for a tenth of the tokens: a request needs more than one.
            if isTokens { return remaining < max(1, limit / 50) ? reset / 10 : nil }
            return remaining < 1 ? 1 / refill(reset, limit) : nil
        }

        /// Requests refilled per second.
        func refill(_ reset: Double, _ limit: Double) -> Double {
            // One less than used: `remaining` is rounded down.
            max(1, limit - remaining - 1) / reset
        }
    }

    private(set) var allowances: [Allowance] = []

    /// Longest wait for a limit, in seconds.
    var wait: Double? { allowances.compactMap(\.wait).max() }

    /// - Parameter now: seconds since 1970, for absolute times in headers.
    init(_ headers: HTTPHeaders, now: UnixTime) {
        var found: [(name: Substring, fields: Fields)] = []
        for header in headers {
            guard Self.mayName(header.name) else { continue }
            let name = header.name.lowercased()
            if name == "ratelimit" {
                Self.readFields(header.value, into: &found)
            } else if let (what, role) = Self.parse(name[...]) {
                Self.set(role, header.value, of: what, in: &found)
            }
        }
        allowances = found.compactMap { Self.allowance($0.name, $0.fields, now) }
    }

    // MARK: Names

    /// Whether a name has "ratelimit". Looks at bytes: most responses have a dozen headers and no such name.
    private static func mayName(_ name: String) -> Bool {
        var matched = 0
        for byte in name.utf8 {
            let letter = byte | 0x20
            if letter == word[matched] { matched += 1 } else { matched = letter == word[0] ? 1 : 0 }
            if matched == word.count { return true }
        }
        return false
    }

    /// Its first letter occurs once, so that a failed match begins again at once.
    private static let word = Array("ratelimit".utf8)

    private enum Role: String { case limit, remaining, reset }

    private struct Fields {
        var limit: String?
        var remaining: String?
        var reset: String?
        var isAnthropic = false
    }

    /// Subject and role of "x-ratelimit-limit-requests-day" or "anthropic-ratelimit-requests-limit".
    private static func parse(_ name: Substring) -> (what: Substring, role: Role)? {
        guard let place = name.firstRange(of: "ratelimit") else { return nil }
        let vendor = name[..<place.lowerBound]
        var rest = name[place.upperBound...]
        var prefix = vendor == "anthropic-" ? "anthropic:" : ""
        if rest.hasPrefix("bysize") {
            rest = rest.dropFirst("bysize".count)
            prefix = "bysize:"
        }
        guard rest.first == "-" else { return nil }
        rest = rest.dropFirst()
        for role in [Role.limit, .remaining, .reset] {
            let word = role.rawValue
            if rest == word { return (prefix[...], role) }
            if rest.hasPrefix(word + "-") { return ((prefix + rest.dropFirst(word.count + 1))[...], role) }
            if rest.hasSuffix("-" + word) { return ((prefix + rest.dropLast(word.count + 1))[...], role) }
        }
        return nil
    }

    private static func set(
        _ role: Role, _ value: String, of what: Substring, in found: inout [(name: Substring, fields: Fields)]
    ) {
        let index = found.firstIndex { $0.name == what } ?? found.count
        if index == found.count { found.append((what, Fields(isAnthropic: what.hasPrefix("anthropic:")))) }
        switch role {
        case .limit: found[index].fields.limit = value
        case .remaining: found[index].fields.remaining = value
        case .reset: found[index].fields.reset = value
        }
    }

    /// `"default";r=0;t=30`, and `limit=100, remaining=0, reset=30` of earlier drafts.
    private static func readFields(_ value: String, into found: inout [(name: Substring, fields: Fields)]) {
        let roles: [Substring: Role] = [
            "r": .remaining, "remaining": .remaining, "t": .reset, "reset": .reset, "q": .limit, "limit": .limit,
        ]
        var policy: Substring = ""
        for part in value.split(whereSeparator: { ";,".contains($0) }) {
            let sides = part.split(separator: "=", maxSplits: 1).map { $0.drop(while: { $0 == " " }) }
            if sides.count == 2, let role = roles[sides[0]] {
                set(role, String(sides[1]), of: policy, in: &found)
            } else if let name = sides.first, name.first == "\"" {
                policy = name.filter { $0 != "\"" }[...]
            }
        }
    }

    private static func allowance(_ name: Substring, _ fields: Fields, _ now: UnixTime) -> Allowance? {
        guard let remaining = fields.remaining.flatMap(count) else { return nil }
        let limit = fields.limit.flatMap(count)
        if fields.limit != nil, limit ?? 0 <= 0 { return nil }
        let words = name.split { "-_:".contains($0) }
        let isTokens = words.contains { $0.hasPrefix("token") } || words.first == "bysize"
        let spans: Set<Substring> = ["second", "minute", "hour", "day", "week", "month"]
        let span = words.first(where: spans.contains)
        let isOfOneMoment = fields.reset.flatMap(Double.init).map { $0 >= Self.firstMoment } ?? false
        return Allowance(
            name: (isTokens ? "tokens" : "requests") + " per " + (span ?? "key"), isTokens: isTokens, limit: limit,
            remaining: limit.map { min(remaining, $0) } ?? remaining,
            reset: fields.reset.flatMap { seconds($0, now) },
            isContinuous: span == nil && !isOfOneMoment && words.first != "bysize"
                && words.contains { $0.hasPrefix("token") || $0.hasPrefix("request") })
    }

    // MARK: Values

    /// A count; the first of "50, 50;w=1".
    private static func count(_ text: String) -> Double? {
        WireNumber.count(String(text.prefix { $0 != "," && $0 != ";" && $0 != " " })).map { Double($0) }
    }

    /// Numbers from here are absolute seconds since 1970; from a thousand times it, milliseconds.
    private static let firstMoment = 1e9

    /// Time until "1s", "6m0s", "120ms", "1h2m3.5s", "0.45", or an absolute time in seconds or milliseconds since
    /// 1970 or in RFC 3339.
    static func seconds(_ text: String, _ now: UnixTime) -> Double? {
        if let number = Double(text) {
            if number >= firstMoment * 1_000 { return WireNumber.delay(max(0, number / 1_000 - now)) }
            if number >= firstMoment { return WireNumber.delay(max(0, number - now)) }
            return WireNumber.delay(number)
        }
        if let moment = moment(text) { return WireNumber.delay(max(0, moment - now)) }
        var rest = text[...]
        var sum = 0.0
        while !rest.isEmpty {
            let digits = rest.prefix { $0.isNumber || $0 == "." }
            let unit = rest.dropFirst(digits.count).prefix { $0.isLetter }
            guard let number = Double(digits), let factor = units[String(unit)] else { return nil }
            sum += number * factor
            rest = rest.dropFirst(digits.count + unit.count)
        }
        return WireNumber.delay(sum)
    }

    private static let units = [
        "d": 86_400.0, "h": 3_600.0, "m": 60, "s": 1, "ms": 0.001, "us": 1e-6, "µs": 1e-6, "ns": 1e-9,
    ]

    /// Seconds since 1970 of "2025-06-15T15:06:40Z", with or without a fraction; UTC only.
    private static func moment(_ text: String) -> Double? {
        let parts = text.split { "-T:Z".contains($0) }
        guard text.hasSuffix("Z"), parts.count == 6, let year = Int(parts[0]), let month = Int(parts[1]),
            let day = Int(parts[2]), let hour = Double(parts[3]), let minute = Double(parts[4]),
            let second = Double(parts[5]), (0..<24).contains(hour), (0..<60).contains(minute),
            (0..<61).contains(second),
            let days = HTTPDate.daysSince1970(year: year, month: month, day: day)
        else { return nil }
        return Double(days) * 86_400 + hour * 3_600 + minute * 60 + second
    }
}
