// Dates in HTTP headers.

/// Reads HTTP dates (RFC 9110 section 5.6.7): the current form and the two obsolete ones that recipients must accept.
package enum HTTPDate {
    /// Seconds since 1970 of "Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT" or "Sun Nov  6 08:49:37
    /// 1994"; nil for any other text. `now` decides the century of a two-digit year.
    package static func parse(_ text: String, now: UnixTime) -> UnixTime? {
        let words = text.split { $0 == " " || $0 == "," || $0 == "\t" }
        guard words.count >= 4, words.count <= 6 else { return nil }
        if words.count == 6, words[5] == "GMT" || words[5] == "UTC" {
            return seconds(day: words[1], month: words[2], year: words[3], clock: words[4])
        }
        if words.count == 4, words[3] == "GMT" || words[3] == "UTC" {
            let date = words[1].split(separator: "-")
            guard date.count == 3, date[2].count == 2, let short = Int(date[2]), short >= 0 else { return nil }
            return seconds(day: date[0], month: date[1], year: "\(century(short, now: now))", clock: words[2])
        }
        if words.count == 5 {
            return seconds(day: words[2], month: words[1], year: words[4], clock: words[3])
        }
        return nil
    }

    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    /// A two-digit year that would be more than 50 years in the future is in the past century (RFC 9110 section 5.6.7).
    private static func century(_ short: Int, now: UnixTime) -> Int {
        let thisYear = 1970 + Int(now / 31_556_952)
        let year = thisYear / 100 * 100 + short
        return year > thisYear + 50 ? year - 100 : year
    }

    private static func seconds(
        day: some StringProtocol, month: some StringProtocol, year: some StringProtocol, clock: some StringProtocol
    ) -> UnixTime? {
        let time = clock.split(separator: ":").map { Int($0) ?? -1 }
        guard let day = Int(day), let year = Int(year), let month = months.firstIndex(of: String(month)),
            time.count == 3,
            (0...23).contains(time[0]), (0...59).contains(time[1]), (0...60).contains(time[2])
        else { return nil }
        guard let days = daysSince1970(year: year, month: month + 1, day: day) else { return nil }
        return Double(days * 86_400 + time[0] * 3_600 + time[1] * 60 + time[2])
    }

    /// Days in the proleptic Gregorian calendar. Computed in eras of 400 years that begin in March, so that the leap
    /// day is the last day of a year.
    /// - Returns: nil for a year outside 1601...9999, or an invalid month or day.
    package static func daysSince1970(year: Int, month: Int, day: Int) -> Int? {
        guard (1601...9999).contains(year), (1...12).contains(month), (1...31).contains(day) else { return nil }
        let shifted = month <= 2 ? year - 1 : year
        let era = shifted / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return era * 146_097 + dayOfEra - 719_468
    }

    /// The current form of a date: "Sun, 06 Nov 1994 08:49:37 GMT".
    package static func text(_ seconds: Int) -> String {
        let moment = Moment(seconds)
        let weekday = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"][((moment.days % 7) + 11) % 7]
        return "\(weekday), \(two(moment.day)) \(months[moment.month - 1]) \(moment.year) \(moment.clock) GMT"
    }

    /// RFC 3339 without the zone, which is UTC: "1994-11-06T08:49:37".
    package static func timestamp(_ seconds: Int) -> String {
        let moment = Moment(seconds)
        return "\(moment.year)-\(two(moment.month))-\(two(moment.day))T\(moment.clock)"
    }

    private static func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }

    /// A moment of the proleptic Gregorian calendar, in UTC.
    private struct Moment {
        let (days, year, month, day): (Int, Int, Int, Int)
        let clock: String

        init(_ seconds: Int) {
            days = seconds >= 0 ? seconds / 86_400 : (seconds - 86_399) / 86_400
            let time = seconds - days * 86_400
            clock = "\(two(time / 3_600)):\(two(time / 60 % 60)):\(two(time % 60))"
            // Eras of 400 years that begin in March, so that the leap day is the last day of a year.
            let shifted = days + 719_468
            let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
            let dayOfEra = shifted - era * 146_097
            let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
            let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
            let march = (5 * dayOfYear + 2) / 153
            day = dayOfYear - (153 * march + 2) / 5 + 1
            month = march < 10 ? march + 3 : march - 9
            year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        }
    }
}
