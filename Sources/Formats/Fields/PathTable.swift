// Every place that the frames of a stream hold, and how each is read: what `moonrill probe` shows of a format.

internal import Base
package import JSON

/// The places of the documents that were added.
package struct PathTable: Sendable {
    /// One place.
    package struct Row: Sendable, Equatable {
        /// The type of the documents that hold it, where they name one.
        package var documentType: String?
        /// The path without positions: "choices[].delta.content".
        package var path: String
        /// How it is read; nil for a text at a place that the dialect does not know.
        package var role: FieldRole?
        /// How many values stood there, `null` aside.
        package var count = 0
        /// The first of them that is not empty, shortened, on one line.
        package var example = ""
        /// The last of them, shortened likewise.
        package var last = ""
        /// Whether the values are texts that differ from each other.
        package var changes = false
        /// Whether one of them may be text that people read.
        package var mayBeText = false
    }

    /// How many places are kept.
    private static let mostRows = 1_000
    /// How much of an example is kept, in bytes.
    private static let exampleLimit = 60

    /// The places, in the order in which they were first seen.
    package private(set) var rows: [Row] = []
    private var places: [String: Int] = [:]
    private var firsts: [JSONValue] = []
    private let fields: FrameFields

    /// No places.
    /// - Parameter fields: how the dialect reads them.
    package init(_ fields: FrameFields) { self.fields = fields }

    /// Adds what a frame holds. Secrets have been removed from it.
    package mutating func add(_ document: JSONValue, eventName: String) {
        var found: [FieldPlace] = []
        FieldPlace.forEach(in: document, eventName: eventName) { found.append($0) }
        for place in found { add(place) }
    }

    private mutating func add(_ place: FieldPlace) {
        let role = fields.role(of: place) ?? (place.value.string == nil ? .ignored : nil)
        let type = place.documentType.map { Snippet.of($0, limit: Self.exampleLimit) }
        let path = place.path.general
        let key = "\(type ?? "") \(path) \(role?.rawValue ?? "")"
        let index: Int
        if let known = places[key] {
            index = known
            if firsts[index] != place.value, place.value.string != nil { rows[index].changes = true }
        } else {
            guard rows.count < Self.mostRows else { return }
            index = rows.count
            places[key] = index
            rows.append(Row(documentType: type, path: path, role: role))
            firsts.append(place.value)
        }
        if !place.value.isNull { rows[index].count += 1 }
        rows[index].last = Self.example(place.value)
        if rows[index].example.isEmpty { rows[index].example = Self.example(place.value) }
        if !rows[index].mayBeText, let text = place.value.string { rows[index].mayBeText = UnreadText.mayBeText(text) }
    }

    /// The value as JSON writes it; nothing for what is empty.
    private static func example(_ value: JSONValue) -> String {
        switch value {
        case .string(""), .null, .array, .object: ""
        case .string(let text): "\"" + Snippet.of(text, limit: exampleLimit) + "\""
        default: JSONWriter.text(value)
        }
    }

    /// Places with text that changes from frame to frame, and that the dialect does not know.
    package var unread: [Row] { rows.filter { FrameFields.isUnread($0.role) && $0.changes && $0.mayBeText } }

    /// The places that are read in that way, and held something: with the type of their document where the same path means
    /// different things by it.
    package func paths(_ role: FieldRole) -> [String] {
        rows.filter { $0.role == role && !$0.example.isEmpty }.map { row in
            guard fields.isTyped, let type = row.documentType else { return row.path }
            return "\(type): \(row.path)"
        }
    }
}
