// Limits for numbers from a server: counts, indexes, delays. They prevent overflow in later sums and products.

/// Limits of counts, costs and delays. Values beyond them are rejected.
package enum WireNumber {
    /// Greatest count: the greatest integer that every JSON implementation holds exactly (RFC 8259 section 6).
    package static let greatestCount: Int64 = (1 << 53) - 1
    /// Longest delay in seconds: a century.
    package static let longestDelay = 36_525.0 * 86_400

    /// Greatest cost in dollars.
    package static let greatestCost = 1e9

    /// A cost in dollars, from 0 to `greatestCost`; nil otherwise.
    package static func cost(_ dollars: Double) -> Double? { dollars >= 0 && dollars <= greatestCost ? dollars : nil }

    /// A count, from 0 to `greatestCount`; nil otherwise.
    package static func count(_ value: Int64) -> Int64? { (0...greatestCount).contains(value) ? value : nil }

    /// A count in decimal digits.
    package static func count(_ text: some StringProtocol) -> Int64? {
        guard (1...16).contains(text.utf8.count), text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
            return nil
        }
        return Int64(text).flatMap { count($0) }
    }

    /// A delay in seconds, from 0 to `longestDelay`; nil otherwise.
    package static func delay(_ seconds: Double) -> Double? {
        seconds >= 0 && seconds <= longestDelay ? seconds : nil
    }

    /// The sum of counts, capped at `greatestCount`.
    package static func sum(_ counts: Int...) -> Int {
        let most = Int(clamping: greatestCount)
        return counts.reduce(0) { min(most, min(most, $0) + min(most, $1)) }
    }
}

extension JSONNode {
    /// The number as a count: whole, from 0 to `WireNumber.greatestCount`. Nil for other numbers or types. Use it for
    /// each count, index and sequence number from a server.
    package var natural: Int64? { int.flatMap { WireNumber.count($0) } }
}
