// Paths in JSON frames, and patterns of paths: `choices[0].delta.content` and `choices[].delta.content`.

internal import Base
package import JSON

/// A path in a JSON document: member names and positions from its root.
package struct FieldPath: Sendable, Hashable, CustomStringConvertible {
    /// One step down.
    package enum Step: Sendable, Hashable {
        case member(String)
        case element(Int)
    }

    /// The steps from the root; empty for the root.
    package var steps: [Step]

    package init(_ steps: [Step] = []) { self.steps = steps }

    /// "choices[0].delta.answer"; "the whole frame" for the root. Names that are not plain words are quoted.
    package var description: String { written { "[\($0)]" } }

    /// The same without positions: "choices[].delta.answer".
    package var general: String { written { _ in "[]" } }

    /// Maximum characters of a name in a description; a server may send any.
    private static let nameLimit = 64

    private func written(_ element: (Int) -> String) -> String {
        guard !steps.isEmpty else { return "the whole frame" }
        var text = ""
        for step in steps {
            switch step {
            case .element(let index): text += element(index)
            case .member(let name):
                if !text.isEmpty { text += "." }
                text += Self.isPlain(name) ? name : JSONWriter.text(.string(Snippet.of(name, limit: Self.nameLimit)))
            }
        }
        return text
    }

    private static func isPlain(_ name: String) -> Bool {
        !name.isEmpty && name.utf8.count <= nameLimit
            && name.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "$"),
                    UInt8(ascii: "/"):
                    true
                default: false
                }
            }
    }
}

/// A value of a document that is neither array nor object, with its path.
package struct FieldPlace: Sendable {
    package var path: FieldPath
    /// The values from the document to this one: one more than the path has steps.
    var values: [JSONValue]
    /// The name of the SSE event, the type of a document without one.
    var eventName: String

    package var value: JSONValue { values.last ?? .null }

    /// The type of its document, if it has one.
    package var documentType: String? {
        guard let document = values.first else { return nil }
        return document["type"]?.string ?? document["event_type"]?.string ?? (eventName.isEmpty ? nil : eventName)
    }

    /// Calls `body` with each value of a document that is neither array nor object, in order.
    /// - Parameter document: the JSON of a frame. Each element of an array is a document of its own.
    package static func forEach(in document: JSONValue, eventName: String = "", _ body: (FieldPlace) -> Void) {
        if case .array(let elements) = document {
            for (index, element) in elements.enumerated() {
                walk([.element(index)], [element], eventName, body)
            }
        } else {
            walk([], [document], eventName, body)
        }
    }

    private static func walk(
        _ steps: [FieldPath.Step], _ values: [JSONValue], _ eventName: String, _ body: (FieldPlace) -> Void
    ) {
        switch values.last {
        case .object(let object):
            for member in object { walk(steps + [.member(member.key)], values + [member.value], eventName, body) }
        case .array(let elements):
            for (index, element) in elements.enumerated() {
                walk(steps + [.element(index)], values + [element], eventName, body)
            }
        default: body(FieldPlace(path: FieldPath(steps), values: values, eventName: eventName))
        }
    }

    /// The path inside the document: without the position of a document in an array.
    var steps: ArraySlice<FieldPath.Step> { path.steps.suffix(max(0, values.count - 1)) }
}

/// A pattern of paths.
///
/// Steps are joined by dots: a name, one of several names (`(delta|message)`), any name but one (`(!choices)`), `[]` for any
/// element, `*` for any member, and last `**` for the value and all values in it. After a step, or first for the document
/// itself, a condition in braces compares a member of the value there with words: `{type=a|b}`, `{type!=text}`, or
/// `{type?=text}`, which also matches if the member is missing. A word may end in `*`.
struct FieldPattern: Sendable {
    private enum Step: Sendable {
        case names([String])
        case namesBut([String])
        case element, member
    }

    private struct Condition: Sendable {
        var member: String
        var words: [String]
        var isNegated = false
        var mayBeMissing = false

        /// - Parameter eventName: the type of a document without one.
        func holds(for value: JSONValue, eventName: String?) -> Bool {
            let said = value[member].map { value in
                if case .bool(let flag) = value { flag ? "true" : "false" } else { value.string ?? "" }
            }
            guard let text = said ?? (member == "type" ? eventName : nil) else { return isNegated || mayBeMissing }
            let isOne = words.contains { word in
                word.hasSuffix("*") ? text.hasPrefix(word.dropLast()) : text == word
            }
            return isOne != isNegated
        }
    }

