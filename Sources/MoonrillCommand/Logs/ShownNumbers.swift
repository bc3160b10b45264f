// Numbers, sizes and times as the commands logs and jobs print them.

internal import HTTP

enum ShownNumber {
    /// A number with a fixed count of digits after the point.
    static func fixed(_ number: Double, _ digits: Int) -> String {
        guard number.isFinite, abs(number) < 1e9 else { return "\(number)" }
        var scale = 1.0
        for _ in 0..<digits { scale *= 10 }
        let scaled = (abs(number) * scale).rounded()
        let whole = Int(scaled / scale)
        let rest = String(Int(scaled - Double(whole) * scale))
        let sign = number < 0 && scaled > 0 ? "-" : ""
        guard digits > 0 else { return sign + "\(whole)" }
        return sign + "\(whole)." + String(repeating: "0", count: digits - rest.count) + rest
    }

    /// US dollars; "-" if not known. Small amounts have more digits.
    static func dollars(_ amount: Double?) -> String {
        amount.map { "$" + fixed($0, $0 == 0 || $0 >= 0.01 ? 4 : 6) } ?? "-"
    }

    static func seconds(_ seconds: Double?) -> String { seconds.map { fixed($0, $0 < 10 ? 2 : 1) } ?? "-" }

    static func count(_ count: Int?) -> String { count.map(String.init) ?? "-" }

    /// "1 request", "2 requests".
    static func count(_ count: Int, _ noun: String) -> String { "\(count) \(noun)\(count == 1 ? "" : "s")" }

    /// A size in binary multiples.
    static func bytes(_ bytes: Int64) -> String {
        var value = Double(bytes)
        for unit in ["bytes", "KiB", "MiB", "GiB"] {
            if value < 1024 { return unit == "bytes" ? "\(bytes) bytes" : "\(fixed(value, 1)) \(unit)" }
            value /= 1024
        }
        return "\(fixed(value, 1)) TiB"
    }

    /// "2026-11-29 03:11:50", in UTC.
    static func time(_ time: Double) -> String { String(UTCDate(time).text.dropLast(4)) }
}
