// How a dialect reads each place of its frames, as a table. Decoders do not read it: tests hold it against them. It tells
// text that nobody reads from metadata, and explains a stream to people (`moonrill probe`).

package import JSON

/// How a value of a frame is read.
package enum FieldRole: String, Sendable, CaseIterable {
    /// A piece of the reply's text.
    case text
    /// A piece of the reasoning.
    case reasoning
    /// A refusal that comes apart from the text.
    case refusal
    /// A part of a tool call.
    case call
    /// Token counts.
    case usage
    /// Why the reply ended.
    case finish
    /// Passed on as a native event, or kept to be sent back.
    case native
    /// Passed on as a native event though the format does not define it: text there is not read as the reply's.
    case passedOn = "passed on"
    /// The reply's id, or the model's name.
    case name
    /// An error that the provider reports.
    case error
    /// The end marker.
    case end
    /// Known, and of no use: roles, positions, fingerprints, padding.
    case ignored
}

/// The places of a dialect's frames.
package struct FrameFields: Sendable {
    /// One pattern.
    package struct Row: Sendable {
        /// How values at such a place are read.
        package var role: FieldRole
        /// The pattern as written: see ``FieldPattern``.
        package var text: String
        let pattern: FieldPattern

        /// The least documents that hold `leaf` at such a place.
        package func documents(holding leaf: JSONValue) -> [JSONValue] { pattern.documents(holding: leaf) }
    }

    /// The patterns; the first one that matches counts.
    package let rows: [Row]
    /// What was written and is no pattern.
    package let malformed: [String]
    /// Whether its documents name their type, by which the same path means different things.
    package let isTyped: Bool

    /// No rows, for a dialect without a table.
    package init() { (rows, malformed, isTyped) = ([], [], false) }

    /// - Parameter table: patterns by role.
    init(isTyped: Bool = false, _ table: [(FieldRole, [String])]) {
        rows = table.flatMap { role, texts in
            texts.compactMap { text in FieldPattern(text).map { Row(role: role, text: text, pattern: $0) } }
        }
        malformed = table.flatMap { $0.1 }.filter { FieldPattern($0) == nil }
        self.isTyped = isTyped
    }

    /// True for a place that no decoder reads: see ``UnreadText``.
    static func isUnread(_ role: FieldRole?) -> Bool { role == nil || role == .passedOn }

    /// True for a dialect without a table.
    package var isEmpty: Bool { rows.isEmpty }

    /// How the value is read; nil where the dialect does not know the place. Names that are metadata wherever they stand
    /// are `ignored`.
    package func role(of place: FieldPlace) -> FieldRole? {
        switch own(place) {
        case let own where Self.isUnread(own): KnownMetadata.isMetadata(place.path) ? .ignored : own
        case let own: own
        }
    }

    /// What the table itself says.
    private func own(_ place: FieldPlace) -> FieldRole? { rows.first { $0.pattern.matches(place) }?.role }

    /// How many values of a document the dialect has a use for: by that a format is guessed.
    func familiarity(with document: JSONValue, eventName: String) -> Int {
        var count = 0
        FieldPlace.forEach(in: document, eventName: eventName) { place in
            switch own(place) {
            case nil, .ignored, .error, .name, .native, .passedOn: break
            default: count += 1
            }
        }
        return count
    }
}

/// Which dialect a stream is in.
package enum FormatGuess {
    /// The name of the dialect that knows most of what the frames hold; nil where none knows anything, or two the same.
    /// - Parameter frames: JSON documents, with the names of their events.
    package static func dialect(of frames: some Sequence<(eventName: String, document: JSONValue)>) -> String? {
        var counts: [(name: String, count: Int)] = FormatCatalog.names.map { ($0, 0) }
        let tables = FormatCatalog.names.map { FormatCatalog.named($0)?.fields ?? FrameFields() }
        for frame in frames {
            for index in counts.indices {
                counts[index].count += tables[index].familiarity(with: frame.document, eventName: frame.eventName)
            }
        }
        guard let best = counts.max(by: { $0.count < $1.count }), best.count > 0 else { return nil }
        return counts.count { $0.count == best.count } == 1 ? best.name : nil
    }
}
