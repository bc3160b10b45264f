// The contents of a generateContent request as messages, with what the service refuses of them: roles it does not know,
// parts that hold nothing, calls without their results, signatures that were changed. Called by GeminiContentReader.

internal import JSON

struct GeminiConversation {
    let model: String
    /// The conversation, oldest first.
    private(set) var messages: [SimulatedPrompt.Message] = []
    /// Calls that wait for their results.
    private var open: [(id: String?, name: String)] = []
    /// What the model has said since the last signature.
    private var said = GeminiSignature()
    /// Whether the model has called since the user's last content.
    private var hasCalled = false

    init(model: String) { self.model = model }

    mutating func read(_ contents: [JSONValue]) throws(RequestRefusal) {
        let question = contents.lastIndex { Self.role($0) == "user" && !Self.hasResults($0) } ?? 0
        for (index, content) in contents.enumerated() {
            let place = "contents[\(index)]"
            guard let parts = content["parts"]?.array, !parts.isEmpty else {
                throw Self.refused("parts must not be empty", "\(place).parts")
            }
            for part in parts { try check(part, place) }
            switch Self.role(content) {
            case "model": try take(reply: parts, isOfThisTurn: index > question, place)
            case "user", "function": try take(parts, place)
            default: throw Self.refused("Please use a valid role: user, model.", place)
            }
        }
        try refuseOpen("contents")
    }

    /// A content that names no role is the user's.
    private static func role(_ content: JSONValue) -> String? {
        let role = content["role"] ?? nil
        return role.isNull ? "user" : role.string
    }

    private static func hasResults(_ content: JSONValue) -> Bool {
        content["parts"]?.array?.contains { $0["functionResponse"] != nil } ?? false
    }

    private static func refused(_ message: String, _ place: String) -> RequestRefusal {
        RequestRefusal(status: 400, message: message, parameter: place)
    }

    // MARK: Parts

    private static let kinds = [
        "text", "inlineData", "fileData", "functionCall", "functionResponse", "executableCode", "codeExecutionResult",
    ]

    private func check(_ part: JSONValue, _ place: String) throws(RequestRefusal) {
        guard let kind = Self.kinds.first(where: { part[$0] != nil }) else {
            // A signature may stand alone.
            if part["thoughtSignature"] != nil { return }
            throw Self.refused("a part must have one of \(Self.kinds.joined(separator: ", "))", "\(place).parts")
        }
        let value = part[kind] ?? nil
        let isGood =
            switch kind {
            case "text": value.string != nil
            case "inlineData": value["mimeType"]?.string != nil && value["data"]?.string?.isEmpty == false
            case "fileData": value["fileUri"]?.string?.isEmpty == false
            case "functionCall": value["name"]?.string != nil && (value["args"] ?? [:]).object != nil
            default: value.object != nil
            }
        guard isGood else { throw Self.refused("\(kind) is not valid", "\(place).parts") }
    }

    // MARK: The user's words, and results

    private mutating func take(_ parts: [JSONValue], _ place: String) throws(RequestRefusal) {
        for response in parts.compactMap({ $0["functionResponse"] }) {
            let (id, name) = (response["id"]?.string, response["name"]?.string ?? "")
            // Calls may have no ids: then a result belongs to the first call of its name.
            let call = open.firstIndex { $0.name == name && (id == nil || $0.id == nil || $0.id == id) }
            guard let call else {
                throw Self.refused("the function response '\(name)' answers no call before it", place)
            }
            open.remove(at: call)
            messages.append(.init(role: "tool", text: Self.text(result: response["response"] ?? [:])))
        }
        try refuseOpen(place)
        (said, hasCalled) = (GeminiSignature(), false)
        let rest = parts.filter { $0["functionResponse"] == nil }
        if rest.isEmpty { return }
        messages.append(.init(role: "user", text: rest.compactMap { $0["text"]?.string }.joined()))
    }

    /// What is no object of itself was put into one.
    private static func text(result: JSONValue) -> String {
        for name in ["result", "output", "error"] {
            if let text = result[name]?.string, result.object?.count == 1 { return text }
        }
        return result.text
    }

    private func refuseOpen(_ place: String) throws(RequestRefusal) {
        guard let call = open.first else { return }
        throw Self.refused(
            "Please ensure that the number of function response parts is equal to the number of function call parts "
                + "of the function call turn: '\(call.name)' has none.", place)
    }

    // MARK: The model's words

    /// Contents of the model's that follow each other are one message: Google's own client keeps each chunk.
    private mutating func take(
        reply parts: [JSONValue], isOfThisTurn: Bool, _ place: String
    ) throws(RequestRefusal) {
        var text = ""
        for part in parts {
            let signature = part["thoughtSignature"]?.string
            if let call = part["functionCall"] {
                let name = call["name"]?.string ?? ""
                let wanted = GeminiSignature(call: name, call["args"] ?? [:])
                try check(signature, against: wanted, isRequired: isOfThisTurn && !hasCalled, place)
                open.append((call["id"]?.string, name))
                hasCalled = true
            } else if part["thought"]?.bool != true, let words = part["text"]?.string {
                text += words
                said.add(words)
                guard signature != nil else { continue }
                try check(signature, against: said, isRequired: false, place)
                said = GeminiSignature()
            }
        }
        if messages.last?.role == "assistant" {
            messages[messages.count - 1].text += text
        } else {
            messages.append(.init(role: "assistant", text: text))
        }
    }

    /// A signature must be the one that was given. Gemini 3 wants it back on the first call of each step of this turn.
    private func check(
        _ signature: String?, against wanted: GeminiSignature, isRequired: Bool, _ place: String
    ) throws(RequestRefusal) {
        guard let signature else {
            guard isRequired, model.hasPrefix("gemini-3") else { return }
            throw Self.refused("Function call is missing a thought_signature in functionCall parts.", "\(place).parts")
        }
        guard signature == wanted.text || signature == GeminiSignature.foreign else {
            throw Self.refused("Thought signature is not valid.", "\(place).parts")
        }
    }
}
