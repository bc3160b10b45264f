// What a dialect understood of a request, in the one form the author of replies reads.

internal import JSON

/// A request for a reply. A dialect makes it from a body; ReplyGenerator answers it.
struct SimulatedPrompt {
    var model: String
    var messages: [Message]
    var tools: [Tool] = []
    var toolChoice = ToolChoice.auto
    var allowsParallelCalls = true
    /// The most tokens of the reply, reasoning included.
    var maxTokens: Int?
    var stops: [String] = []
    /// How many replies are wanted at once.
    var choices = 1
    var format = Format.text
    var streams = false
    var includesUsage = false
    /// Whether the request asks for thinking, or forbids it; nil where it leaves that to the model.
    var thinks: Bool?
    /// Members that the dialect's reply repeats from the request, as they stand in the reply.
    var repeated = JSONObject()
    /// Whether a model that does not think says what it means to do before it calls tools.
    var plansCalls = false

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

    /// The text of the last message of the user; empty when there is none.
    var question: String { messages.last { $0.role == "user" }?.text ?? "" }

    /// What the user said before that, oldest first.
    var earlierQuestions: [String] { messages.filter { $0.role == "user" }.map(\.text).dropLast() }

    /// The reply so far, when the conversation ends with the assistant's own words.
    var continued: String? { messages.last.flatMap { $0.role == "assistant" ? $0.text : nil } }

    /// The results of tools that the conversation ends with.
    var toolResults: [String] { messages.reversed().prefix { $0.role == "tool" }.reversed().map(\.text) }

    /// Whether the model named thinks aloud before it answers.
    var showsReasoning: Bool {
        if let thinks { return thinks }
        let name = model.lowercased()
        if name == "moonrill-chat" { return false }
        let parts = name.split { !($0.isLetter || $0.isNumber) }
        return ["reason", "think", "gpt-5", "qwq"].contains { name.contains($0) }
            || parts.contains { ["r1", "o1", "o3"].contains($0) }
    }

    /// What the prompt costs: its pieces, and four a message for roles and separators.
    var tokens: Int {
        messages.reduce(0) { $0 + 4 + Pieces.count($1.text) }
            + tools.reduce(0) { $0 + Pieces.count($1.name) + Pieces.count($1.parameters.text) }
    }
}

/// A request that gets an error in place of a reply.
struct RequestRefusal: Error {
    var status: Int
    var message: String
    var type = "invalid_request_error"
    var code: String?
    var parameter: String?
    /// Seconds to wait, for formats that say so in the body.
    var retryAfter: Double?
}
