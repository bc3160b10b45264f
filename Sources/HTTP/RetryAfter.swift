// The delay that a provider requests in its headers. Invalid values are ignored; the engine then uses its own backoff.

internal import JSON

/// Reads `retry-after-ms` and `Retry-After` (RFC 9110 section 10.2.3).
package enum RetryAfter {
    /// Seconds to wait, 0 or more; nil without a valid header.
    ///
    /// `retry-after-ms` is more precise and has priority, unless it is 0 beside a `Retry-After` (Azure sends
    /// "retry-after: 1, retry-after-ms: 0"). A date is relative to the `Date` header of the response, because the local
    /// clock may be wrong; without that header, to `now`. A past date is 0.
    package static func seconds(_ headers: HTTPHeaders, now: UnixTime) -> Double? {
        let milliseconds = single("retry-after-ms", in: headers).flatMap(number).flatMap { WireNumber.delay($0 / 1000) }
        if let milliseconds, milliseconds > 0 { return milliseconds }
        return single("retry-after", in: headers).flatMap { value in
            number(value).flatMap { WireNumber.delay($0) } ?? wait(until: value, headers: headers, now: now)
        } ?? milliseconds
    }

    private static func wait(until date: String, headers: HTTPHeaders, now: UnixTime) -> Double? {
        guard let date = HTTPDate.parse(date, now: now) else { return nil }
        let sent = headers["date"].flatMap { HTTPDate.parse($0, now: now) }
        return WireNumber.delay(max(0, date - (sent ?? now)))
    }

    /// The value of a header; nil if it is missing, or if it is repeated with different values.
    private static func single(_ name: String, in headers: HTTPHeaders) -> String? {
        var found: String?
        for field in headers where field.name.lowercased() == name {
            if let found, found != field.value { return nil }
            found = field.value
        }
        return found
    }

    /// Digits, optionally with a fraction. Signs, exponents, words and lists are rejected.
    private static func number(_ text: String) -> Double? {
        guard let first = text.utf8.first, (0x30...0x39).contains(first),
            text.utf8.allSatisfy({ (0x30...0x39).contains($0) || $0 == UInt8(ascii: ".") }),
            let value = Double(text)
        else { return nil }
        return value
    }
}
