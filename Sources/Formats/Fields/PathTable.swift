// All paths in the frames of a stream and how each is read, for `moonrill probe`.

internal import Base
package import JSON

/// The paths of the documents that were added.
package struct PathTable: Sendable {
    /// One path.
    package struct Row: Sendable, Equatable {
        /// The type of its documents, if they have one.
        package var documentType: String?
        /// The path without positions: "choices[].delta.content".
        package var path: String
        /// How it is read; nil for text at a path that the format does not know.
        package var role: FieldRole?
        /// The number of values other than `null`.
        package var count = 0
        /// The first value that is not empty, shortened, on one line.
        package var example = ""
        /// The last value, shortened likewise.
        package var last = ""
        /// Whether the values are texts that differ.
        package var changes = false
        /// Whether a value may be text of a reply.
        package var mayBeText = false
    }

    /// Maximum number of paths.
    private static let mostRows = 1_000
    /// Maximum bytes of an example.
    private static let exampleLimit = 60

    /// The paths in the order in which they were first seen.
    package private(set) var rows: [Row] = []
    private var places: [String: Int] = [:]
    private var firsts: [JSONValue] = []
    private let fields: FrameFields

    /// - Parameter fields: how the format reads paths.
    package init(_ fields: FrameFields) { self.fields = fields }

    /// Adds the values of a frame, from which secrets have been removed.
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

    /// The value as JSON; empty for an empty value.
    private static func example(_ value: JSONValue) -> String {
        switch value {
        case .string(""), .null, .array, .object: ""
        case .string(let text): "\"" + Snippet.of(text, limit: exampleLimit) + "\""
        default: JSONWriter.text(value)
        }
    }

    /// Paths with changing text that the format does not know.
    package var unread: [Row] { rows.filter { FrameFields.isUnread($0.role) && $0.changes && $0.mayBeText } }

    /// The paths that are read in that way and had values, with the type of their document if the meaning of a path depends
    /// on it.
    package func paths(_ role: FieldRole) -> [String] {
        rows.filter { $0.role == role && !$0.example.isEmpty }.map { row in
            guard fields.isTyped, let type = row.documentType else { return row.path }
            return "\(type): \(row.path)"
        }
    }
}
