// The members of a format's frames that may differ between frames of text.

/// Literals that a template leaves open in addition to the text.
struct TemplatePaths: Sendable {
    /// A natural number that increases by one from frame to frame.
    let sequence: JSONPath?
    /// Natural numbers that the decoder reads.
    let counters: [JSONPath]
    /// Strings and numbers that no decoder reads.
    let padding: [JSONPath]

    init(sequence: JSONPath? = nil, counters: [JSONPath] = [], padding: [JSONPath] = []) {
        self.sequence = sequence
        self.counters = (sequence.map { [$0] } ?? []) + counters
        self.padding = padding
    }
}

/// The values of a frame's counters, indexed like ``TemplatePaths/counters``.
struct TemplateCounters: Sendable {
    /// Maximum counters per template.
    static let limit = 4

    /// -1 for a missing counter.
    var values = InlineArray<4, Int64>(repeating: -1)

    /// The value; nil if the frame has no such member.
    subscript(index: Int) -> Int64? { values[index] < 0 ? nil : values[index] }
}
