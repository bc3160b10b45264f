// Decodes requests for streams: a query, or a JSON body.

internal import Base
internal import Chat
internal import Formats
internal import JSON

/// A request for a stream.
struct StreamRequest: Equatable, Sendable {
    /// The request in the common form. Its model is empty if the client names none.
    var chat: ChatRequest
    /// The model that the client names.
    var model: String? { chat.model.isEmpty ? nil : chat.model }

    private static let members = ["prompt", "messages", "model", "system", "options"]
    private static let queryNames = ["prompt", "model", "system"]
    /// Names that the server reads itself.
    private static let serverNames: Set<String> = ["token", "key", "last_event_id", "lastEventId", "last-event-id"]
    /// Replies have one choice and always report their token counts.
    private static let optionNames = CommonOption.allCases.filter { $0 != .n && $0 != .streamOptions }.map(\.rawValue)

    /// Reads a query. Unknown names are ignored, since proxies and libraries add their own, unless they look misspelt.
    init(query: [(name: String, value: String)]) throws(RequestRefusal) {
        var values: [String: String] = [:]
        for (name, value) in query where !Self.serverNames.contains(name) {
            guard Self.queryNames.contains(name) else {
                guard NearestName.suggestion(for: name, among: Self.queryNames) != nil else { continue }
                throw RequestRefusal("query", "has an unknown name: " + Self.unknown(name, among: Self.queryNames))
            }
            guard values.updateValue(value, forKey: name) == nil else {
                throw RequestRefusal(name, "is in the query twice")
            }
        }
        guard let prompt = values["prompt"] else { throw RequestRefusal("prompt", "is missing") }
        var object: JSONObject = ["prompt": .string(prompt)]
        for name in ["model", "system"] { object[name] = values[name].map { .string($0) } }
        try self.init(object)
    }

    /// Reads a JSON body.
    init(body: [UInt8]) throws(RequestRefusal) {
        let value: JSONValue
        do throws(JSONError) {
            value = try JSONReader.strictValue(body)
        } catch {
            let place = error.offset.map { " (byte \($0))" } ?? ""
            throw RequestRefusal(nil, "The body is not JSON: \(error.message)\(place).")
        }
        guard let object = value.object else { throw RequestRefusal(nil, "The body must be a JSON object.") }
        try self.init(object)
    }

    /// - Parameter others: members that the caller has read.
    init(_ object: JSONObject, except others: Set<String> = []) throws(RequestRefusal) {
        try Self.checkNames(object, Self.members + others, of: "the request")
        let messages = try Self.messages(object)
        let model = try Self.text(object, "model") ?? ""
        try Self.check(model: model)
        chat = ChatRequest(
            model: model, system: try Self.text(object, "system"), messages: messages,
            parameters: try Self.options(object))
    }

    // MARK: Members

    private static func messages(_ object: JSONObject) throws(RequestRefusal) -> [JSONValue] {
        let prompt = try text(object, "prompt")
        guard let list = object["messages"], !list.isNull else {
            guard let prompt else { throw RequestRefusal("messages", "is missing: send messages or a prompt") }
            guard !prompt.isEmpty else { throw RequestRefusal("prompt", "must not be empty") }
            return [["role": "user", "content": .string(prompt)]]
        }
        guard prompt == nil else { throw RequestRefusal("prompt", "must not be sent with messages: send one of them") }
        guard let messages = list.array, !messages.isEmpty else {
            throw RequestRefusal("messages", "must be an array with at least one message")
        }
        return try Conversation.checked(messages)
    }

    private static func text(_ object: JSONObject, _ name: String) throws(RequestRefusal) -> String? {
        switch object[name] {
        case nil, .null: return nil
        case .string(let text): return text
        default: throw RequestRefusal(name, "must be a string")
        }
    }

    private static func options(_ object: JSONObject) throws(RequestRefusal) -> JSONObject {
        let value = object["options"] ?? nil
        if value.isNull { return [:] }
        guard let options = value.object else { throw RequestRefusal("options", "must be an object") }
        try checkNames(options, optionNames, of: "options")
        var parameters = JSONObject()
        for option in options where !option.value.isNull { parameters[option.key] = option.value }
        return parameters
    }

    static func check(model: String) throws(RequestRefusal) {
        guard model.utf8.count <= Conversation.longestModel else {
            throw RequestRefusal("model", "must have at most \(Conversation.longestModel) bytes")
        }
        guard model.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else {
            throw RequestRefusal("model", "must not hold control characters")
        }
    }

    // MARK: Names

    static func checkNames(
        _ object: JSONObject, _ known: some Collection<String>, of place: String
    ) throws(RequestRefusal) {
        for member in object where !known.contains(member.key) {
            throw RequestRefusal(nil, "Unknown member in \(place): \(unknown(member.key, among: known)).")
        }
    }

    /// The unknown name, and the known one that is meant or all of them.
    static func unknown(_ name: String, among known: some Collection<String>) -> String {
        let shown = "\"\(Snippet.of(name, limit: 60))\""
        if let near = NearestName.suggestion(for: name, among: known) { return "\(shown) (did you mean \"\(near)\"?)" }
        return "\(shown) (known: \(known.sorted().joined(separator: ", ")))"
    }
}

/// Why a request is refused: status 400.
struct RequestRefusal: Error, Equatable {
    /// The member at fault.
    var parameter: String?
    /// A sentence. It begins with the member at fault.
    var message: String

    /// - Parameter text: what is wrong with the member, or a sentence without one.
    init(_ parameter: String?, _ text: String) {
        self.parameter = parameter
        message = parameter.map { "\($0): \(text)." } ?? text
    }

    /// The error in the form of the formats.
    var error: ReplyError { ReplyError(status: 400, message: message) }
}
