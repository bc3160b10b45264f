// Which members of a format's frames may differ from one piece of text to the next.

/// Literals that a template leaves open beside the text.
struct TemplatePaths: Sendable {
    /// A natural number that goes up by one from frame to frame.
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

/// The values of a frame's counters, by their place in ``TemplatePaths/counters``.
struct TemplateCounters: Sendable {
    /// Maximum counters per template.
    static let limit = 4

    /// -1 for none.
    var values = InlineArray<4, Int64>(repeating: -1)

    /// The value; nil where the frame has no such member.
    subscript(index: Int) -> Int64? { values[index] < 0 ? nil : values[index] }
}