    private var steps: [Step] = []
    /// By the number of steps before the value that they test.
    private var conditions: [(depth: Int, condition: Condition)] = []
    /// Whether it matches the values in such a value, too.
    private(set) var isSubtree = false

    /// The number of its steps.
    var depth: Int { steps.count }

    /// Nil if the text is not a pattern.
    init?(_ text: String) {
        var rest = Substring(text)
        while !rest.isEmpty {
            switch rest.first {
            case "{":
                guard let end = rest.firstIndex(of: "}"),
                    let condition = Self.condition(rest[rest.index(after: rest.startIndex)..<end])
                else { return nil }
                conditions.append((steps.count, condition))
                rest = rest[rest.index(after: end)...]
            case ".": rest.removeFirst()
            case "[":
                guard rest.hasPrefix("[]") else { return nil }
                steps.append(.element)
                rest.removeFirst(2)
            case "(":
                guard let end = rest.firstIndex(of: ")") else { return nil }
                let names = rest[rest.index(after: rest.startIndex)..<end]
                steps.append(
                    names.hasPrefix("!") ? .namesBut(Self.words(names.dropFirst())) : .names(Self.words(names)))
                rest = rest[rest.index(after: end)...]
            default:
                let word = rest.prefix { !".[{(".contains($0) }
                rest = rest.dropFirst(word.count)
                if word == "**" {
                    guard rest.isEmpty else { return nil }
                    isSubtree = true
                } else {
                    steps.append(word == "*" ? .member : .names([String(word)]))
                }
            }
        }
    }

    private static func words(_ text: Substring) -> [String] { text.split(separator: "|").map(String.init) }

    private static func condition(_ text: Substring) -> Condition? {
        guard let equals = text.firstIndex(of: "=") else { return nil }
        var member = text[..<equals]
        let mark = member.last
        if mark == "!" || mark == "?" { member.removeLast() }
        guard !member.isEmpty else { return nil }
        return Condition(
            member: String(member), words: words(text[text.index(after: equals)...]), isNegated: mark == "!",
            mayBeMissing: mark == "?")
    }

    /// Minimal documents with `leaf` at such a path: one for each alternative name.
    func documents(holding leaf: JSONValue) -> [JSONValue] { documents(from: 0, leaf) }

    private func documents(from depth: Int, _ leaf: JSONValue) -> [JSONValue] {
        guard depth < steps.count else { return [leaf] }
        let inner = documents(from: depth + 1, leaf)
        switch steps[depth] {
        case .element: return inner.map { .array([$0]) }
        case .member, .namesBut: return inner.map { .object(conditioned(["x": $0], at: depth)) }
        case .names(let names):
            return names.flatMap { name in
                inner.map { value in
                    var object = conditioned([:], at: depth)
                    object[name] = value
                    return .object(object)
                }
            }
        }
    }

    /// The members that the conditions at that depth require.
    private func conditioned(_ object: JSONObject, at depth: Int) -> JSONObject {
        var object = object
        for (own, condition) in conditions where own == depth {
            let word = condition.words.first ?? ""
            let said = word.hasSuffix("*") ? word.dropLast() + "x" : word[...]
            object[condition.member] = condition.isNegated ? "other" : said == "true" ? true : .string(String(said))
        }
        return object
    }

    /// - Parameter path: the steps of the place.
    func matches(_ place: FieldPlace, _ path: ArraySlice<FieldPath.Step>) -> Bool {
        guard isSubtree ? path.count >= steps.count : path.count == steps.count else { return false }
        for (step, own) in zip(steps, path) {
            switch (step, own) {
            case (.element, .element), (.member, .member): continue
            case (.names(let names), .member(let name)) where names.contains(name): continue
            case (.namesBut(let names), .member(let name)) where !names.contains(name): continue
            default: return false
            }
        }
        return conditions.allSatisfy { depth, condition in
            // The name of an event is the type of its document alone.
            let name = depth == 0 && !place.eventName.isEmpty ? place.eventName : nil
            return condition.holds(for: place.values[depth], eventName: name)
        }
    }
}
