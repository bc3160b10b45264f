// A checksum over a record. SQLite has none over its pages: a flipped bit in a text would otherwise be a wrong answer.

internal import Base

/// The checksum of a record's parts, in order, and of their lengths. Each step maps the states one to one, so records of the
/// same lengths that differ in one word have different checksums; others differ by chance, 1 - 2^-64.
package struct RecordSeal {
    private var state: UInt64 = 0x9E37_79B9_7F4A_7C15

    /// - Parameter kind: keeps records of different tables apart.
    package init(_ kind: Kind) { mix(kind.rawValue) }

    /// The table of the record.
    package enum Kind: UInt64 {
        case request = 1
        case delta, step
    }

    private mutating func mix(_ word: UInt64) {
        state = (state ^ word) &* 0xD6E8_FEB8_6659_FD93
        state ^= state >> 32
    }

    package mutating func add(_ number: Int64) { mix(UInt64(bitPattern: number)) }

    package mutating func add(_ number: Double?) { mix(number?.bitPattern ?? 1) }

    package mutating func add(_ bytes: [UInt8]) {
        mix(UInt64(bytes.count))
        let span = bytes.span
        let whole = bytes.count & ~7
        for index in stride(from: 0, to: whole, by: 8) { mix(span.word(at: index)) }
        mix(bytes[whole...].reduce(0) { $0 << 8 | UInt64($1) })
    }

    package mutating func add(_ text: String?) {
        if let text { add(Array(text.utf8)) } else { mix(.max) }
    }

    /// The checksum, in the range of SQLite's integers.
    package var value: Int64 { Int64(bitPattern: state) }
}
