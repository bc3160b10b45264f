// A checksum over a record. SQLite has none over its pages: a flipped bit in a text would otherwise be a wrong answer.

internal import Base

/// The checksum of a record's parts, in order, and of their lengths.
package struct RecordSeal {
    private var fingerprint: Fingerprint

    /// - Parameter kind: keeps records of different tables apart.
    package init(_ kind: Kind) { fingerprint = Fingerprint(seed: kind.rawValue) }

    /// The table of the record.
    package enum Kind: UInt64 {
        case request = 1
        case delta, step
    }

    package mutating func add(_ number: Int64) { fingerprint.add(UInt64(bitPattern: number)) }

    package mutating func add(_ number: Double?) { fingerprint.add(number?.bitPattern ?? 1) }

    package mutating func add(_ bytes: [UInt8]) {
        fingerprint.add(UInt64(bytes.count))
        fingerprint.add(bytes)
    }

    package mutating func add(_ text: String?) { add(Array((text ?? "\0").utf8)) }

    /// The checksum, in the range of SQLite's integers.
    package var value: Int64 { Int64(bitPattern: fingerprint.value) }
}
