// Decodes the messages of a request from the common form, which scripts write, and from the form of Chat Completions.
// For request encoders.

internal import Base
internal import Chat
internal import JSON

struct MessageReader {
    let context: RequestContext
    /// Whether the format has names of participants.
    var takesNames = false
    var callIDs = CallIDRule()

    /// All messages of a request, the system prompt first.
    /// - Throws: an `APIError` of kind `invalidRequest` that names the invalid member.
    func messages(of request: ChatRequest) throws(APIError) -> [Message] {
        var messages: [Message] = []
        if let system = request.system {
            let raw: JSONObject = ["role": "system", "content": .string(system)]
            messages.append(Message(role: .system, parts: [.text(system)], raw: raw, place: .system))
        }
        for (index, value) in request.messages.enumerated() {
            messages.append(try message(value, place: .message(index + 1)))
        }
        guard !messages.isEmpty else { throw context.invalid("messages", "must not be empty") }
        let last = request.continuing == nil ? messages.last?.place : nil
        messages.removeAll { $0.isEmptyTurn(for: context.dialect, isLast: $0.place == last) }
        guard !messages.isEmpty else {
            throw context.invalid("messages", "has nothing to send: the assistant's messages in it are empty")
        }
        for message in messages where message.name != nil && !takesNames {
            // The name in a tool message is the name of the tool.
            guard message.role != .tool, message.role != .function else { continue }
            try context.cannotExpress("\(message.place).name", because: "its messages have no names")
        }
        CallPairing.pair(&messages, callIDs)
        return messages
    }

    private func message(_ value: JSONValue, place: Message.Place) throws(APIError) -> Message {
        guard let object = value.object else {
            throw context.invalid("\(place)", "must be an object with role and content")
        }
        try context.checkFinite(value, at: "\(place)")
        guard let word = object["role"]?.string else { throw context.invalid("\(place).role", "must be a string") }
        guard let role = Message.Role(rawValue: word) else {
            let near = NearestName.suggestion(for: word, among: Message.Role.allCases.map(\.rawValue))
            throw context.invalid(
                "\(place).role", "is unknown: \"\(word)\"" + (near.map { " (did you mean \"\($0)\"?)" } ?? ""))
        }
        var message = Message(
            role: role, parts: try parts(object["content"], place: "\(place).content"), raw: object, place: place)
        message.toolCalls = try toolCalls(object["tool_calls"], place: "\(place).tool_calls")
        message.toolCallID = object["tool_call_id"]?.string
        message.name = object["name"]?.string
        message.isError = object["is_error"]?.bool ?? false
        message.native = object["native"]?.object
        takeRefusal(of: &message)
        dropReasoning(of: &message)
        return message
    }

    /// Removes reasoning from the content of a reply: its form depends on the provider that sent it (Mistral API
    /// reference, `ThinkChunk`). Of the other formats only Messages has such blocks, with text and a signature.
    /// OpenAIChatHistory handles reasoning for Chat Completions.
    private func dropReasoning(of message: inout Message) {
        guard message.role == .assistant, context.dialect != "openai" else { return }
        message.parts.removeAll { part in
            guard case .other(let object) = part else { return false }
            switch object["type"]?.string {
            case "thinking": return context.dialect != "anthropic" || object["thinking"]?.string == nil
            case "redacted_thinking": return context.dialect != "anthropic"
            case "reasoning": return true
            default: return false
            }
        }
    }

    /// Moves a refusal in a separate member into the content: only OpenAI has this member. Native parts of the reply
    /// already include the refusal.
    private func takeRefusal(of message: inout Message) {
        guard message.role == .assistant, let refusal = message.raw["refusal"]?.string, !Message.isBlank(refusal),
            Message.isBlank(message.text), message.toolCalls.isEmpty, message.native(for: context.dialect) == nil,
            message.parts.allSatisfy({ if case .text = $0 { true } else { false } })
        else { return }
        message.parts = [.text(refusal)]
        message.raw["content"] = .string(refusal)
        message.raw["refusal"] = nil
    }

    private func parts(_ value: JSONValue?, place: @autoclosure () -> String) throws(APIError) -> [Part] {
        switch value {
        case nil, .null: return []
        case .string(let text): return text.isEmpty ? [] : [.text(text)]
        case .array(let elements):
            var parts: [Part] = []
            for (index, element) in elements.enumerated() {
                parts.append(try part(element, place: "\(place())[\(index + 1)]"))
            }
            return parts
        // An empty Lua table can be either.
        case .object(let object) where object.isEmpty: return []
        default: throw context.invalid(place(), "must be a string or an array of parts")
        }
    }

