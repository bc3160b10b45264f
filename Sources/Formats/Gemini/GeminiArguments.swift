// Arguments of a tool call that arrive in pieces, each with its JSON path. Members are found in constant time, so that
// arguments of many pieces take linear time.

internal import JSON

/// A JSON value that is built in place.
struct GeminiArguments: Equatable {
    private enum Content: Equatable {
        case value(JSONValue)
        case object
        case array
    }

    /// Maximum steps of a path: the maximum nesting of JSON that is parsed (CSJ_MAX_DEPTH).
    private static let mostSteps = 1024

    /// Maximum elements of an array: an index from the provider must not allocate unlimited memory.
    private static let mostElements = 10_000

    private var content = Content.object
    private var names: [String] = []
    private var places: [String: Int] = [:]
    /// The values of the members, or the elements.
    private var children: [GeminiArguments] = []

    init(_ value: JSONValue) { become(value) }

    /// The value built from the pieces so far.
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

    /// Sets the value at a path, and creates the objects and arrays on the path. Ignores paths beyond the limits.
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

    /// Index of a member among the children. Creates the member if it is missing.
    private mutating func member(_ name: String) -> Int {
        if case .object = content {} else { become([:]) }
        if let place = places[name] { return place }
        places[name] = children.count
        names.append(name)
        children.append(GeminiArguments(.null))
        return children.count - 1
    }

    /// Index of an element among the children. Creates the elements up to it if they are missing.
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
    /// The text without one pair of quotes around it.
    fileprivate var trimmingQuotes: String {
        guard count >= 2, let first, first == last, first == "'" || first == "\"" else { return String(self) }
        return String(dropFirst().dropLast())
    }
}
