// What a provider's answer says about its limits. Pure value. Sources: OpenAI's "Rate limits in headers", Anthropic's "Rate
// limits: response headers"; Groq, Mistral, xAI and others send OpenAI's names.

internal import Dialects
internal import Wire

/// The rate headers of one answer.
struct RateReport: Equatable {
    /// How many there are in all, how many are left, and seconds until all are back.
    struct Allowance: Equatable {
        var limit: Double
        var remaining: Double
        var reset: Double?
    }

    var requests: Allowance?
    var tokens: Allowance?

    /// - Parameter now: seconds since 1970, for the dates that Anthropic sends.
    init(_ headers: HTTPHeaders, now: UnixTime) {
        requests = Self.allowance("requests", headers, now)
        tokens = Self.allowance("tokens", headers, now)
    }

    private static func allowance(_ what: String, _ headers: HTTPHeaders, _ now: UnixTime) -> Allowance? {
        for (limit, remaining, reset) in [
            ("x-ratelimit-limit-\(what)", "x-ratelimit-remaining-\(what)", "x-ratelimit-reset-\(what)"),
            (
                "anthropic-ratelimit-\(what)-limit", "anthropic-ratelimit-\(what)-remaining",
                "anthropic-ratelimit-\(what)-reset"
            ),
        ] {
            guard let all = headers[limit].flatMap(count), let left = headers[remaining].flatMap(count), all > 0
            else { continue }
            return Allowance(limit: all, remaining: min(left, all), reset: headers[reset].flatMap { seconds($0, now) })
        }
        return nil
    }

    private static func count(_ text: String) -> Double? { WireNumber.count(text).map { Double($0) } }

    /// A time until: "1s", "6m0s", "120ms", "1h2m3.5s", "0.45", or a moment in RFC 3339.
    static func seconds(_ text: String, _ now: UnixTime) -> Double? {
        if let number = Double(text) { return WireNumber.delay(number) }
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

    private static let units = ["h": 3_600.0, "m": 60, "s": 1, "ms": 0.001, "us": 1e-6, "µs": 1e-6, "ns": 1e-9]

    /// Seconds since 1970 of "2025-06-15T15:06:40Z", with or without a fraction; only UTC is read.
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
