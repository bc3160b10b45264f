// A JSON Schema: checked once, then applied to values (arguments of tools, replies of models). Fetches nothing.

internal import Base
package import JSON

/// A JSON Schema, draft 2020-12 (https://json-schema.org/draft/2020-12), with the keywords that models understand. An
/// unsupported keyword is an error when the schema is read.
package struct JSONSchema {
    let root: JSONValue
    /// Compiled regular expressions by text.
    var patterns: [String: Regex<AnyRegexOutput>] = [:]
    /// Schemas by `$anchor`.
    var anchors: [String: JSONValue] = [:]
    private var anchorPlaces: [String: String] = [:]

    static let deepest = 128

    /// Why a schema is unusable.
    package struct Problem: Error, Sendable, Equatable, CustomStringConvertible {
        /// JSON pointer into the schema: "/properties/age/type".
        package var pointer: String
        /// The problem there.
        package var message: String

        /// Place and problem.
        package var description: String { (pointer.isEmpty ? "the schema" : pointer) + " " + message }
    }

    /// One step into a value.
    package enum Step: Sendable, Equatable {
        case member(String)
        /// Index from 0.
        case element(Int)
    }

    /// One violation.
    package struct Violation: Sendable, Equatable {
        /// Path in the value.
        package var path: [Step]
        /// Expectation and actual value, in English: "must be an integer, and is \"x\"".
        package var message: String

        /// A violation with the given parts.
        package init(path: [Step], message: String) {
            self.path = path
            self.message = message
        }
    }

    /// Reads a schema.
    /// - Throws: ``Problem`` that names the malformed or unsupported keyword.
    package init(_ schema: JSONValue) throws(Problem) {
        root = schema
        try check(schema, at: "", depth: 0)
        try checkReferences(in: schema, at: "", depth: 0)
        var safe: Set<String> = []
        for pointer in locations(of: schema, at: "") { try checkCircle(at: pointer, through: [], &safe) }
    }

    /// Violations of a value, at most `limit`; empty if it conforms.
    package func violations(of value: JSONValue, limit: Int = 8) -> [Violation] {
        var judge = SchemaValidator(schema: self, limit: limit)
        judge.judge(value, by: root, depth: 0)
        return judge.violations
    }

    // MARK: Reading

    private static let annotations: Set<String> = [
        "title", "description", "default", "examples", "$comment", "deprecated", "readOnly",
        "writeOnly", "format", "contentMediaType", "contentEncoding", "contentSchema", "$vocabulary",
    ]
    private static let schemas: Set<String> = [
        "additionalProperties", "propertyNames", "items", "contains", "not", "if", "then", "else",
    ]
    private static let schemaLists: Set<String> = ["allOf", "anyOf", "oneOf", "prefixItems"]
    private static let schemaTables: Set<String> = [
        "properties", "patternProperties", "dependentSchemas", "$defs", "definitions",
    ]
    private static let counts: Set<String> = [
        "minProperties", "maxProperties", "minContains", "maxContains", "minItems", "maxItems", "minLength",
        "maxLength",
    ]
    private static let numbers: Set<String> = [
        "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf",
    ]
    static let types = ["object", "array", "string", "number", "integer", "boolean", "null"]

    private mutating func check(_ schema: JSONValue, at pointer: String, depth: Int) throws(Problem) {
        if case .bool = schema { return }
        guard let object = schema.object else {
            throw Problem(pointer: pointer, message: "must be an object, true or false")
        }
        guard depth < Self.deepest else { throw Problem(pointer: pointer, message: "is nested too deeply") }
        for member in object {
            let (keyword, value) = (member.key, member.value)
            let here = pointer + "/" + Self.escaped(keyword)
            if Self.annotations.contains(keyword) { continue }
            if Self.schemas.contains(keyword) {
                try check(value, at: here, depth: depth + 1)
            } else if Self.schemaLists.contains(keyword) {
                guard let list = value.array, !list.isEmpty else {
                    throw Problem(pointer: here, message: "must be an array with at least one schema")
                }
                for (index, schema) in list.enumerated() { try check(schema, at: "\(here)/\(index)", depth: depth + 1) }
            } else if Self.schemaTables.contains(keyword) {
                guard let table = value.object else {
                    throw Problem(pointer: here, message: "must be an object of schemas")
                }
                for member in table {
                    let (name, schema) = (member.key, member.value)
                    if keyword == "patternProperties" { try add(pattern: name, at: here) }
                    try check(schema, at: here + "/" + Self.escaped(name), depth: depth + 1)
                }
            } else {
                try check(keyword, value, schema, at: here)
            }
        }
    }

    /// A keyword that holds no schema.
    private mutating func check(
        _ keyword: String, _ value: JSONValue, _ schema: JSONValue, at here: String
    ) throws(Problem) {
        switch keyword {
        case "type":
            let names = value.array ?? [value]
            guard !names.isEmpty, names.allSatisfy({ $0.string.map(Self.types.contains) ?? false }) else {
                throw Problem(pointer: here, message: "must name a type: \(Self.types.joined(separator: ", "))")
            }
        case "enum":
            guard value.array != nil else { throw Problem(pointer: here, message: "must be an array") }
        case "const": break
        case "$id":
            guard here == "/$id" else { throw Problem(pointer: here, message: "is supported at the root alone") }
        case "$schema":
            // Older drafts are accepted, since their keywords are known here; a custom vocabulary is not.
            guard let text = value.string, text.contains("://json-schema.org/") else {
                throw Problem(pointer: here, message: "names a dialect that is not supported")
            }
        case "required": try checkNames(value, at: here)
        case "dependentRequired":
            guard let table = value.object else { throw Problem(pointer: here, message: "must be an object") }
            for member in table { try checkNames(member.value, at: here + "/" + Self.escaped(member.key)) }
        case "uniqueItems":
            guard value.bool != nil else { throw Problem(pointer: here, message: "must be true or false") }
        case "pattern":
            guard let text = value.string else { throw Problem(pointer: here, message: "must be a string") }
            try add(pattern: text, at: here)
        case "$ref":
            guard value.string != nil else { throw Problem(pointer: here, message: "must be a string") }
        case "$anchor":
            guard let name = value.string else { throw Problem(pointer: here, message: "must be a string") }
            anchors[name] = schema
            anchorPlaces[name] = String(here.dropLast("/$anchor".count))
        case _ where Self.counts.contains(keyword):
            guard let number = value.double, number >= 0, number == number.rounded() else {
                throw Problem(pointer: here, message: "must be a whole number from 0")
            }
        case _ where Self.numbers.contains(keyword):
            guard let number = value.double, keyword != "multipleOf" || number > 0 else {
                throw Problem(pointer: here, message: "must be a number\(keyword == "multipleOf" ? " above 0" : "")")
            }
        default: throw Problem(pointer: here, message: "is a keyword that is not supported")
        }
    }

    private func checkNames(_ value: JSONValue, at here: String) throws(Problem) {
        guard let names = value.array, names.allSatisfy({ $0.string != nil }) else {
            throw Problem(pointer: here, message: "must be an array of names")
        }
    }

    private mutating func add(pattern: String, at here: String) throws(Problem) {
        guard patterns[pattern] == nil else { return }
        // The matcher backtracks: nested repetition takes exponential time.
        guard !Self.repeatsRepetitions(pattern) else {
            throw Problem(
                pointer: here, message: "repeats a group that repeats inside, which could take for ever: \(pattern)")
        }
        do {
            patterns[pattern] = try Regex(pattern)
        } catch {
            throw Problem(pointer: here, message: "has a regular expression that cannot be read: \(pattern)")
        }
    }

    /// Whether a group repeated without bound contains an unbounded repetition: `(a+)+`.
    private static func repeatsRepetitions(_ pattern: String) -> Bool {
        var open: [Bool] = []
        var hasUnbounded = false
        var rest = pattern[...]
        /// Whether the next item repeats without bound.
        func isRepeated(_ rest: Substring) -> Bool {
            if rest.hasPrefix("*") || rest.hasPrefix("+") { return true }
            guard rest.hasPrefix("{"), let end = rest.firstIndex(of: "}") else { return false }
            return rest[..<end].hasSuffix(",")
        }
        while let character = rest.popFirst() {
            switch character {
            case "\\": _ = rest.popFirst()
            case "[":
                while let inner = rest.popFirst(), inner != "]" { if inner == "\\" { _ = rest.popFirst() } }
            case "(":
                open.append(hasUnbounded)
                hasUnbounded = false
                continue
            case ")":
                let isGroupRepeated = isRepeated(rest)
                if isGroupRepeated, hasUnbounded { return true }
                hasUnbounded = hasUnbounded || isGroupRepeated || (open.last ?? false)
                _ = open.popLast()
                continue
            default: break
            }
            if isRepeated(rest) { hasUnbounded = true }
        }
        return false
    }

    /// Each `$ref` resolves, and not only to itself.
    private func checkReferences(in schema: JSONValue, at pointer: String, depth: Int) throws(Problem) {
        guard let object = schema.object else { return }
        if let reference = object["$ref"]?.string {
            var target = self.target(of: reference)
            var steps = 0
            // A cycle of references alone would never end.
            while case .object(let next)? = target, next.count == 1, let further = next["$ref"]?.string, steps < 64 {
                target = self.target(of: further)
                steps += 1
            }
            guard target != nil, steps < 64 else {
                throw Problem(pointer: pointer + "/$ref", message: "leads nowhere inside the schema: \(reference)")
            }
        }
        for member in object {
            let (keyword, value) = (member.key, member.value)
            let here = pointer + "/" + Self.escaped(keyword)
            if Self.schemas.contains(keyword) { try checkReferences(in: value, at: here, depth: depth + 1) }
            if Self.schemaLists.contains(keyword) {
                for (index, schema) in (value.array ?? []).enumerated() {
                    try checkReferences(in: schema, at: "\(here)/\(index)", depth: depth + 1)
                }
            }
            if Self.schemaTables.contains(keyword) {
                for member in value.object ?? [:] {
                    try checkReferences(in: member.value, at: here + "/" + Self.escaped(member.key), depth: depth + 1)
                }
            }
        }
    }

    // MARK: Circles

    /// All schemas inside this one, itself included.
    private func locations(of schema: JSONValue, at pointer: String) -> [String] {
        guard let object = schema.object else { return [] }
        var result = [pointer]
        for member in object {
            let here = pointer + "/" + Self.escaped(member.key)
            if Self.schemas.contains(member.key) { result += locations(of: member.value, at: here) }
            for (index, schema) in (Self.schemaLists.contains(member.key) ? member.value.array ?? [] : []).enumerated()
            {
                result += locations(of: schema, at: "\(here)/\(index)")
            }
            for entry in Self.schemaTables.contains(member.key) ? member.value.object ?? [:] : [:] {
                result += locations(of: entry.value, at: here + "/" + Self.escaped(entry.key))
            }
        }
        return result
    }

    /// Rejects a schema that reaches itself without descending into the value: validation would not end.
    private func checkCircle(at pointer: String, through: Set<String>, _ safe: inout Set<String>) throws(Problem) {
        guard !safe.contains(pointer) else { return }
        guard !through.contains(pointer) else {
            throw Problem(pointer: pointer, message: "leads back to itself without going deeper into the value")
        }
        guard let object = target(of: "#" + Self.percented(pointer))?.object else { return }
        let through = through.union([pointer])
        if let reference = object["$ref"]?.string, let next = self.pointer(of: reference) {
            try checkCircle(at: next, through: through, &safe)
        }
        for keyword in ["not", "if", "then", "else"] where object[keyword] != nil {
            try checkCircle(at: pointer + "/" + keyword, through: through, &safe)
        }
        for keyword in ["allOf", "anyOf", "oneOf"] {
            for index in (object[keyword]?.array ?? []).indices {
                try checkCircle(at: "\(pointer)/\(keyword)/\(index)", through: through, &safe)
            }
        }
        for member in object["dependentSchemas"]?.object ?? [:] {
            try checkCircle(at: pointer + "/dependentSchemas/" + Self.escaped(member.key), through: through, &safe)
        }
        safe.insert(pointer)
    }

    /// JSON pointer of the target of a reference.
    private func pointer(of reference: String) -> String? {
        guard reference.hasPrefix("#") else { return nil }
        let fragment = String(reference.dropFirst()).percentDecoded
        return fragment.isEmpty || fragment.hasPrefix("/") ? fragment : anchorPlaces[fragment]
    }

    private static func percented(_ pointer: String) -> String { pointer.replacing("%", with: "%25") }

    // MARK: References

    /// The schema that a local reference names: "#", "#/$defs/x", "#anchor". Nil for others.
    func target(of reference: String) -> JSONValue? {
        guard reference.hasPrefix("#") else { return nil }
        let fragment = String(reference.dropFirst()).percentDecoded
        if fragment.isEmpty { return root }
        guard fragment.hasPrefix("/") else { return anchors[fragment] }
        var value = root
        for part in fragment.dropFirst().split(separator: "/", omittingEmptySubsequences: false) {
            let name = part.replacing("~1", with: "/").replacing("~0", with: "~")
            if let array = value.array {
                guard let index = Int(name), array.indices.contains(index) else { return nil }
                value = array[index]
            } else {
                guard let member = value.object?[String(name)] else { return nil }
                value = member
            }
        }
        return value.object != nil || value.bool != nil ? value : nil
    }

    private static func escaped(_ name: String) -> String {
        name.replacing("~", with: "~0").replacing("/", with: "~1")
    }
}
