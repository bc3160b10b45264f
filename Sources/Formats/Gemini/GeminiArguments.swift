// The arguments of a call that come in pieces, each with its place as a JSON path. Held by GeminiParts while the call is
// open. A member is found in constant time, so that arguments of many pieces take linear time.

internal import JSON

/// A value that grows in place.
final class GeminiArguments {
    private enum Content {
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
    func set(_ value: JSONValue, at path: String) {
        let steps = Self.steps(path)
        guard steps.count <= Self.mostSteps else { return }
        var node = self
        for step in steps {
            switch step {
            case .name(let name): node = node.member(name)
            case .index(let index):
                guard (0..<Self.mostElements).contains(index) else { return }
                node = node.element(index)
            }
        }
        node.become(value)
    }

    private func become(_ value: JSONValue) {
        names = []
        places = [:]
        children = []
        switch value {
        case .object(let object):
            content = .object
            for member in object { self.member(member.key).become(member.value) }
        case .array(let elements):
            content = .array
            children = elements.map { GeminiArguments($0) }
        default: content = .value(value)
        }
    }

    private func member(_ name: String) -> GeminiArguments {
        if case .object = content {} else { become([:]) }
        if let place = places[name] { return children[place] }
        let child = GeminiArguments(.null)
        places[name] = children.count
        names.append(name)
        children.append(child)
        return child
    }

    private func element(_ index: Int) -> GeminiArguments {
        if case .array = content {} else { become([]) }
        while children.count <= index { children.append(GeminiArguments(.null)) }
        return children[index]
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
