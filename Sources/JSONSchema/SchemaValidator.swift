// Validates one value against a schema.

internal import JSON

/// Validation of one value.
struct SchemaValidator {
    let schema: JSONSchema
    let limit: Int
    private(set) var violations: [JSONSchema.Violation] = []
    private var path: [JSONSchema.Step] = []

    init(schema: JSONSchema, limit: Int) {
        self.schema = schema
        self.limit = limit
    }

    private mutating func complain(_ message: String) {
        if violations.count < limit { violations.append(.init(path: path, message: message)) }
    }

    /// Whether a value conforms, without violations collected.
    private func fits(_ value: JSONValue, _ rule: JSONValue, _ depth: Int) -> Bool {
        var judge = SchemaValidator(schema: schema, limit: 1)
        judge.judge(value, by: rule, depth: depth + 1)
        return judge.violations.isEmpty
    }

    private mutating func inside(_ step: JSONSchema.Step, _ value: JSONValue, _ rule: JSONValue, _ depth: Int) {
        path.append(step)
        judge(value, by: rule, depth: depth + 1)
        path.removeLast()
    }

    mutating func judge(_ value: JSONValue, by rule: JSONValue, depth: Int) {
        guard violations.count < limit else { return }
        if let allows = rule.bool {
            if !allows { complain("must not be there") }
            return
        }
        guard let rule = rule.object else { return }
        guard depth < JSONSchema.deepest * 4 else { return complain("is nested too deeply to be judged") }
        if let target = rule["$ref"]?.string.flatMap(schema.target) { judge(value, by: target, depth: depth + 1) }
        judgeWorth(value, rule)
        switch value {
        case .object(let object): judgeMembers(object, rule, depth)
        case .array(let array): judgeElements(array, rule, depth)
        case .string(let text): judgeText(text, rule)
        case .int, .double: judgeNumber(value, rule)
        default: break
        }
        judgeCombinations(value, rule, depth)
    }

    // MARK: Any value

    private mutating func judgeWorth(_ value: JSONValue, _ rule: JSONObject) {
        if let type = rule["type"] {
            let names = (type.array ?? [type]).compactMap(\.string)
            if !names.contains(where: { Self.isType(value, $0) }) {
                complain("must be \(Self.list(names.map(Self.article))), and is \(Self.shown(value))")
            }
        }
        if let values = rule["enum"]?.array, !values.contains(where: { Self.isSame($0, value) }) {
            complain("must be one of \(values.map(Self.shown).joined(separator: ", ")), and is \(Self.shown(value))")
        }
        if let constant = rule["const"], !Self.isSame(constant, value) {
            complain("must be \(Self.shown(constant)), and is \(Self.shown(value))")
        }
    }

    private mutating func judgeCombinations(_ value: JSONValue, _ rule: JSONObject, _ depth: Int) {
        for part in rule["allOf"]?.array ?? [] { judge(value, by: part, depth: depth + 1) }
        if let parts = rule["anyOf"]?.array, !parts.contains(where: { fits(value, $0, depth) }) {
            complain("fits none of the \(parts.count) forms it may have (anyOf)")
        }
        if let parts = rule["oneOf"]?.array {
            let count = parts.count { fits(value, $0, depth) }
            if count != 1 {
                complain(
                    "must fit exactly one of \(parts.count) forms (oneOf), and fits \(count == 0 ? "none" : "\(count)")"
                )
            }
        }
        if let not = rule["not"], fits(value, not, depth) { complain("has a form that it must not have (not)") }
        if let condition = rule["if"] {
            let branch = fits(value, condition, depth) ? rule["then"] : rule["else"]
            if let branch { judge(value, by: branch, depth: depth + 1) }
        }
    }

    // MARK: Objects

    private mutating func judgeMembers(_ object: JSONObject, _ rule: JSONObject, _ depth: Int) {
        for name in rule["required"]?.array?.compactMap(\.string) ?? [] where object[name] == nil {
            complain("lacks the member \"\(name)\"")
        }
        let properties = rule["properties"]?.object
        let patterns = rule["patternProperties"]?.object
        let others = rule["additionalProperties"]
        for entry in object {
            let (name, member) = (entry.key, entry.value)
            var isKnown = false
            if let part = properties?[name] {
                isKnown = true
                inside(.member(name), member, part, depth)
            }
            for pattern in patterns ?? [:] where matches(name, pattern.key) {
                isKnown = true
                inside(.member(name), member, pattern.value, depth)
            }
            if !isKnown, let others {
                if others == false {
                    complain("has a member that it must not have: \"\(name)\"")
                } else {
                    inside(.member(name), member, others, depth)
                }
            }
            if let names = rule["propertyNames"], !fits(.string(name), names, depth) {
                complain("has a member whose name is not allowed: \"\(name)\"")
            }
            for needed in rule["dependentRequired"]?[name]?.array?.compactMap(\.string) ?? []
            where object[needed] == nil {
                complain("has \"\(name)\" and so must have \"\(needed)\"")
            }
            if let part = rule["dependentSchemas"]?[name] { judge(.object(object), by: part, depth: depth + 1) }
        }
        judgeCount(object.count, rule, "Properties", "members")
    }

    // MARK: Arrays

