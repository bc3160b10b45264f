// Filters of the log, and the values that its options take.

internal import ArgumentParser
internal import Base
internal import HTTP
internal import Journal

/// Options that choose requests.
struct LogFilterOptions: ParsableArguments {
    @Option(name: .shortAndLong, help: "Only requests to this model.")
    var model: String?

    @Option(name: .shortAndLong, help: "Only requests to this provider.")
    var provider: String?

    @Option(
        help: ArgumentHelp(
            "Only requests since then: 30m, 2h, 7d, 2w ago, or a date or time in UTC (2026-11-29T08:30).",
            valueName: "time"))
    var since: PastTime?

    @Option(help: ArgumentHelp("Only requests of this run; the number is in moonrill logs show.", valueName: "n"))
    var run: Int64?

    @Flag(help: "Only failed requests.")
    var failed = false

    var filter: RequestFilter {
        RequestFilter(model: model, provider: provider, since: since?.time, run: run, failedOnly: failed)
    }
}

/// `--limit`.
struct LogLimit: ParsableArguments {
    @Option(help: ArgumentHelp("The number of requests to show.", valueName: "n"))
    var limit = 20

    func validate() throws {
        if limit < 1 { throw ValidationError("--limit takes a number of 1 or more.") }
    }
}

/// A time in the past: an age or a date.
struct PastTime: ExpressibleByArgument, Equatable {
    /// Seconds since 1970.
    var time: Double

    private static let units: [Character: Double] = ["s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800]

    init?(argument: String) { self.init(argument, now: SystemClock.unixTime()) }

    init?(_ text: String, now: Double) {
        if let unit = text.last.flatMap({ Self.units[$0] }), let count = Self.number(text.dropLast()) {
            time = now - Double(count) * unit
        } else if let date = Self.date(text) {
            time = date
        } else {
            return nil
        }
    }

    /// Digits alone; `Int` takes signs too.
    private static func number(_ text: Substring) -> Int? {
        text.utf8.allSatisfy { (0x30...0x39).contains($0) } ? Int(text) : nil
    }

    /// "2026-11-29", or with a time "T08:30" or " 08:30:15", and "Z" (RFC 3339).
    private static func date(_ text: String) -> Double? {
        var rest = text[...]
        if rest.last == "Z" || rest.last == "z" { rest = rest.dropLast() }
        let parts = rest.split(maxSplits: 1, omittingEmptySubsequences: false) { $0 == "T" || $0 == "t" || $0 == " " }
        let day = parts[0].split(separator: "-", omittingEmptySubsequences: false).compactMap(number)
        guard day.count == 3, parts[0].utf8.count == 10,
            let days = HTTPDate.daysSince1970(year: day[0], month: day[1], day: day[2])
        else { return nil }
        var seconds = Double(days) * 86_400
        // No date for 31 February: the days of a shorter month would be those of the next.
        guard UTCDate(seconds).day == day[2] else { return nil }
        guard parts.count == 2 else { return seconds }
        let fields = parts[1].split(separator: ":", omittingEmptySubsequences: false)
        let clock = fields.compactMap(number)
        guard (2...3).contains(fields.count), clock.count == fields.count, fields.allSatisfy({ $0.utf8.count == 2 }),
            clock[0] < 24, clock.dropFirst().allSatisfy({ $0 < 60 })
        else { return nil }
        for (value, unit) in zip(clock, [3600.0, 60, 1]) { seconds += Double(value) * unit }
        return seconds
    }
}

/// A size: a number of bytes, or with K, M, G or T of their binary multiples.
struct ByteSize: ExpressibleByArgument, Equatable {
    var bytes: Int64

    private static let units: [Character: Int64] = ["K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40]

    init?(argument: String) {
        var rest = argument.uppercased()[...]
        if rest.hasSuffix("IB") { rest = rest.dropLast(2) } else if rest.hasSuffix("B") { rest = rest.dropLast() }
        let unit = rest.last.flatMap { Self.units[$0] }
        if unit != nil { rest = rest.dropLast() }
        guard !rest.isEmpty, rest.utf8.allSatisfy({ (0x30...0x39).contains($0) || $0 == UInt8(ascii: ".") }),
            let number = Double(rest), number * Double(unit ?? 1) < 1e18
        else { return nil }
        bytes = Int64(number * Double(unit ?? 1))
    }
}
