// Queries on bytes of payloads.

extension Span<UInt8> {
    /// The range without white space and control characters at either end.
    package var trimmed: Range<Int> {
        var start = 0
        var end = count
        while start < end, self[start] <= 0x20 { start += 1 }
        while end > start, self[end - 1] <= 0x20 { end -= 1 }
        return start..<end
    }

    /// The last byte.
    package var last: UInt8? { isEmpty ? nil : self[count - 1] }

    /// Whether the bytes equal `text`.
    package func equals(_ text: StaticString) -> Bool { count == text.utf8CodeUnitCount && hasPrefix(text) }

    /// Whether the bytes begin with `text`.
    package func hasPrefix(_ text: StaticString) -> Bool {
        guard count >= text.utf8CodeUnitCount else { return false }
        var matches = true
        text.withUTF8Buffer { for index in $0.indices where $0[index] != self[index] { matches = false } }
        return matches
    }

    /// Whether the bytes contain `byte`.
    package func contains(_ byte: UInt8) -> Bool {
        for index in indices where self[index] == byte { return true }
        return false
    }
}