    private func part(_ value: JSONValue, place: @autoclosure () -> String) throws(APIError) -> Part {
        if let text = value.string { return .text(text) }
        guard let object = value.object else {
            throw context.invalid(place(), "must be a string or a part: {type = \"text\", text = ...}")
        }
        switch object["type"]?.string {
        case "text":
            guard let text = object["text"]?.string else {
                throw context.invalid("\(place()).text", "must be a string")
            }
            var extra = object
            extra["type"] = nil
            extra["text"] = nil
            return .text(text, extra: extra)
        case "image": return .image(try image(object, place: place()))
        case "image_url":
            guard let url = object["image_url"]?.string ?? object["image_url"]?["url"]?.string else {
                throw context.invalid("\(place()).image_url", "must hold a url")
            }
            return .image(try image(url: url, detail: object["image_url"]?["detail"]?.string, place: place()))
        default: return .other(object)
        }
    }

    // MARK: Images

    private func image(_ object: JSONObject, place: String) throws(APIError) -> Image {
        let detail = object["detail"]?.string
        if let url = object["url"]?.string { return try image(url: url, detail: detail, place: place) }
        guard let base64 = object["data"]?.string else {
            throw context.invalid(place, "is an image without a source: give it a path, a url, or data (its bytes)")
        }
        guard let mediaType = object["media_type"]?.string ?? ImageData.mediaType(base64: base64) else {
            throw context.invalid("\(place).data", "is no image of a known type (\(ImageData.knownTypes))")
        }
        return Image(source: .data(mediaType: try checked(mediaType, place: place), base64: base64), detail: detail)
    }

    private func image(url: String, detail: String?, place: String) throws(APIError) -> Image {
        guard url.utf8.starts(with: "data:".utf8) else {
            guard url.utf8.starts(with: "https://".utf8) || url.utf8.starts(with: "http://".utf8) else {
                throw context.invalid("\(place).url", "must begin with https://, http:// or data:")
            }
            return Image(source: .url(url), detail: detail)
        }
        let parts = url.dropFirst("data:".count).split(separator: ",", maxSplits: 1)
        guard parts.count == 2, parts[0].hasSuffix(";base64") else {
            throw context.invalid("\(place).url", "is a data: URL that is not base64")
        }
        let mediaType = try checked(String(parts[0].dropLast(";base64".count)), place: place)
        return Image(source: .data(mediaType: mediaType, base64: String(parts[1])), detail: detail)
    }

    private func checked(_ mediaType: String, place: String) throws(APIError) -> String {
        guard ImageData.mediaTypes.contains(mediaType) else {
            throw context.invalid(
                "\(place).media_type", "is \"\(mediaType)\"; images are \(ImageData.knownTypes)")
        }
        return mediaType
    }

    // MARK: Tool calls

    /// Calls in the Chat Completions form, or in the form of `reply.tool_calls`.
    private func toolCalls(_ value: JSONValue?, place: @autoclosure () -> String) throws(APIError) -> [ToolCall] {
        switch value {
        case nil, .null: return []
        case .object(let object) where object.isEmpty: return []
        case .array(let elements):
            var calls: [ToolCall] = []
            for (index, element) in elements.enumerated() {
                calls.append(try toolCall(element, place: "\(place())[\(index + 1)]"))
            }
            return calls
        default: throw context.invalid(place(), "must be an array of tool calls")
        }
    }

    private func toolCall(_ value: JSONValue, place: @autoclosure () -> String) throws(APIError) -> ToolCall {
        let function = value["function"] ?? value
        // The name may be empty; LegalCalls replaces it.
        guard let name = function["name"]?.string else {
            throw context.invalid("\(place()).name", "must be the tool's name")
        }
        let id = value["id"]?.string ?? ""
        switch function["arguments_json"] ?? function["arguments"] {
        case nil, .null: return ToolCall(id: id, name: name, argumentsJSON: "", arguments: [:])
        case .string(let text):
            do throws(JSONError) {
                let arguments = Snippet.trimmed(text).isEmpty ? [:] : try JSONReader.value([UInt8](text.utf8))
                return ToolCall(id: id, name: name, argumentsJSON: text, arguments: arguments)
            } catch {
                // The arguments are incomplete. Formats with arguments as text send them unchanged.
                return ToolCall(id: id, name: name, argumentsJSON: text, arguments: nil)
            }
        case .some(let arguments):
            let text = String(decoding: JSONWriter.bytes(arguments), as: UTF8.self)
            return ToolCall(id: id, name: name, argumentsJSON: text, arguments: arguments)
        }
    }
}
