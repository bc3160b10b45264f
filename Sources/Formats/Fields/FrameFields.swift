// How a format reads each path of its frames, as a table. Decoders do not use it; tests compare it with them. It is used to
// find text that no decoder reads, and by `moonrill probe`.

package import JSON

/// How a value of a frame is read.
package enum FieldRole: String, Sendable, CaseIterable {
    /// Text of the reply.
    case text
    /// Reasoning.
    case reasoning
    /// A refusal apart from the text.
    case refusal
    /// Part of a tool call.
    case call
    /// Token counts.
    case usage
    /// The finish reason.
    case finish
    /// A native event, or a member that is kept to be sent back.
    case native
    /// A native event that the format does not define; text there is not part of the reply.
    case passedOn = "passed on"
    /// The id of the reply, or the name of the model.
    case name
    /// An error of the provider.
    case error
    /// The end marker.
    case end
    /// Known and unused: roles, positions, fingerprints, padding.
    case ignored
}

/// The paths of a format's frames.
package struct FrameFields: Sendable {
    /// One pattern.
    package struct Row: Sendable {
        /// How values at such a path are read.
        package var role: FieldRole
        /// The pattern as written: see ``FieldPattern``.
        package var text: String
        let pattern: FieldPattern

        /// Minimal documents with `leaf` at such a path.
        package func documents(holding leaf: JSONValue) -> [JSONValue] { pattern.documents(holding: leaf) }
    }

    /// The patterns; the first match counts.
    package let rows: [Row]
    /// Invalid patterns.
    package let malformed: [String]
    /// Whether its documents have types, by which the same path has different meanings.
    package let isTyped: Bool

    /// The rows that a path may match, in their order, by its number of steps. Longer paths than all of these match the rows
    /// in the last element.
    private let candidates: [[Row]]

    /// No rows, for a format without a table.
    package init() { self.init([]) }

    /// - Parameter table: patterns by role.
    init(isTyped: Bool = false, _ table: [(FieldRole, [String])]) {
        var rows: [Row] = []
        var malformed: [String] = []
        for (role, texts) in table {
            for text in texts {
                if let pattern = FieldPattern(text) {
                    rows.append(Row(role: role, text: text, pattern: pattern))
                } else {
                    malformed.append(text)
                }
            }
        }
        (self.rows, self.malformed) = (rows, malformed)
        self.isTyped = isTyped
        let deepest = rows.map(\.pattern.depth).max() ?? 0
        candidates = (0...deepest + 1).map { depth in
            rows.filter { $0.pattern.isSubtree ? $0.pattern.depth <= depth : $0.pattern.depth == depth }
        }
    }

    /// True for a path that no decoder reads: see ``UnreadText``.
    static func isUnread(_ role: FieldRole?) -> Bool { role == nil || role == .passedOn }

    /// True for a format without a table.
    package var isEmpty: Bool { rows.isEmpty }

    /// How the value is read; nil if the format does not know the path. Names that are metadata at every path are
    /// `ignored`.
    package func role(of place: FieldPlace) -> FieldRole? {
        switch own(place) {
        case let own where Self.isUnread(own): KnownMetadata.isMetadata(place.path) ? .ignored : own
        case let own: own
        }
    }

    /// The role in the table alone.
    private func own(_ place: FieldPlace) -> FieldRole? {
        let steps = place.steps
        return candidates[min(steps.count, candidates.count - 1)].first { $0.pattern.matches(place, steps) }?.role
    }

    /// The number of values of a document that the format uses, to guess the format.
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

/// Guesses the format of a stream.
package enum FormatGuess {
    /// The name of the format that knows most values of the frames; nil if none knows any, or two know as many.
    /// - Parameter frames: JSON documents, with the names of their events.
    package static func format(of frames: some Sequence<(eventName: String, document: JSONValue)>) -> String? {
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
