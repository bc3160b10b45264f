// Decodes the contents of a generateContent request. Rejects what Google rejects: unknown roles, empty parts, calls
// without results, changed signatures.

internal import JSON

struct GeminiHistoryDecoder {
    /// The conversation in the common form, oldest first.
    private(set) var messages: [JSONValue] = []
    private let model: String
    /// Calls that have no result yet.
    private var open: [(id: String?, name: String)] = []
    /// The signature of the model's text since the last signed text or user content.
    private var said = GeminiSignature()
    /// Whether the model has made a call since the last user content.
    private var hasCalled = false

    init(model: String) { self.model = model }

    mutating func read(_ contents: [JSONValue]) throws(ReplyError) {
        let question = contents.lastIndex { Self.role($0) == "user" && !Self.hasResults($0) } ?? 0
        for (index, content) in contents.enumerated() {
            let place = "contents[\(index)]"
            guard let parts = content["parts"]?.array, !parts.isEmpty else {
                throw RequestBody.refused("parts must not be empty", "\(place).parts")
            }
            for part in parts { try check(part, place) }
            switch Self.role(content) {
            case "model": try readReply(parts, isOfThisTurn: index > question, place)
            case "user", "function": try readUser(parts, place)
            default: throw RequestBody.refused("Please use a valid role: user, model.", place)
            }
        }
        try refuseOpen("contents")
    }

    /// The default role is user.
    private static func role(_ content: JSONValue) -> String? {
        let role = content["role"] ?? nil
        return role.isNull ? "user" : role.string
    }

    private static func hasResults(_ content: JSONValue) -> Bool {
        content["parts"]?.array?.contains { $0["functionResponse"] != nil } ?? false
    }

    // MARK: Parts

    private static let kinds = [
        "text", "inlineData", "fileData", "functionCall", "functionResponse", "executableCode", "codeExecutionResult",
    ]

    private func check(_ part: JSONValue, _ place: String) throws(ReplyError) {
        guard let kind = Self.kinds.first(where: { part[$0] != nil }) else {
            // A part may consist of a signature only.
            if part["thoughtSignature"] != nil { return }
            throw RequestBody.refused("a part must have one of \(Self.kinds.joined(separator: ", "))", "\(place).parts")
        }
        let value = part[kind] ?? nil
        let isValid =
            switch kind {
            case "text": value.string != nil
            case "inlineData": value["mimeType"]?.string != nil && value["data"]?.string?.isEmpty == false
            case "fileData": value["fileUri"]?.string?.isEmpty == false
            case "functionCall": value["name"]?.string != nil && (value["args"] ?? [:]).object != nil
            default: value.object != nil
            }
        guard isValid else { throw RequestBody.refused("\(kind) is not valid", "\(place).parts") }
    }

    // MARK: User contents

    private mutating func readUser(_ parts: [JSONValue], _ place: String) throws(ReplyError) {
        for response in parts.compactMap({ $0["functionResponse"] }) {
            let (id, name) = (response["id"]?.string, response["name"]?.string ?? "")
            // If the result or the call has no id, the result belongs to the first open call of its name.
            let call = open.firstIndex { $0.name == name && (id == nil || $0.id == nil || $0.id == id) }
            guard let call else {
                throw RequestBody.refused("the function response '\(name)' answers no call before it", place)
            }
            open.remove(at: call)
            var message: JSONObject = ["role": "tool"]
            message["tool_call_id"] = id.map { .string($0) }
            message["name"] = .string(name)
            message["content"] = .string(Self.text(result: response["response"] ?? [:]))
            messages.append(.object(message))
        }
        try refuseOpen(place)
        (said, hasCalled) = (GeminiSignature(), false)
        let rest = parts.filter { $0["functionResponse"] == nil }
        if rest.isEmpty { return }
        messages.append(["role": "user", "content": CommonForm.content(rest.map(Self.part))])
    }

    private static func part(_ part: JSONValue) -> JSONValue {
        if let text = part["text"]?.string { return CommonForm.text(text) }
        if let data = part["inlineData"], let mediaType = data["mimeType"]?.string, mediaType.hasPrefix("image/") {
            return CommonForm.image(mediaType: mediaType, base64: data["data"]?.string ?? "")
        }
        if let file = part["fileData"], let url = file["fileUri"]?.string,
            file["mimeType"]?.string?.hasPrefix("image/") != false
        {
            return CommonForm.image(url: url)
        }
        return part
    }

    /// The text of a result. Clients wrap a result that is not an object in an object with one member.
    private static func text(result: JSONValue) -> String {
        for name in ["result", "output", "error"] {
            if let text = result[name]?.string, result.object?.count == 1 { return text }
        }
        return JSONWriter.text(result)
    }

    private func refuseOpen(_ place: String) throws(ReplyError) {
        guard let call = open.first else { return }
        throw RequestBody.refused(
            "Please ensure that the number of function response parts is equal to the number of function call parts "
                + "of the function call turn: '\(call.name)' has none.", place)
    }

    // MARK: Model contents

    /// Reads a model content. Consecutive ones are one message: Google's own client stores each chunk as a content.
    private mutating func readReply(
        _ parts: [JSONValue], isOfThisTurn: Bool, _ place: String
    ) throws(ReplyError) {
        var text = ""
        var calls: [JSONValue] = []
        for part in parts {
            let signature = part["thoughtSignature"]?.string
            if let call = part["functionCall"] {
                let name = call["name"]?.string ?? ""
                let arguments = call["args"] ?? [:]
                try check(
                    signature, against: GeminiSignature(call: name, arguments), isRequired: isOfThisTurn && !hasCalled,
                    place)
                open.append((call["id"]?.string, name))
                calls.append(
                    CommonForm.call(
                        id: call["id"]?.string, name: name, argumentsJSON: JSONWriter.text(arguments)))
                hasCalled = true
            } else if part["thought"]?.bool != true, let words = part["text"]?.string {
                text += words
                said.add(words)
                guard signature != nil else { continue }
                try check(signature, against: said, isRequired: false, place)
                said = GeminiSignature()
            }
        }
        add(text, calls, parts)
    }

    private mutating func add(_ text: String, _ calls: [JSONValue], _ parts: [JSONValue]) {
        var message: JSONObject = ["role": "assistant", "content": ""]
        if let last = messages.last?.object, last["role"] == "assistant" {
            message = last
            messages.removeLast()
        }
        message.extend("content", by: .string(text))
        if !calls.isEmpty { message.extend("tool_calls", by: .array(calls)) }
        let isPlain = parts.allSatisfy { $0.object?.count == 1 && ($0["text"] != nil || $0["functionCall"] != nil) }
        let native = message["native"]?["parts"]?.array
        if !isPlain || native != nil {
            // If earlier contents of this message have text but no native parts, the message gets no native parts.
            let earlier = native ?? (message["content"] == .string(text) ? [] : nil)
            if let earlier { message["native"] = ["dialect": "gemini", "parts": .array(earlier + parts)] }
        }
        messages.append(.object(message))
    }

    /// Checks a signature. Gemini 3 requires one on the first call of each step of the current turn.
    private func check(
        _ signature: String?, against expected: GeminiSignature, isRequired: Bool, _ place: String
    ) throws(ReplyError) {
        guard let signature else {
            guard isRequired, model.hasPrefix("gemini-3") else { return }
            throw RequestBody.refused(
                "Function call is missing a thought_signature in functionCall parts.", "\(place).parts")
        }
        guard signature == expected.text || signature == GeminiSignature.foreign else {
            throw RequestBody.refused("Thought signature is not valid.", "\(place).parts")
        }
    }
}