    private mutating func judgeElements(_ array: [JSONValue], _ rule: JSONObject, _ depth: Int) {
        let first = rule["prefixItems"]?.array ?? []
        for (index, element) in array.enumerated() {
            if index < first.count {
                inside(.element(index), element, first[index], depth)
            } else if let items = rule["items"] {
                inside(.element(index), element, items, depth)
            }
        }
        judgeCount(array.count, rule, "Items", "elements")
        if rule["uniqueItems"] == true {
            for index in array.indices.dropFirst()
            where array[..<index].contains(where: { Self.isSame($0, array[index]) }) {
                complain("has an element twice: \(Self.shown(array[index]))")
                break
            }
        }
        guard let wanted = rule["contains"] else { return }
        let count = Double(array.count { fits($0, wanted, depth) })
        let least = rule["minContains"]?.double ?? 1
        if count < least { complain("must contain at least \(Self.text(least)) elements of a certain form") }
        if let most = rule["maxContains"]?.double, count > most {
            complain("must contain at most \(Self.text(most)) elements of a certain form")
        }
    }

    private mutating func judgeCount(_ count: Int, _ rule: JSONObject, _ what: String, _ name: String) {
        if let least = rule["min\(what)"]?.double, Double(count) < least {
            complain("must have at least \(Self.text(least)) \(name), and has \(count)")
        }
        if let most = rule["max\(what)"]?.double, Double(count) > most {
            complain("must have at most \(Self.text(most)) \(name), and has \(count)")
        }
    }

    // MARK: Strings and numbers

    private mutating func judgeText(_ text: String, _ rule: JSONObject) {
        if rule["minLength"] != nil || rule["maxLength"] != nil {
            judgeCount(text.unicodeScalars.count, rule, "Length", "characters")
        }
        if let pattern = rule["pattern"]?.string, !matches(text, pattern) {
            complain("must match \(pattern), and is \(Self.shown(.string(text)))")
        }
    }

    /// Anywhere in the text, as the specification requires.
    private func matches(_ text: String, _ pattern: String) -> Bool {
        guard let regex = schema.patterns[pattern] else { return false }
        // An expression that fails at run time (too much backtracking) does not match.
        return (try? regex.firstMatch(in: text)) != nil
    }

    private mutating func judgeNumber(_ value: JSONValue, _ rule: JSONObject) {
        func check(
            _ keyword: String, _ says: String, _ holds: (Double, Double) -> Bool, _ exact: (Int64, Int64) -> Bool
        ) -> String? {
            guard let bound = rule[keyword] else { return nil }
            let isGood: Bool
            if case .int(let a) = value, case .int(let b) = bound {
                isGood = exact(a, b)
            } else {
                isGood = holds(value.double ?? .nan, bound.double ?? .nan)
            }
            return isGood ? nil : "must be \(says) \(Self.shown(bound)), and is \(Self.shown(value))"
        }
        let complaints = [
            check("minimum", "at least", >=, >=), check("maximum", "at most", <=, <=),
            check("exclusiveMinimum", "above", >, >), check("exclusiveMaximum", "below", <, <),
            check("multipleOf", "a multiple of", Self.isMultiple, { $1 != 0 && $0 % $1 == 0 }),
        ]
        for complaint in complaints.compactMap({ $0 }) { complain(complaint) }
    }

    private static func isMultiple(_ value: Double, _ factor: Double) -> Bool {
        let quotient = value / factor
        // Within the precision of a division of doubles.
        return quotient.isFinite && abs(quotient - quotient.rounded()) <= 1e-12 + 1e-15 * abs(quotient)
    }

    // MARK: Comparing and showing

    private static func isType(_ value: JSONValue, _ name: String) -> Bool {
        switch (value, name) {
        case (.object, "object"), (.array, "array"), (.string, "string"), (.bool, "boolean"), (.null, "null"),
            (.int, "integer"), (.int, "number"), (.double, "number"):
            true
        case (.double(let number), "integer"): number == number.rounded() && number.isFinite
        default: false
        }
    }

    /// Equality as in the specification: numbers by value, objects in any order.
    static func isSame(_ a: JSONValue, _ b: JSONValue) -> Bool {
        switch (a, b) {
        case (.int, .double), (.double, .int): a.double == b.double
        case (.array(let a), .array(let b)): a.count == b.count && zip(a, b).allSatisfy(isSame)
        case (.object(let a), .object(let b)):
            a.count == b.count && a.allSatisfy { member in b[member.key].map { isSame(member.value, $0) } ?? false }
        default: a == b
        }
    }

    private static func article(_ type: String) -> String {
        switch type {
        case "null": "null"
        case "boolean": "true or false"
        case "object", "array", "integer": "an \(type)"
        default: "a \(type)"
        }
    }

    private static func list(_ names: [String]) -> String { names.joined(separator: " or ") }

    private static func text(_ number: Double) -> String { String(Int(exactly: number) ?? Int.max) }

    /// A value on one line, shortened.
    private static func shown(_ value: JSONValue) -> String {
        switch value {
        case .object: return "an object"
        case .array: return "an array"
        default:
            let text = JSONWriter.text(value)
            return text.count > 60 ? String(text.prefix(60)) + "…" : text
        }
    }
}
