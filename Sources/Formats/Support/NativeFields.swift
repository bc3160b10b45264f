// Members of frames that only their provider has, emitted as `native` events. The decoder chooses the members.

internal import JSON

/// Emits such members once, and again if they change: servers repeat them in every frame, and send them empty.
struct NativeFields: Equatable {
    private var last: [String: JSONValue] = [:]

    /// Emits a member under its name.
    mutating func show(_ name: String, _ node: JSONNode?, into events: inout [DecodedEvent]) {
        guard let node, !node.isNull else { return }
        show(name, node.value, into: &events)
    }

    private mutating func show(_ name: String, _ value: JSONValue, into events: inout [DecodedEvent]) {
        guard !Self.isEmptyValue(value), last[name] != value else { return }
        last[name] = value
        events.append(.native(name: name, value))
    }

    /// Emits a member that belongs to the text of its frame, even if it is equal to the previous one.
    static func emitEach(_ name: String, _ node: JSONNode?, into events: inout [DecodedEvent]) {
        guard let node, node.isFilled else { return }
        events.append(.native(name: name, node.value))
    }

    /// Emits the whole object if it has members that are not empty and not in `known`.
    mutating func show(
        _ name: String, _ node: JSONNode?, beyond known: Set<String>, into events: inout [DecodedEvent]
    ) {
        guard let node, node.kind == .object, let object = node.value.object,
            object.contains(where: { !known.contains($0.key) && !Self.isEmptyValue($0.value) })
        else { return }
        show(name, .object(object), into: &events)
    }

    /// Null, zero, false, empty, or a container of only such values.
    private static func isEmptyValue(_ value: JSONValue) -> Bool {
        switch value {
        case .null: true
        case .bool(let flag): !flag
        case .int(let number): number == 0
        case .double(let number): number == 0
        case .string(let text): text.isEmpty
        case .array(let elements): elements.allSatisfy(isEmptyValue)
        case .object(let object): object.allSatisfy { isEmptyValue($0.value) }
        }
    }
}
