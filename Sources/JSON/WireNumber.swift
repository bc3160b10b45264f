// Bounds for numbers that a server sends: counts, indexes, delays. Every reader of such a number takes it from here, so
// that no sum or product made of it later can overflow.

/// What may be a count, an index or a delay. Anything else is no number.
package enum WireNumber {
    /// The greatest count: the greatest integer that every JSON implementation holds exactly (RFC 8259 section 6).
    package static let greatestCount: Int64 = (1 << 53) - 1
    /// The longest delay in seconds: a century.
    package static let longestDelay = 36_525.0 * 86_400

    /// The greatest cost in dollars: a billion.
    package static let greatestCost = 1e9

    /// The cost in dollars, from 0 to `greatestCost`; nil for any other number.
    package static func cost(_ dollars: Double) -> Double? { dollars >= 0 && dollars <= greatestCost ? dollars : nil }

    /// The count, from 0 to `greatestCount`; nil for any other number.
    package static func count(_ value: Int64) -> Int64? { (0...greatestCount).contains(value) ? value : nil }

    /// The count that decimal digits and nothing else spell.
    package static func count(_ text: some StringProtocol) -> Int64? {
        guard (1...16).contains(text.utf8.count), text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
            return nil
        }
        return Int64(text).flatMap { count($0) }
    }

    /// The delay in seconds, from 0 to `longestDelay`; nil for any other number.
    package static func delay(_ seconds: Double) -> Double? {
        seconds >= 0 && seconds <= longestDelay ? seconds : nil
    }

    /// The sum of counts, at most `greatestCount`.
    package static func sum(_ counts: Int...) -> Int {
        let most = Int(clamping: greatestCount)
        return counts.reduce(0) { min(most, min(most, $0) + min(most, $1)) }
    }
}

extension JSONNode {
    /// The number as a count: whole, from 0 to `WireNumber.greatestCount`. Nil for any other number or value. Counts,
    /// indexes and sequence numbers that a server sends are read through this.
    package var natural: Int64? { int.flatMap { WireNumber.count($0) } }
}
