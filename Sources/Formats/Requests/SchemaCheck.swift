// Checks the JSON schemas of tools and replies before a request is sent: the form of the well-known keywords (JSON
// Schema draft 2020-12), not whether the provider supports them.

internal import Base
internal import Chat
internal import JSON

struct SchemaCheck {
    let context: RequestContext
    private static let types = ["object", "array", "string", "number", "integer", "boolean", "null"]
    /// A schema that is not empty has at least one of these.
    private static let keywords: Set = [
        "$defs", "$id", "$ref", "$schema", "additionalProperties", "allOf", "anyOf", "const", "contains", "default",
        "definitions", "description", "enum", "format", "if", "items", "maximum", "maxLength", "minimum", "minLength",
        "not", "oneOf", "pattern", "patternProperties", "prefixItems", "properties", "required", "title", "type",
    ]
    private static let maxDepth = 64

    init(context: RequestContext) { self.context = context }

    /// The schema of a tool's arguments; an object without properties if it is missing.
    /// - Throws: an `APIError` that names the place in the schema.
    func parameters(_ value: JSONValue?, place: String) throws(APIError) -> JSONObject {
        guard let value, !value.isNull else { return ["type": "object", "properties": [:]] }
        var schema = try self.schema(value, place: place)
        if let type = schema["type"], type != "object" {
            throw context.invalid("\(place).type", "must be \"object\": a tool's arguments are named")
        }
        if schema["type"] == nil, schema["$ref"] == nil {
            schema["type"] = "object"
            if schema["properties"] == nil { schema["properties"] = [:] }
        }
        return schema
    }

    /// The schema, with empty Lua tables converted to the array or object that their keyword requires.
    /// - Throws: an `APIError` that names the place in the schema.
    func schema(_ value: JSONValue, place: String) throws(APIError) -> JSONObject {
        guard let object = value.object else { throw context.invalid(place, "must be a JSON Schema, an object") }
        guard object.isEmpty || object.contains(where: { Self.keywords.contains($0.key) }) else {
            throw context.invalid(
                place,
                "is no JSON Schema: it says neither type nor properties, as {type = \"object\", properties = {...}} does"
            )
        }
        return try checked(object, place: place, depth: 0)
    }

    private func checked(_ schema: JSONObject, place: String, depth: Int) throws(APIError) -> JSONObject {
        guard depth < Self.maxDepth else { throw context.invalid(place, "is nested too deeply") }
        var result = schema
        for member in schema {
            let here = "\(place).\(member.key)"
            switch member.key {
            case "type": try checkType(member.value, place: here)
            case "properties", "patternProperties", "$defs", "definitions", "dependentSchemas":
                result[member.key] = try schemas(member.value, place: here, depth: depth)
            case "items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames":
                result[member.key] = try subschema(member.value, place: here, depth: depth)
            case "anyOf", "oneOf", "allOf", "prefixItems":
                result[member.key] = try list(member.value, place: here, depth: depth)
            case "required": result[member.key] = try names(member.value, of: schema, place: here)
            case "enum":
                guard let values = member.value.array, !values.isEmpty else {
                    throw context.invalid(here, "must be an array with at least one value")
                }
            case "description", "title", "$ref", "pattern", "format":
                guard member.value.string != nil else { throw context.invalid(here, "must be a string") }
            default: break
            }
        }
        return result
    }

    private func checkType(_ value: JSONValue, place: String) throws(APIError) {
        for type in value.array ?? [value] {
            guard let name = type.string, Self.types.contains(name.lowercased()) else {
                let near = type.string.flatMap { NearestName.suggestion(for: $0, among: Self.types) }
                throw context.invalid(
                    place,
                    "is no JSON type: \(type.string.map { "\"\($0)\"" } ?? "not a string")"
                        + (near.map { " (did you mean \"\($0)\"?)" }
                            ?? "; types are \(Self.types.joined(separator: ", "))")
                )
            }
        }
    }

    private func schemas(_ value: JSONValue, place: String, depth: Int) throws(APIError) -> JSONValue {
        if value.array?.isEmpty == true { return [:] }
        guard var object = value.object else { throw context.invalid(place, "must be an object of schemas") }
        for member in object {
            object[member.key] = try subschema(member.value, place: "\(place).\(member.key)", depth: depth)
        }
        return .object(object)
    }

    /// Checks a schema or a boolean.
    private func subschema(_ value: JSONValue, place: String, depth: Int) throws(APIError) -> JSONValue {
        if value.bool != nil { return value }
        if value.array?.isEmpty == true { return [:] }
        guard let object = value.object else { throw context.invalid(place, "must be a schema, an object") }
        return .object(try checked(object, place: place, depth: depth + 1))
    }

    private func list(_ value: JSONValue, place: String, depth: Int) throws(APIError) -> JSONValue {
        guard let elements = value.array, !elements.isEmpty else {
            throw context.invalid(place, "must be an array with at least one schema")
        }
        var result: [JSONValue] = []
        for (index, element) in elements.enumerated() {
            result.append(try subschema(element, place: "\(place)[\(index + 1)]", depth: depth))
        }
        return .array(result)
    }

    /// Checks `required`: an array of names. In an object schema with properties each must be one of them.
    private func names(_ value: JSONValue, of schema: JSONObject, place: String) throws(APIError) -> JSONValue {
        if value.object?.isEmpty == true { return [] }
        guard let elements = value.array, elements.allSatisfy({ $0.string != nil }) else {
            throw context.invalid(place, "must be an array of property names")
        }
        guard let properties = schema["properties"]?.object, schema["type"] == "object" else { return value }
        for case .string(let name) in elements where properties[name] == nil {
            let near = NearestName.suggestion(for: name, among: properties.map(\.key))
            throw context.invalid(
                place, "names \"\(name)\", which is no property" + (near.map { " (did you mean \"\($0)\"?)" } ?? ""))
        }
        return value
    }
}
