// A decoded request in the form that ReplyGenerator reads.

internal import Chat
internal import Formats
internal import JSON

/// A request for a reply.
struct SimulatedPrompt {
    var model: String
    var messages: [Message]
    var tools: [Tool]
    var toolChoice: ToolChoice
    var allowsParallelCalls: Bool
    /// Upper bound of the reply's tokens, reasoning included.
    var maxTokens: Int?
    var stops: [String]
    /// Number of replies to one request.
    var choices: Int
    var format: Format
    /// Whether the request turns reasoning on or off; nil leaves it to the model.
    var thinks: Bool?
    var wireFormat: String

    struct Message {
        var role: String
        var text: String
    }

    struct Tool {
        var name: String
        /// The JSON schema of its arguments.
        var parameters: JSONValue
    }

    enum ToolChoice: Equatable { case auto, none, required, named(String) }

    enum Format { case text, object, schema(JSONValue) }

    /// - Parameter wireFormat: the name of the wire format.
    init(_ request: DecodedRequest, format wireFormat: String) {
        let options = request.chat.parameters
        // TGI serves one model, which requests do not name.
        model = request.chat.model.isEmpty ? SimulatedModels.plain : request.chat.model
        messages = Self.messages(of: request)
        tools = Self.tools(options["tools"])
        toolChoice = Self.choice(options["tool_choice"])
        allowsParallelCalls = options["parallel_tool_calls"] != false
        maxTokens = options["max_tokens"]?.int.map { Int(min($0, 1_000_000_000)) }
        stops = options["stop"]?.array?.compactMap(\.string) ?? []
        choices = Int(options["n"]?.int ?? 1)
        format = Self.format(options["response_format"])
        thinks = request.thinks
        self.wireFormat = wireFormat
    }

    // MARK: Parts of requests

    private static func messages(of request: DecodedRequest) -> [Message] {
        var messages: [Message] = []
        if let system = request.chat.system { messages.append(Message(role: "system", text: system)) }
        messages += request.chat.messages.compactMap { message in
            let role = message["role"]?.string ?? ""
            guard !isItemsOnly(message["content"]) else { return nil }
            return Message(role: role == "function" ? "tool" : role, text: text(of: message["content"] ?? nil))
        }
        if let partial = request.chat.continuing {
            messages.append(Message(role: "assistant", text: partial))
        } else if messages.last?.role == "assistant" {
            // The model answers its own last message, and does not continue it.
            messages.append(Message(role: "developer", text: ""))
        }
        return messages
    }

    /// Text of content: a string, or the texts and documents of its parts.
    private static func text(of content: JSONValue) -> String {
        if let text = content.string { return text }
        return (content.array ?? []).compactMap { part in
            guard let data = part["document"]?["data"] else { return part["text"]?.string }
            return data.string ?? JSONWriter.text(data)
        }.joined()
    }

    /// Whether content holds only results of the provider's own tools.
    private static func isItemsOnly(_ content: JSONValue?) -> Bool {
        guard let parts = content?.array, !parts.isEmpty else { return false }
        return parts.allSatisfy { part in
            let type = part["type"]?.string ?? ""
            return type.hasSuffix("_output") || type.hasSuffix("_response") || type.hasSuffix("_reference")
        }
    }

    private static func tools(_ value: JSONValue?) -> [Tool] {
        // Tools without a function are the provider's own, which are not simulated.
        (value?.array ?? []).compactMap { tool in
            guard let function = tool["function"], let name = function["name"]?.string else { return nil }
            return Tool(name: name, parameters: function["parameters"] ?? [:])
        }
    }

    private static func choice(_ value: JSONValue?) -> ToolChoice {
        if let name = value?["function"]?["name"]?.string { return .named(name) }
        switch value?.string {
        case "none": return .none
        case "required": return .required
        default: return .auto
        }
    }

    private static func format(_ value: JSONValue?) -> Format {
        switch value?["type"]?.string {
        case "json_object": .object
        case "json_schema": .schema(value?["json_schema"]?["schema"] ?? [:])
        default: .text
        }
    }

    // MARK: The conversation

    /// The text of the last user message; empty if there is none.
    var question: String { messages.last { $0.role == "user" }?.text ?? "" }

    /// The user messages before that, oldest first.
    var earlierQuestions: [String] { messages.filter { $0.role == "user" }.map(\.text).dropLast() }

    /// The reply so far, if the conversation ends with a message of the assistant.
    var continued: String? { messages.last.flatMap { $0.role == "assistant" ? $0.text : nil } }

    /// The results of tools at the end of the conversation.
    var toolResults: [String] { messages.reversed().prefix { $0.role == "tool" }.reversed().map(\.text) }

    /// Whether a model that does not reason announces its tool calls, as Cohere's do.
    var plansCalls: Bool { wireFormat == WireFormat.cohere.name }

    /// Whether the model reasons before it answers.
    var showsReasoning: Bool {
        if let thinks { return thinks }
        let name = model.lowercased()
        if name == SimulatedModels.plain { return false }
        let parts = name.split { !($0.isLetter || $0.isNumber) }
        return ["reason", "think", "gpt-5", "qwq"].contains { name.contains($0) }
            || parts.contains { ["r1", "o1", "o3"].contains($0) }
    }

    /// The tokens of the prompt: its pieces, and four a message for roles and separators.
    var tokens: Int {
        messages.reduce(0) { $0 + 4 + Pieces.count($1.text) }
            + tools.reduce(0) { $0 + Pieces.count($1.name) + Pieces.count(JSONWriter.text($1.parameters)) }
    }
}

/// The models that the simulator lists. It accepts any other name.
enum SimulatedModels {
    static let reasoner = "moonrill-reasoner"
    static let plain = "moonrill-chat"
    static let all = [reasoner, plain]
}
