// Checks conversations of clients, which are not trusted.

internal import Chat
internal import Formats
internal import JSON

/// Checks that every conversation passes, whatever its format.
enum Conversation {
    /// Maximum messages of a request.
    static let mostMessages = 10_000
    /// Maximum length of a model's name in bytes.
    static let longestModel = 200

    private static let roles: Set<String> = ["system", "developer", "user", "assistant", "tool", "function"]

    /// The messages of a request for a stream.
    static func checked(_ messages: [JSONValue]) throws(RequestRefusal) -> [JSONValue] {
        for (index, message) in messages.enumerated() {
            let place = "messages[\(index)]"
            guard let object = message.object else {
                throw RequestRefusal(place, "must be an object with role and content")
            }
            guard let role = object["role"]?.string else { throw RequestRefusal("\(place).role", "must be a string") }
            guard roles.contains(role) else {
                throw RequestRefusal("\(place).role", "is unknown: " + StreamRequest.unknown(role, among: roles))
            }
            switch object["content"] ?? nil {
            case .string, .array: break
            case .null where role == "assistant": break
            default: throw RequestRefusal("\(place).content", "must be a string or an array of parts")
            }
        }
        return try trusted(messages)
    }

    /// The messages without what only a script may send.
    ///
    /// A part with a `path` would read a file of the server. The member `native` would be sent to a provider unchanged; what
    /// a client has of it is made up by this server's encoders (signatures of thinking, encrypted reasoning).
    static func trusted(_ messages: [JSONValue]) throws(RequestRefusal) -> [JSONValue] {
        guard messages.count <= mostMessages else {
            throw RequestRefusal("messages", "must have at most \(mostMessages) messages")
        }
        var result = messages
        for index in result.indices {
            guard var object = result[index].object else { continue }
            try checkPaths(object["content"] ?? nil, at: "messages[\(index)].content")
            guard object["native"] != nil else { continue }
            object["native"] = nil
            result[index] = .object(object)
        }
        return result
    }

    private static func checkPaths(_ content: JSONValue, at place: String) throws(RequestRefusal) {
        let parts = content.array ?? []
        for index in parts.indices {
            guard parts[index]["path"] == nil else {
                throw RequestRefusal(
                    "\(place)[\(index)]", "must not have a path: send the data of an image, or its url")
            }
            // The result of a tool has parts of its own. JSON is not deeper than its reader allows.
            try checkPaths(parts[index]["content"] ?? nil, at: "\(place)[\(index)].content")
        }
    }
}

extension DecodedRequest {
    /// Checks a decoded request of a client, and removes what only a script may send.
    mutating func makeTrusted() throws(ReplyError) {
        do throws(RequestRefusal) {
            try StreamRequest.check(model: chat.model)
            chat.messages = try Conversation.trusted(chat.messages)
        } catch {
            throw error.error
        }
        if let count = chat.parameters[CommonOption.n.rawValue]?.int {
            guard count == 1 else {
                throw ReplyError(status: 400, message: "This server gives one choice: 'n' must be 1.", parameter: "n")
            }
            chat.parameters[CommonOption.n.rawValue] = nil
        }
    }
}
