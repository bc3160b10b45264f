// The arguments of a call that come in pieces, each with its place as a JSON path. Held by GeminiParts while the call is
// open. A member is found in constant time, so that arguments of many pieces take linear time.

internal import JSON

/// A value that grows in place.
struct GeminiArguments: Equatable {
    private enum Content: Equatable {
        case value(JSONValue)
        case object
        case array
    }

    /// How deep a path may go: as deep as JSON that is read may be (CSJ_MAX_DEPTH).
    private static let mostSteps = 1024

    /// How long an array may grow by one path: an index from outside must not cost memory.
    private static let mostElements = 10_000

    private var content = Content.object
    private var names: [String] = []
    private var places: [String: Int] = [:]
    /// The members' values, or the elements.
    private var children: [GeminiArguments] = []

    init(_ value: JSONValue) { become(value) }

    /// What came of the pieces so far.
    var value: JSONValue {
        switch content {
        case .value(let value): return value
        case .array: return .array(children.map(\.value))
        case .object:
            var object = JSONObject()
            for (name, child) in zip(names, children) { object.append(uncheckedKey: name, child.value) }
            return .object(object)
        }
    }

    /// Sets the value, and makes the objects and arrays on the way to it.
    /// - Parameter path: `$.a.b[0]['c d']` (RFC 9535, its normalized and dotted forms).
    mutating func set(_ value: JSONValue, at path: String) {
        let steps = Self.steps(path)
        guard steps.count <= Self.mostSteps else { return }
        set(value, at: steps[...])
    }

    private mutating func set(_ value: JSONValue, at steps: ArraySlice<Step>) {
        switch steps.first {
        case nil: become(value)
        case .name(let name): children[member(name)].set(value, at: steps.dropFirst())
        case .index(let index):
            guard (0..<Self.mostElements).contains(index) else { return }
            children[element(index)].set(value, at: steps.dropFirst())
        }
    }

    private mutating func become(_ value: JSONValue) {
        names = []
        places = [:]
        children = []
        switch value {
        case .object(let object):
            content = .object
            for member in object { children[self.member(member.key)].become(member.value) }
        case .array(let elements):
            content = .array
            children = elements.map { GeminiArguments($0) }
        default: content = .value(value)
        }
    }

    /// The place of a member among the children.
    private mutating func member(_ name: String) -> Int {
        if case .object = content {} else { become([:]) }
        if let place = places[name] { return place }
        places[name] = children.count
        names.append(name)
        children.append(GeminiArguments(.null))
        return children.count - 1
    }

    /// The place of an element among the children.
    private mutating func element(_ index: Int) -> Int {
        if case .array = content {} else { become([]) }
        while children.count <= index { children.append(GeminiArguments(.null)) }
        return index
    }

    // MARK: Paths

    private enum Step { case name(String), index(Int) }

    private static func steps(_ path: String) -> [Step] {
        var steps: [Step] = []
        var rest = Substring(path)
        if rest.first == "$" { rest.removeFirst() }
        while let first = rest.first {
            rest.removeFirst()
            guard first == "[" else {
                let name = first == "." ? rest.prefix { $0 != "." && $0 != "[" } : String([first])[...]
                if first == "." { rest.removeFirst(name.count) }
                if !name.isEmpty { steps.append(.name(String(name))) }
                continue
            }
            let inside = rest.prefix { $0 != "]" }
            rest.removeFirst(min(rest.count, inside.count + 1))
            if let index = Int(inside) {
                steps.append(.index(index))
            } else {
                steps.append(.name(inside.trimmingQuotes))
            }
        }
        return steps
    }
}

extension Substring {
    /// Without one pair of quotes around it.
    fileprivate var trimmingQuotes: String {
        guard count >= 2, let first, first == last, first == "'" || first == "\"" else { return String(self) }
        return String(dropFirst().dropLast())
    }
}
