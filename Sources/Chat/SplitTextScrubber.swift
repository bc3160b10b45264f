// Removes secrets from text that comes in pieces.

/// Scrubs the pieces of one text: a secret may be split between them. At most its first seven bytes stay.
package struct SplitTextScrubber: Sendable {
    /// More bytes than a secret in any of its forms has.
    private static let limit = 4096

    /// The last bytes of the pieces so far, as they came.
    private var tail: [UInt8] = []

    /// A scrubber before the first piece.
    package init() {}

    /// The next piece without secrets, and without the rest of one that begins in the pieces before.
    package mutating func scrub(_ piece: [UInt8], _ scrubber: KeyScrubber) -> [UInt8] {
        let before = tail
        tail = Array((tail + piece).suffix(Self.limit))
        let clean = scrubber.scrub(piece)
        guard !before.isEmpty else { return clean }
        let whole = scrubber.scrub(before + piece)
        let written = scrubber.scrub(before)
        // No secret lies across the boundary if the parts can be scrubbed alone.
        guard whole != before + piece, whole != written + clean else { return clean }
        let common = zip(whole, written).prefix { $0 == $1 }.count
        return Array(whole.dropFirst(common))
    }
}
