// Encodes the contents of a generateContent request: roles, parts, tool calls and their results.

internal import Chat
internal import JSON

struct GeminiHistory {
    let model: String
    let context: RequestContext
    let legal: CallRepair

    /// The conversation without its system messages. Consecutive messages with the same role become one content, as
    /// Gemini requires for the results of parallel calls.
    func contents(_ messages: [Message]) throws(APIError) -> [JSONValue] {
        var contents: [(role: String, parts: [JSONValue])] = []
        for message in messages {
            let role: String
            let parts: [JSONValue]
            switch message.role {
            case .system, .developer: continue
            case .user: (role, parts) = ("user", try self.parts(of: message))
            case .assistant:
                (role, parts) = ("model", try reply(message))
                // A content without parts is rejected.
                if parts.isEmpty { continue }
            case .tool, .function: (role, parts) = ("user", [try result(message)])
            }
            if let last = contents.indices.last, contents[last].role == role {
                contents[last].parts += parts
            } else {
                contents.append((role, parts))
            }
        }
        guard !contents.isEmpty else { throw context.invalid("messages", "must hold more than the system prompt") }
        return contents.map { ["role": .string($0.role), "parts": .array($0.parts)] }
    }

    private func parts(of message: Message) throws(APIError) -> [JSONValue] {
        guard !message.parts.isEmpty else { return [["text": ""]] }
        return message.parts.map { part in
            switch part {
            case .text(let text, _): ["text": .string(text)]
            case .other(let object): .object(object)
            case .image(let image): Self.part(image)
            }
        }
    }

    private static func part(_ image: Image) -> JSONValue {
        switch image.source {
        case .data(let mediaType, let base64):
            return ["inlineData": ["mimeType": .string(mediaType), "data": .string(base64)]]
        case .url(let url):
            var file: JSONObject = ["fileUri": .string(url)]
            if let mediaType = mediaType(of: url) { file["mimeType"] = .string(mediaType) }
            return ["fileData": .object(file)]
        }
    }

    /// The media type by the file name extension in the URL; nil for others, whose type the service detects.
    private static func mediaType(of url: String) -> String? {
        let path = url.prefix { $0 != "?" && $0 != "#" }.lowercased()
        let endings = [
            ".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".gif": "image/gif",
            ".webp": "image/webp",
        ]
        return endings.first { path.hasSuffix($0.key) }?.value
    }

    // MARK: Replies and results

    /// The native parts of a reply with their signatures, if their text and calls are unchanged; otherwise parts made
    /// from the common members.
    private func reply(_ message: Message) throws(APIError) -> [JSONValue] {
        if let parts = message.native(for: "gemini")?["parts"]?.array, !parts.isEmpty, Self.say(parts, message) {
            return Self.withIDs(of: message, parts).compactMap(mended)
        }
        var parts = message.parts.isEmpty ? [] : try self.parts(of: message).compactMap(mended)
        for (index, call) in message.toolCalls.map(legal.call).enumerated() {
            var function: JSONObject = ["name": .string(call.name), "args": call.arguments ?? [:]]
            if !LocalCallIDs.isLocal(call.id) { function["id"] = .string(call.id) }
            var part: JSONObject = ["functionCall": .object(function)]
            // Gemini 3 rejects a call without its signature. This is the documented value for calls of other models
            // (https://ai.google.dev/gemini-api/docs/thought-signatures).
            if index == 0, GeminiModel.version(of: model).map({ $0 >= (3, 0) }) == true {
                part["thoughtSignature"] = "skip_thought_signature_validator"
            }
            parts.append(.object(part))
        }
        return parts
    }

    private static func say(_ parts: [JSONValue], _ message: Message) -> Bool {
        let text = parts.compactMap { $0["thought"] == true ? nil : $0["text"]?.string }.joined()
        let calls = parts.compactMap { $0["functionCall"] }
        guard text == message.text, calls.count == message.toolCalls.count else { return false }
        return zip(message.toolCalls, calls).allSatisfy { $0.agrees(name: $1["name"], arguments: $1["args"]) }
    }

    /// The parts, with the ids of the message's calls, which are those of their results.
    private static func withIDs(of message: Message, _ parts: [JSONValue]) -> [JSONValue] {
        var ids = message.toolCalls.map { LocalCallIDs.isLocal($0.id) ? nil : $0.id }[...]
        return parts.map { part in
            guard var object = part.object, var call = object["functionCall"]?.object, let id = ids.popFirst(),
                call["id"]?.string != id
            else { return part }
            call["id"] = id.map { .string($0) }
            object["functionCall"] = .object(call)
            return .object(object)
        }
    }

    /// A part in its valid form. Nil for empty text, which Gemini rejects ("empty text parameter"), unless the part has
    /// other members such as a signature.
    private func mended(_ part: JSONValue) -> JSONValue? {
        if part["text"] == "", part.object?.contains(where: { $0.key != "text" && $0.key != "thought" }) != true {
            return nil
        }
        guard var object = part.object, let call = object["functionCall"]?.object else { return part }
        object["functionCall"] = .object(legal.mended(call, arguments: call["args"] == nil ? nil : "args"))
        return .object(object)
    }

    /// A function response, which needs the name of its function. Calls of Gemini before version 3 have no ids; results
    /// are in the order of the calls (https://ai.google.dev/gemini-api/docs/function-calling).
    private func result(_ message: Message) throws(APIError) -> JSONValue {
        guard let name = message.name ?? message.answered?.name else {
            throw context.invalid("\(message.place).tool_call_id", "names no call of the message before it")
        }
        var response: JSONObject = ["name": .string(legal.name(name))]
        if let id = message.toolCallID, !id.isEmpty, !LocalCallIDs.isLocal(id) { response["id"] = .string(id) }
        try context.refuseImages(in: message, because: "a tool's result is text here")
        response["response"] = .object(value(of: message))
        return ["functionResponse": .object(response)]
    }

    /// A result as an object. Other text becomes a member of one, as in the documentation.
    private func value(of message: Message) -> JSONObject {
        let text = message.text
        if message.isError { return ["error": .string(text)] }
        do throws(JSONError) {
            if let object = try JSONReader.value([UInt8](text.utf8)).object { return object }
        } catch {
            // Most results are plain text.
        }
        return ["result": .string(text)]
    }
}
