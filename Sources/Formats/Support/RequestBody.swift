// Reads the members of request bodies that several formats share. Throws the errors (status 400) that providers send
// for invalid ones.

internal import Chat
internal import JSON

/// The body of a request.
struct RequestBody {
    let object: JSONObject

    init(_ value: JSONValue) throws(ReplyError) {
        guard let object = value.object else { throw Self.refused("the body must be a JSON object") }
        self.object = object
    }

    /// The object in a member; empty if the member is missing or null.
    /// - Parameter place: its name in the error.
    func part(_ name: String, place: String? = nil) throws(ReplyError) -> RequestBody {
        let value = self[name]
        guard value.isNull || value.object != nil else { throw refused("must be an object", place ?? name) }
        return try RequestBody(value.isNull ? [:] : value)
    }

    subscript(name: String) -> JSONValue { object[name] ?? nil }

    func model() throws(ReplyError) -> String {
        guard let model = self["model"].string, !model.isEmpty else {
            throw refused("you must provide a model parameter", "model")
        }
        return model
    }

    func messages() throws(ReplyError) -> [JSONValue] {
        guard let list = self["messages"].array, !list.isEmpty else {
            throw refused("'messages' must be an array with at least one message", "messages")
        }
        return list
    }

    /// The value of an optional flag.
    func flag(_ name: String) throws(ReplyError) -> Bool? {
        if self[name].isNull { return nil }
        guard let flag = self[name].bool else { throw refused("'\(name)' must be true or false", name) }
        return flag
    }

    /// The value of an optional whole number of at least 1.
    func positive(_ name: String) throws(ReplyError) -> Int? {
        if self[name].isNull { return nil }
        guard let number = self[name].int.flatMap({ Int(exactly: $0) }), number >= 1 else {
            throw refused("'\(name)' must be a whole number from 1", name)
        }
        return number
    }

    /// A string or an array of strings, without empty ones. Empty if the member is missing.
    func strings(_ name: String) throws(ReplyError) -> [String] {
        switch self[name] {
        case .null: return []
        case .string(let text): return text.isEmpty ? [] : [text]
        case .array(let list) where list.allSatisfy({ $0.string != nil }):
            return list.compactMap(\.string).filter { !$0.isEmpty }
        default: throw refused("'\(name)' must be a string or an array of strings", name)
        }
    }

    /// The value of an optional array; empty if it is missing.
    func array(_ name: String) throws(ReplyError) -> [JSONValue] {
        if self[name].isNull { return [] }
        guard let array = self[name].array else { throw refused("'\(name)' must be an array", name) }
        return array
    }

    /// Tools in the form of Chat Completions. Each must have a function name.
    func functionTools() throws(ReplyError) -> [JSONValue] {
        let tools = try array("tools")
        for (index, tool) in tools.enumerated() where tool["function"]?["name"]?.string?.isEmpty != false {
            throw refused("a tool has no function name", "tools[\(index)].function.name")
        }
        return tools
    }

    /// The tool choice for one function in the form of Chat Completions. The function must be among the tools.
    func choice(of name: String, among tools: [JSONValue]) throws(ReplyError) -> JSONValue {
        guard tools.contains(where: { $0["function"]?["name"]?.string == name }) else {
            throw refused("'tool_choice' names '\(name)', which is not among 'tools'", "tool_choice")
        }
        return ["type": "function", "function": ["name": .string(name)]]
    }

    func refused(_ message: String, _ parameter: String? = nil, code: String? = nil) -> ReplyError {
        Self.refused(message, parameter, code: code)
    }

    static func refused(_ message: String, _ parameter: String? = nil, code: String? = nil) -> ReplyError {
        ReplyError(status: 400, message: message, code: code, parameter: parameter)
    }
}

/// Collects options of a decoded request in the common form.
struct DecodedOptions {
    private(set) var parameters = JSONObject()

    /// Adds an option; does nothing for nil and null.
    mutating func add(_ option: CommonOption, _ value: JSONValue?) {
        guard let value, !value.isNull else { return }
        parameters[option.rawValue] = value
    }

    mutating func add(_ option: CommonOption, _ count: Int?) { add(option, count.map { .int(Int64($0)) }) }

    mutating func add(stop texts: [String]) {
        if !texts.isEmpty { add(.stop, .array(texts.map { .string($0) })) }
    }

    mutating func add(tools: [JSONValue]) {
        if !tools.isEmpty { add(.tools, .array(tools)) }
    }

    /// Adds the response format for JSON of this schema.
    mutating func add(schema: JSONValue, name: String = "answer") {
        add(
            .responseFormat,
            ["type": "json_schema", "json_schema": ["name": .string(name), "schema": schema]])
    }

    /// Adds options that have another name in this format.
    mutating func move(_ names: OptionNames, from body: RequestBody) {
        for (option, name) in names { add(option, body[name]) }
    }

    /// Adds all other members unchanged.
    /// - Parameters:
    ///   - part: the name of the member of the request body that `body` is; nil for the request body itself.
    ///   - names: options that were moved.
    ///   - taken: members that were decoded.
    mutating func addOthers(
        of body: RequestBody, in part: String? = nil, except names: OptionNames = [], _ taken: Set<String>
    ) {
        var others = JSONObject()
        for member in body.object where !taken.contains(member.key) && !member.value.isNull {
            if !names.contains(where: { $0.name == member.key }) { others[member.key] = member.value }
        }
        if let part {
            if !others.isEmpty { parameters[part] = .object(others) }
        } else {
            for member in others { parameters[member.key] = member.value }
        }
    }
}

/// Options that have the same value in a format, with their names in that format. Used in both directions.
typealias OptionNames = [(option: CommonOption, name: String)]

/// Parts of messages in the common form.
enum CommonForm {
    static func text(_ text: String) -> JSONValue { ["type": "text", "text": .string(text)] }

    static func image(url: String) -> JSONValue { ["type": "image_url", "image_url": ["url": .string(url)]] }

    static func image(mediaType: String, base64: String) -> JSONValue {
        image(url: "data:\(mediaType);base64,\(base64)")
    }

    /// A string for one plain text, otherwise the parts.
    static func content(_ parts: [JSONValue]) -> JSONValue {
        parts.count == 1 && parts[0].object?.count == 2 ? parts[0]["text"] ?? .array(parts) : .array(parts)
    }

    static func tool(_ function: JSONObject) -> JSONValue { ["type": "function", "function": .object(function)] }

    static func call(id: String?, name: String, argumentsJSON: String) -> JSONValue {
        var call: JSONObject = [:]
        if let id { call["id"] = .string(id) }
        call["type"] = "function"
        call["function"] = ["name": .string(name), "arguments": .string(argumentsJSON)]
        return .object(call)
    }

    /// The text of a message's content: the string, or the joined texts of its parts.
    static func text(of content: JSONValue) -> String {
        content.string ?? (content.array ?? []).compactMap { $0["text"]?.string }.joined()
    }
}

extension DecodedRequest {
    /// Moves a leading system message that is plain text to `system`.
    mutating func takeSystem() {
        guard chat.system == nil, let first = chat.messages.first?.object, first["role"] == "system", first.count == 2,
            let text = first["content"]?.string
        else { return }
        chat.system = text
        chat.messages.removeFirst()
    }

    /// Moves a last assistant message without tool calls to `continuing`: it is the partial reply to continue.
    mutating func takePartialReply() {
        guard let last = chat.messages.last, last["role"] == "assistant", last["tool_calls"] == nil else { return }
        chat.continuing = CommonForm.text(of: last["content"] ?? nil)
        chat.messages.removeLast()
    }
}
