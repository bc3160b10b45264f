// Decodes the options `response_format` and `thinking`, in the short form ({type = "json_schema", schema = {...}}) or
// in the form of Chat Completions.

internal import Chat
internal import JSON

/// The format of a reply.
enum ResponseFormat: Equatable {
    case text
    case jsonObject
    case jsonSchema(JSONSchemaFormat)
    /// A format of the provider's own, unchanged.
    case native(JSONObject)

    /// - Throws: an `APIError` that names the invalid member.
    init(_ value: JSONValue, context: RequestContext) throws(APIError) {
        switch value {
        case .string("text"): self = .text
        case .string("json"), .string("json_object"): self = .jsonObject
        case .object(let object):
            switch object["type"]?.string {
            case "text": self = .text
            case "json_object": self = .jsonObject
            case "json_schema", nil:
                guard object["json_schema"] != nil || object["schema"] != nil else { fallthrough }
                self = .jsonSchema(try JSONSchemaFormat(object, context: context))
            default: self = .native(object)
            }
        default:
            throw context.invalid(
                "response_format", "must be \"text\", \"json_object\" or {type = \"json_schema\", schema = {...}}")
        }
    }
}

/// The schema of a reply.
struct JSONSchemaFormat: Equatable {
    /// The name of the schema; some providers require one.
    var name: String
    var description: String?
    var schema: JSONObject
    /// Whether the provider enforces it; nil for its default.
    var strict: Bool?

    fileprivate init(_ object: JSONObject, context: RequestContext) throws(APIError) {
        let inside = object["json_schema"]?.object
        let form = inside ?? object
        let place = inside == nil ? "response_format" : "response_format.json_schema"
        guard let schema = form["schema"] else { throw context.invalid("\(place).schema", "is missing") }
        self.schema = try SchemaCheck(context: context).schema(schema, place: "\(place).schema")
        name = form["name"]?.string ?? "answer"
        description = form["description"]?.string
        strict = form["strict"]?.bool
    }
}

/// Whether and how much the model reasons before it replies.
enum Thinking: Equatable {
    /// The provider's default.
    case unspecified
    case off
    /// On, with a maximum number of tokens or an effort ("low", "medium", "high", ...).
    case on(budget: Int64?, effort: String?)
    /// A value of the provider's own, unchanged.
    case native(JSONObject, effort: String?)

    /// - Parameters:
    ///   - value: `thinking`: true, false, a number of tokens, or a table.
    ///   - effort: `reasoning_effort`.
    /// - Throws: an `APIError` that names the option.
    init(_ value: JSONValue?, effort: String?, context: RequestContext) throws(APIError) {
        let isEffortOff = effort == "none"
        switch value {
        case nil: self = effort == nil ? .unspecified : isEffortOff ? .off : .on(budget: nil, effort: effort)
        case .bool(false): self = .off
        case .bool(true): self = .on(budget: nil, effort: effort)
        case .some(let value) where value.int != nil:
            guard let budget = value.int, budget >= 0 else {
                throw context.invalid("thinking", "must be a number of tokens of 0 or more")
            }
            self = budget == 0 ? .off : .on(budget: budget, effort: effort)
        case .object(let object):
            if let budget = object["budget_tokens"], !budget.isNull, budget.int.map({ $0 > 0 }) != true {
                throw context.invalid("thinking.budget_tokens", "must be a whole number of tokens above 0")
            }
            let isPlain = object.allSatisfy { ["budget_tokens", "type"].contains($0.key) }
            switch object["type"]?.string {
            case "disabled" where isPlain: self = .off
            case nil where isPlain, "enabled" where isPlain:
                self = .on(budget: object["budget_tokens"]?.int, effort: effort)
            default: self = .native(object, effort: effort)
            }
        default:
            throw context.invalid("thinking", "must be true, false, a number of tokens, or a table")
        }
    }
}
