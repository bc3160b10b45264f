// Generates a value that matches a JSON schema: arguments of tool calls, replies to `response_format`. Supports what tool
// schemas use; `pattern` and `not` are ignored.

internal import JSON

struct SchemaSampler {
    /// The whole schema, for `$ref`.
    let root: JSONValue
    /// The subject of the conversation: the value of free text.
    let subject: String
    /// The user's message. A city in it becomes the value of a member named "city".
    let hint: String

    private static let deepest = 8

    func value() -> JSONValue { sample(root, name: "", depth: 0) }

    private func sample(_ schema: JSONValue, name: String, depth: Int) -> JSONValue {
        guard depth <= Self.deepest else { return .null }
        if let constant = schema["const"] { return constant }
        if let first = schema["enum"]?.array?.first { return first }
        if let fallback = schema["default"], !fallback.isNull { return fallback }
        if let target = schema["$ref"]?.string {
            return sample(resolve(target), name: name, depth: depth + 1)
        }
        for key in ["anyOf", "oneOf"] {
            if let first = schema[key]?.array?.first(where: { $0["type"]?.string != "null" }) {
                return sample(first, name: name, depth: depth + 1)
            }
        }
        if let parts = schema["allOf"]?.array {
            return sample(Self.merged(schema, parts), name: name, depth: depth + 1)
        }
        switch Self.type(of: schema) {
        case "object": return object(schema, depth)
        case "array": return array(schema, name, depth)
        case "integer": return .int(Int64(number(schema, step: 1)))
        case "number": return .double(number(schema, step: 0.5))
        case "boolean": return true
        case "null": return .null
        default: return .string(string(schema, name))
        }
    }

    private static func type(of schema: JSONValue) -> String? {
        if let type = schema["type"]?.string { return type }
        if let types = schema["type"]?.array { return types.compactMap(\.string).first { $0 != "null" } ?? "null" }
        if schema["properties"] != nil { return "object" }
        return schema["items"] == nil ? (schema.object?.isEmpty == true ? "object" : nil) : "array"
    }

    /// The target of a local pointer: `#/$defs/Name`.
    private func resolve(_ pointer: String) -> JSONValue {
        guard pointer.hasPrefix("#") else { return [:] }
        return pointer.dropFirst().split(separator: "/").reduce(root) { $0[String($1)] ?? [:] }
    }

    private static func merged(_ schema: JSONValue, _ parts: [JSONValue]) -> JSONValue {
        var result = schema.object ?? [:]
        result["allOf"] = nil
        for part in parts {
            for member in part.object ?? [:] {
                if let old = result[member.key]?.object, let new = member.value.object {
                    var both = old
                    for inner in new { both[inner.key] = inner.value }
                    result[member.key] = .object(both)
                } else if let old = result[member.key]?.array, let new = member.value.array {
                    result[member.key] = .array(old + new)
                } else {
                    result[member.key] = member.value
                }
            }
        }
        return .object(result)
    }

    private func object(_ schema: JSONValue, _ depth: Int) -> JSONValue {
        var object = JSONObject()
        let required = Set((schema["required"]?.array ?? []).compactMap(\.string))
        for member in schema["properties"]?.object ?? [:] where depth < 3 || required.contains(member.key) {
            object[member.key] = sample(member.value, name: member.key.lowercased(), depth: depth + 1)
        }
        return .object(object)
    }

    private func array(_ schema: JSONValue, _ name: String, _ depth: Int) -> JSONValue {
        let least = Int(schema["minItems"]?.int ?? 1)
        // Nested arrays multiply: only the outer ones get many elements.
        let most = min(Int(schema["maxItems"]?.int ?? 100), depth < 2 ? 100 : 2)
        let item = sample(schema["items"] ?? ["type": "string"], name: name, depth: depth + 1)
        return .array(Array(repeating: item, count: min(max(1, least), max(0, most))))
    }

    private func number(_ schema: JSONValue, step: Double) -> Double {
        var value = step == 1 ? 3 : 1.5
        if let least = schema["minimum"]?.double { value = max(value, step == 1 ? least.rounded(.up) : least) }
        if let above = schema["exclusiveMinimum"]?.double, value <= above {
            value = step == 1 ? above.rounded(.down) + 1 : above + step
        }
        if let most = schema["maximum"]?.double { value = min(value, step == 1 ? most.rounded(.down) : most) }
        if let below = schema["exclusiveMaximum"]?.double, value >= below {
            value = step == 1 ? below.rounded(.up) - 1 : below - step
        }
        if let multiple = schema["multipleOf"]?.double, multiple > 0 {
            value = (value / multiple).rounded(.up) * multiple
        }
        return min(max(value, -9e15), 9e15)
    }

    private func string(_ schema: JSONValue, _ name: String) -> String {
        var text = Self.formats[schema["format"]?.string ?? ""] ?? named(name)
        if let most = schema["maxLength"]?.int, text.count > most { text = String(text.prefix(Int(max(0, most)))) }
        if let least = schema["minLength"]?.int, text.count < least {
            text += String(repeating: "x", count: min(Int(least), 100_000) - text.count)
        }
        return text
    }

    private static let formats = [
        "date": "2025-01-15", "date-time": "2025-01-15T08:00:00Z", "time": "08:00:00Z", "email": "moon@example.com",
        "uri": "https://example.com/rill", "url": "https://example.com/rill", "ipv4": "192.0.2.1",
        "uuid": "6f1b9c1e-2d3a-4b5c-8d7e-9f0a1b2c3d4e", "hostname": "example.com",
    ]

    private static let cities = [
        "Beijing", "Shanghai", "Paris", "London", "Tokyo", "Berlin", "New York", "Madrid", "Rome", "Sydney", "北京", "上海",
        "广州", "深圳", "杭州", "成都", "东京", "巴黎", "伦敦",
    ]

    /// A value for a member of this name.
    private func named(_ name: String) -> String {
        let lowered = hint.utf8.count > 4_000 ? "" : hint.lowercased()
        let city = Self.cities.first { lowered.contains($0.lowercased()) }
        if ["city", "location", "place", "town", "destination"].contains(where: { name.contains($0) }) {
            return city ?? (hint.containsHan ? "北京" : "Paris")
        }
        if name.contains("unit") { return "celsius" }
        if name.contains("date") { return "2025-01-15" }
        if name.contains("lang") { return hint.containsHan ? "zh" : "en" }
        if name.contains("expression") { return "1 + 2" }
        if name.contains("path") || name.contains("file") { return "notes.txt" }
        if name.contains("url") { return "https://example.com/rill" }
        return subject
    }
}
