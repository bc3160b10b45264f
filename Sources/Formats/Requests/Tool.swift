// Decodes tools and the tool choice, in the short form or in the form of Chat Completions.

internal import Base
internal import Chat
internal import JSON

enum Tool {
    case function(FunctionTool)
    /// A tool of the provider's own (web search, code execution, ...), unchanged.
    case native(JSONObject)
}

extension Tool {
    /// The tool in the form of Chat Completions and of formats derived from it.
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

/// A function of the script.
struct FunctionTool: Equatable {
    var name: String
    var description: String?
    /// The JSON schema of the arguments, of type object.
    var parameters: JSONObject
    /// Whether the provider enforces the schema.
    var strict: Bool?
    /// Members that only some providers accept (`cache_control`, `defer_loading`), unchanged.
    var extra: JSONObject = [:]
}

/// Which tools the model may or must call.
enum ToolChoice: Equatable {
    case auto, none, required
    case function(String)
    /// A choice of the provider's own, unchanged.
    case native(JSONObject)
}

/// Decodes tools and the tool choice.
struct ToolReader {
    private static let members = ["type", "function", "name", "description", "parameters", "input_schema", "strict"]

    let context: RequestContext

    /// - Throws: an `APIError` that names the invalid member.
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

    /// Unknown members are sent to the provider, but a name that is similar to a known one is an error.
    private func checkNames(of tool: JSONObject, _ place: String) throws(APIError) {
        for member in tool where !Self.members.contains(member.key) {
            guard let near = NearestName.suggestion(for: member.key, among: Self.members), tool[near] == nil else {
                continue
            }
            throw context.invalid("\(place).\(member.key)", "is no member of a tool (did you mean \"\(near)\"?)")
        }
    }

    /// Whether a tool may have this name: 1 to 64 letters, digits, `_` and `-`, whatever the format.
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

    /// - Throws: an `APIError` for an invalid choice.
    func choice(_ value: JSONValue) throws(APIError) -> ToolChoice {
        switch value {
        case .string("auto"): return .auto
        case .string("none"): return .none
        case .string("required"), .string("any"): return .required
        case .object(let object):
            let name = object["function"]?["name"]?.string ?? object["name"]?.string
            switch object["type"]?.string {
            case nil, "function": if let name { return .function(name) }
            // Anthropic's form, which may have more members (`disable_parallel_tool_use`).
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
