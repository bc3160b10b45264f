// Tracks the sequence numbers of a stream's events, to detect repeated and late events.

/// Tracks `sequence_number`.
///
/// Some servers omit it, or send the same number or a negative one in every event. Numbers count only once one of them
/// has been higher than an earlier one.
struct OpenAIResponsesOrder: Equatable {
    enum Verdict {
        case inOrder
        /// Its number was skipped before.
        case late
        /// An event with this number has arrived before.
        case repeated
    }

    /// Maximum remembered gaps. An event in a forgotten gap counts as repeated.
    private static let maxGaps = 16

    /// The highest number so far.
    private(set) var last: Int64?
    private var isCounting = false
    private var gaps: [Range<Int64>] = []

    private var wasLate = false

    /// True while numbers below the last one are missing, or once an event was late.
    var hasGapsOrLateEvents: Bool { !gaps.isEmpty || wasLate }

    /// Takes the number of the next event; nil if it has none. The first number is 0 or 1.
    mutating func take(_ number: Int64?) -> Verdict {
        guard let number, number >= 0 else { return .inOrder }
        guard number > last ?? -1 else {
            guard isCounting else { return .inOrder }
            return fills(number) ? .late : .repeated
        }
        let next = last.map { $0 + 1 } ?? (number == 1 ? 1 : 0)
        if number > next {
            if gaps.count == Self.maxGaps { gaps.removeFirst() }
            gaps.append(next..<number)
        }
        isCounting = last != nil
        last = number
        return .inOrder
    }

    /// Advances to the number of the last fast-forwarded event. All events before it have arrived.
    mutating func advance(to number: Int64?) {
        guard let number, let last, number > last else { return }
        isCounting = true
        self.last = number
    }

    private mutating func fills(_ number: Int64) -> Bool {
        guard let index = gaps.firstIndex(where: { $0.contains(number) }) else { return false }
        let gap = gaps.remove(at: index)
        if number + 1 < gap.upperBound { gaps.insert(number + 1..<gap.upperBound, at: index) }
        if gap.lowerBound < number { gaps.insert(gap.lowerBound..<number, at: index) }
        wasLate = true
        return true
    }
}
