// The numbers of a stream's events: which event has come before, and which is late. Owned by OpenAIResponsesDecoder. It
// judges numbers alone; what a repeated or late event would do to the reply is for the decoder to say.

/// Watches `sequence_number`.
///
/// Servers leave it out, and some send the same number, or a negative one, in every event: numbers count only once one
/// of them has been higher than another.
struct OpenAIResponsesOrder: Equatable {
    enum Verdict {
        case inOrder
        /// Its place was passed over before.
        case late
        /// An event of this number has come.
        case repeated
    }

    /// How many gaps are remembered. An event of a forgotten gap is taken for a repeated one.
    private static let mostGaps = 16

    /// The highest number so far.
    private(set) var last: Int64?
    private var isCounting = false
    private var gaps: [Range<Int64>] = []

    private var wasLate = false

    /// True while numbers are missing before the last one, or once an event came late.
    var isDisturbed: Bool { !gaps.isEmpty || wasLate }

    /// Takes the number of the next event; nil where it has none. Counting begins at 0, or at 1.
    mutating func take(_ number: Int64?) -> Verdict {
        guard let number, number >= 0 else { return .inOrder }
        guard number > last ?? -1 else {
            guard isCounting else { return .inOrder }
            return fills(number) ? .late : .repeated
        }
        let next = last.map { $0 + 1 } ?? (number == 1 ? 1 : 0)
        if number > next {
            if gaps.count == Self.mostGaps { gaps.removeFirst() }
            gaps.append(next..<number)
        }
        isCounting = last != nil
        last = number
        return .inOrder
    }

    /// Takes the numbers of the events behind the last one up to this, each of which has come.
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
