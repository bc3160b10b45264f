// The members of a request's body that every API reads alike, and refuses alike. Called by the readers of dialects.

internal import JSON

/// A request's body, member by member.
struct RequestFields {
    let body: JSONValue

    init(_ body: JSONValue) throws(RequestRefusal) {
        self.body = body
        guard body.object != nil else { throw refused("the body must be a JSON object") }
    }

    subscript(name: String) -> JSONValue { body[name] ?? nil }

    func model() throws(RequestRefusal) -> String {
        guard let model = body["model"]?.string, !model.isEmpty else {
            throw refused("you must provide a model parameter", "model")
        }
        return model
    }

    func messages() throws(RequestRefusal) -> [JSONValue] {
        guard let list = body["messages"]?.array, !list.isEmpty else {
            throw refused("'messages' must be an array with at least one message", "messages")
        }
        return list
    }

    /// The value of an optional flag.
    func flag(_ name: String) throws(RequestRefusal) -> Bool? {
        guard let value = body[name], !value.isNull else { return nil }
        guard let flag = value.bool else { throw refused("'\(name)' must be true or false", name) }
        return flag
    }

    /// The value of an optional whole number from 1.
    func positive(_ name: String) throws(RequestRefusal) -> Int? {
        guard let value = body[name], !value.isNull else { return nil }
        guard let number = value.int.flatMap({ Int(exactly: $0) }), number >= 1 else {
            throw refused("'\(name)' must be a whole number from 1", name)
        }
        return number
    }

    /// A string, or several; without empty ones.
    func strings(_ name: String) throws(RequestRefusal) -> [String] {
        switch self[name] {
        case .null: return []
        case .string(let text): return text.isEmpty ? [] : [text]
        case .array(let list) where list.allSatisfy({ $0.string != nil }):
            return list.compactMap(\.string).filter { !$0.isEmpty }
        default: throw refused("'\(name)' must be a string or an array of strings", name)
        }
    }

    /// An optional array.
    func array(_ name: String) throws(RequestRefusal) -> [JSONValue] {
        if self[name].isNull { return [] }
        guard let array = self[name].array else { throw refused("'\(name)' must be an array", name) }
        return array
    }

    /// The name, if it is among the tools.
    func tool(_ name: String, among tools: [SimulatedPrompt.Tool]) throws(RequestRefusal) -> SimulatedPrompt.ToolChoice
    {
        guard tools.contains(where: { $0.name == name }) else {
            throw refused("'tool_choice' names '\(name)', which is not among 'tools'", "tool_choice")
        }
        return .named(name)
    }

    func refused(_ message: String, _ parameter: String? = nil) -> RequestRefusal {
        RequestRefusal(status: 400, message: message, parameter: parameter)
    }
}
