// Dates for people and for JSON (RFC 3339), without time zones.

/// A time in UTC.
package struct UTCDate: Hashable, Sendable {
    package var year, month, day, hour, minute, second: Int

    /// The date of a time; times before 1970 and after the year 9999 are moved to these bounds.
    package init(_ time: UnixTime) {
        let seconds = Int(min(max(0, time.isNaN ? 0 : time), 253_402_300_799))
        (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60)
        // Days to civil dates in the proleptic Gregorian calendar, with years that begin in March.
        let days = seconds / 86400 + 719_468
        let dayOfEra = days % 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shifted = (5 * dayOfYear + 2) / 153
        day = dayOfYear - (153 * shifted + 2) / 5 + 1
        month = shifted < 10 ? shifted + 3 : shifted - 9
        year = yearOfEra + days / 146_097 * 400 + (month <= 2 ? 1 : 0)
    }

    /// "2026-11-29 03:11:50 UTC".
    package var text: String { "\(date) \(clock) UTC" }

    /// "2026-11-29T03:11:50Z" (RFC 3339).
    package var rfc3339: String { "\(date)T\(clock)Z" }

    private var date: String { "\(Self.padded(year, 4))-\(Self.padded(month))-\(Self.padded(day))" }

    private var clock: String { "\(Self.padded(hour)):\(Self.padded(minute)):\(Self.padded(second))" }

    private static func padded(_ number: Int, _ width: Int = 2) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
}
