// Tools that a model may call, as scripts declare them: in the short form or in that of Chat Completions.

internal import Base
internal import Chat
internal import JSON

/// A tool.
enum Tool {
    /// A function of the script's.
    case function(FunctionTool)
    /// A tool of the provider's own (web search, code execution, ...), passed on as it was written.
    case native(JSONObject)
}

extension Tool {
    /// The tool as Chat Completions, and those who took over its form, want it.
    var chatCompletionsForm: JSONValue {
        switch self {
        case .native(let object): return .object(object)
        case .function(let function):
            var form: JSONObject = ["name": .string(function.name)]
            if let description = function.description { form["description"] = .string(description) }
            form["parameters"] = .object(function.parameters)
            if let strict = function.strict { form["strict"] = .bool(strict) }
            var tool: JSONObject = ["type": "function", "function": .object(form)]
            tool.merge(function.extra)
            return .object(tool)
        }
    }
}

/// A function that the script offers.
struct FunctionTool: Equatable {
    var name: String
    var description: String?
    /// The arguments' JSON Schema; an object schema.
    var parameters: JSONObject
    /// Whether the provider is to hold the model to the schema.
    var strict: Bool?
    /// Members that only some providers know (`cache_control`, `defer_loading`), as they were written.
    var extra: JSONObject = [:]
}

/// Which tools the model may or must call.
enum ToolChoice: Equatable {
    case auto, none, required
    /// This one.
    case function(String)
    /// The provider's own way of saying it, as it was written.
    case native(JSONObject)
}

/// Reads tools and the choice among them.
struct ToolReader {
    private static let members = ["type", "function", "name", "description", "parameters", "input_schema", "strict"]

    let context: RequestContext

    /// - Throws: an `APIError` that names the member at fault.
    func tools(_ value: JSONValue) throws(APIError) -> [Tool] {
        if value.object?.isEmpty == true { return [] }
        guard let elements = value.array else { throw context.invalid("tools", "must be an array of tools") }
        var tools: [Tool] = []
        for (index, element) in elements.enumerated() {
            tools.append(try tool(element, place: "tools[\(index + 1)]"))
        }
        return tools
    }

    private func tool(_ value: JSONValue, place: String) throws(APIError) -> Tool {
        guard let object = value.object else {
            throw context.invalid(place, "must be a tool: {name = ..., description = ..., parameters = ...}")
        }
        let type = object["type"]?.string
        let isFunction = type == "function" || object["function"] != nil
        let isNamed = object["name"] != nil
        if !isFunction, type != nil || !isNamed && object["parameters"] == nil && object["input_schema"] == nil {
            try checkNames(of: object, place)
            return .native(object)
        }
        let function = object["function"]?.object ?? object
        let inside = object["function"] == nil ? place : "\(place).function"
        guard let name = function["name"]?.string else { throw context.invalid("\(inside).name", "must be a string") }
        guard Self.isName(name) else {
            throw context.invalid(
                "\(inside).name",
                "is \"\(Snippet.of(name, limit: 70))\"; a tool's name has 1 to 64 letters, digits, _ and -")
        }
        if let description = function["description"], description.string == nil, !description.isNull {
            throw context.invalid("\(inside).description", "must be a string")
        }
        try checkNames(of: function, inside)
        var extra = object["function"]?.object ?? [:]
        extra.merge(object)
        for name in Self.members { extra[name] = nil }
        return .function(
            FunctionTool(
                name: name, description: function["description"]?.string,
                parameters: try SchemaCheck(context: context).parameters(
                    function["parameters"] ?? function["input_schema"], place: "\(inside).parameters"),
                strict: function["strict"]?.bool, extra: extra))
    }

    /// Members that nobody knows go to the provider, who may; not those that are nearly one of ours.
    private func checkNames(of tool: JSONObject, _ place: String) throws(APIError) {
        for member in tool where !Self.members.contains(member.key) {
            guard let near = NearestName.suggestion(for: member.key, among: Self.members), tool[near] == nil else {
                continue
            }
            throw context.invalid("\(place).\(member.key)", "is no member of a tool (did you mean \"\(near)\"?)")
        }
    }

    /// The names that every provider takes.
    private static func isName(_ name: String) -> Bool {
        (1...64).contains(name.utf8.count)
            && name.utf8.allSatisfy {
                switch $0 {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"):
                    true
                default: false
                }
            }
    }

    /// - Throws: an `APIError` for a choice that is none.
    func choice(_ value: JSONValue) throws(APIError) -> ToolChoice {
        switch value {
        case .string("auto"): return .auto
        case .string("none"): return .none
        case .string("required"), .string("any"): return .required
        case .object(let object):
            let name = object["function"]?["name"]?.string ?? object["name"]?.string
            switch object["type"]?.string {
            case nil, "function": if let name { return .function(name) }
            // Anthropic's form, which may say more (`disable_parallel_tool_use`).
            case "tool": if let name, object.count == 2 { return .function(name) }
            default: break
            }
            return .native(object)
        default:
            throw context.invalid(
                "tool_choice", "must be \"auto\", \"none\", \"required\" or {name = \"the tool\"}")
        }
    }
}
