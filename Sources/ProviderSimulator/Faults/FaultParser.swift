// Parses one part of a fault plan: `stall@4000:2x1`. Used by FaultPlan.parse.

struct FaultParser {
    private let part: String
    /// The word before the first `@` or `:`.
    private let name: String
    /// The text after `@`, with its suffixes.
    private let at: String?
    /// The text after the first `:` that is not part of the text after `@`, or that ends it.
    private let colon: String?
    private let times: Int?

    static let statuses: Set<Int> = [400, 401, 403, 404, 408, 409, 422, 429, 500, 502, 503, 504, 529]

    init(_ part: String) {
        self.part = part
        var body = part[...]
        var times: Int?
        let isStatus = part.first.map { $0.isASCII && $0.isNumber } ?? false
        if !isStatus, let x = body.lastIndex(of: "x"), let count = Int(body[body.index(after: x)...]),
            x > body.startIndex
        {
            times = count
            body = body[..<x]
        }
        self.times = times
        if let mark = body.firstIndex(where: { $0 == "@" || $0 == ":" }) {
            name = String(body[..<mark])
            let rest = body[body.index(after: mark)...]
            // A status has its count first (429:2@1.5), everything else its offset (stall@400:2).
            let second: Character = body[mark] == "@" ? ":" : "@"
            let cut = isStatus && second == ":" ? nil : rest.firstIndex(of: second)
            let first = String(cut.map { rest[..<$0] } ?? rest)
            let last = cut.map { String(rest[rest.index(after: $0)...]) }
            (at, colon) = body[mark] == "@" ? (first, last) : (last, first)
        } else {
            (name, at, colon) = (String(body), nil, nil)
        }
    }

    func fault() throws(FaultPlanError) -> Fault {
        if let times, times < 1 { throw wrong("xN needs a number of at least 1") }
        if let status = Int(name) {
            guard Self.statuses.contains(status) else {
                throw wrong("\(status) is not one of the statuses that can be sent")
            }
            return Fault(.status(status, retry: try retry()), times: try count())
        }
        if name == "quota" {
            if at != nil { throw wrong("quota takes no @") }
            if times != nil { throw wrong("write quota:N, not xN") }
            return Fault(.quota, times: try count())
        }
        return Fault(try replyFault(), times: times)
    }

    private func replyFault() throws(FaultPlanError) -> Fault.Kind {
        switch name {
        case "cut": .cut(at: try offset())
        case "eof": .eof(at: try offset())
        case "chunkcut": .chunkCut(at: try offset())
        case "short-length": .shortLength(at: try offset())
        case "stall": .stall(at: try offset(alone: false), seconds: try seconds(alone: false))
        case "slow-head": .slowHead(seconds: try seconds())
        case "drip": .drip(bytes: try positive(colon, alone: at))
        case "comments": .comments(seconds: try seconds())
        case "error-frame": .errorFrame(after: try offset())
        case "bad-json": .badJSON(after: try offset())
        case "split-utf8": try bare(.splitUTF8)
        case "no-done": try bare(.noDone)
        case "no-finish": try bare(.noFinish)
        case "whole": try bare(.whole)
        case "garbage": try bare(.garbage)
        case "html": try bare(.html)
        case "empty": try bare(.empty)
        default: throw wrong("there is no fault of this name")
        }
    }

    private func bare(_ kind: Fault.Kind) throws(FaultPlanError) -> Fault.Kind {
        guard at == nil, colon == nil else { throw wrong("\(name) takes no value") }
        return kind
    }

    private func count() throws(FaultPlanError) -> Int? {
        guard let colon else { return nil }
        guard let count = Int(colon), count >= 1 else {
            throw wrong("after the colon stands a number of requests, from 1")
        }
        return count
    }

    private func offset(alone: Bool = true) throws(FaultPlanError) -> Int {
        guard let at, let offset = Int(at), (0...1 << 40).contains(offset) else {
            throw wrong("it needs a whole number after @")
        }
        if alone, colon != nil { throw wrong("it takes no colon") }
        return offset
    }

    private func seconds(alone: Bool = true) throws(FaultPlanError) -> Double {
        guard let colon, let seconds = Double(colon), seconds > 0, seconds <= 86_400 else {
            throw wrong("it needs seconds after a colon, above 0 and up to a day")
        }
        if alone, at != nil { throw wrong("it takes no @") }
        return seconds
    }

    private func positive(_ text: String?, alone other: String?) throws(FaultPlanError) -> Int {
        guard let text, let value = Int(text), value >= 1, other == nil else {
            throw wrong("it needs a whole number from 1 after a colon")
        }
        return value
    }

    private func retry() throws(FaultPlanError) -> RetryHint? {
        guard let at else { return nil }
        if at == "+" { return .text("1") }
        if at.hasPrefix("ms:"), let value = Int(at.dropFirst(3)), value >= 0 { return .milliseconds(value) }
        if at.hasPrefix("date:"), let value = Int(at.dropFirst(5)),
            abs(value) <= 1_000_000_000
        {
            return .date(seconds: value)
        }
        if at.hasPrefix("raw:"), at.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7F }) {
            return .text(String(at.dropFirst(4)))
        }
        if let value = Double(at), value.isFinite, value >= 0 { return .text(at) }
        throw wrong("after @ stand seconds, +, ms:M, date:S or raw:TEXT")
    }

    private func wrong(_ reason: String) -> FaultPlanError { FaultPlanError(part: part, reason: reason) }
}

extension StringProtocol {
    /// Without white space at both ends.
    var trimmed: String {
        guard let start = firstIndex(where: { !$0.isWhitespace }), let end = lastIndex(where: { !$0.isWhitespace })
        else { return "" }
        return String(self[start...end])
    }
}
