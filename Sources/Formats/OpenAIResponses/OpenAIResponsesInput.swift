// Encodes the conversation of a Responses request: a list of items, in which calls and results are next to messages.

internal import Chat
internal import JSON

struct OpenAIResponsesInput {
    let context: RequestContext
    /// False if the request has `store = false`. The provider then knows no item by its id, so reasoning must have its
    /// content.
    let isStored: Bool
    /// False for a model that rejects reasoning items.
    let takesReasoning: Bool

    struct Conversation {
        var items: [JSONValue] = []
        /// Whether an earlier reply has reasoning.
        var hasReasoning = false
    }

    /// The items of all messages except the system prompt, which has its own member.
    /// - Throws: an `APIError` of kind `invalidRequest` that names the invalid member.
    func conversation(of request: ChatRequest) throws(APIError) -> Conversation {
        // Instructions alone are valid: the rest may be in a stored prompt or an earlier response.
        if request.messages.isEmpty, request.system != nil { return Conversation() }
        var rest = request
        rest.system = nil
        let messages = try MessageReader(context: context).messages(of: rest)
        let legal = CallRepair(.common, messages: messages, tools: request.parameters["tools"])
        let customCalls = Self.customCalls(in: messages)
        var conversation = Conversation()
        for message in messages {
            if let kept = kept(of: message) {
                if message.role == .assistant, kept.contains(where: Self.isReasoning) {
                    conversation.hasReasoning = true
                }
                conversation.items += (message.role == .assistant ? sendable(kept, of: message) : kept).map {
                    Self.mended($0, legal)
                }
                continue
            }
            var message = message
            let outputs = Self.takeItems(from: &message)
            conversation.items += outputs
            if !outputs.isEmpty, message.parts.isEmpty, message.role != .assistant { continue }
            switch message.role {
            case .assistant: conversation.items += try spoken(message, legal)
            case .tool: conversation.items.append(try result(message, customCalls: customCalls))
            case .system, .developer, .user: conversation.items.append(try self.message(message))
            case .function:
                try context.cannotExpress("\(message.place).role", because: "it knows results by their calls' ids")
            }
        }
        guard !conversation.items.isEmpty else {
            throw context.invalid("messages", "has nothing to send: the assistant's messages in it are empty")
        }
        return conversation
    }

    // MARK: Native items

    /// The native items of a message; nil if it has none, or if the text or the calls of a reply were changed. Messages
    /// of other roles may have items too, because results of the provider's own tools have no common form.
    private func kept(of message: Message) -> [JSONValue]? {
        guard let output = message.native(for: WireFormat.openAIResponses.name)?["output"]?.array, !output.isEmpty
        else {
            return nil
        }
        guard message.role == .assistant else { return output }
        guard OpenAIResponsesItems.say(message.text, output),
            Self.calls(in: output) == message.toolCalls.map(\.messagePart)
        else { return nil }
        return output
    }

    private static func isReasoning(_ item: JSONValue) -> Bool { item["type"] == "reasoning" }

    /// The items of a reply that the provider accepts. Reasoning without an item after it is left out ("reasoning was
    /// provided without its required following item"). With `store = false` the provider accepts only reasoning that is
    /// encrypted or readable. Items are then sent without ids, because ids refer to stored items ("function_call was
    /// provided without its required reasoning item", "Items are not persisted when `store` is set to false") and Azure
    /// rejects them.
    /// https://platform.openai.com/docs/guides/reasoning#encrypted-reasoning-items
    private func sendable(_ output: [JSONValue], of message: Message) -> [JSONValue] {
        let isStored = isStored && message.native?["store"] != false
        var items = output.filter { item in
            guard Self.isReasoning(item) else { return true }
            let isWhole =
                item["encrypted_content"]?.string?.isEmpty == false || item["content"]?.array?.isEmpty == false
            return takesReasoning && (isStored || isWhole)
        }
        while items.last.map(Self.isReasoning) == true { items.removeLast() }
        return isStored && takesReasoning ? items : items.map(Self.withoutID)
    }

    /// Types of items that are valid without their ids.
    private static let typesWithoutID: Set<String> = [
        "message", "reasoning", "function_call", "custom_tool_call", "web_search_call", "local_shell_call",
    ]

    private static func withoutID(_ item: JSONValue) -> JSONValue {
        guard var object = item.object, let type = object["type"]?.string, typesWithoutID.contains(type) else {
            return item
        }
        object["id"] = nil
        return .object(object)
    }

    /// A call with its name and arguments repaired; other items unchanged.
    private static func mended(_ item: JSONValue, _ legal: CallRepair) -> JSONValue {
        guard let object = item.object else { return item }
        switch object["type"]?.string {
        case "function_call": return .object(legal.mended(object, arguments: "arguments", isText: true))
        // The input of a custom tool is free text.
        case "custom_tool_call": return .object(legal.mended(object, arguments: nil))
        default: return item
        }
    }

    /// Removes results in the provider's own form: parts of a message in the common form, items in this format
    /// (https://platform.openai.com/docs/api-reference/responses/create, `input`).
    private static func takeItems(from message: inout Message) -> [JSONValue] {
        var items: [JSONValue] = []
        message.parts.removeAll { part in
            guard case .other(let object) = part, let type = object["type"]?.string, isItem(type) else { return false }
            items.append(.object(object))
            return true
        }
        return items
    }

    private static func isItem(_ type: String) -> Bool {
        type.hasSuffix("_call_output") || type == "tool_search_output" || type == "mcp_approval_response"
    }

    /// The calls among the items, in the common form.
    private static func calls(in output: [JSONValue]) -> [JSONValue] {
        output.compactMap { item in
            let isCustom = item["type"]?.string == "custom_tool_call"
            guard isCustom || item["type"]?.string == "function_call" else { return nil }
            let text = item[isCustom ? "input" : "arguments"]?.string ?? ""
            let id = item["call_id"]?.string ?? item["id"]?.string ?? ""
            return OpenAIResponsesItems.messagePart(
                id: id, name: item["name"]?.string ?? "", arguments: text, isCustom: isCustom)
        }
    }

    /// The ids of custom tool calls, whose results have another type.
    private static func customCalls(in messages: [Message]) -> Set<String> {
        var ids: Set<String> = []
        for message in messages {
            for item in message.native(for: WireFormat.openAIResponses.name)?["output"]?.array ?? []
            where item["type"]?.string == "custom_tool_call" {
                if let id = item["call_id"]?.string { ids.insert(id) }
            }
        }
        return ids
    }

    // MARK: Messages

    private func message(_ message: Message) throws(APIError) -> JSONValue {
        var item: JSONObject = ["type": "message", "role": .string(message.role.rawValue)]
        // The provider requires it on each assistant message
        // (https://platform.openai.com/docs/guides/latest-model, `phase`).
        if message.role == .assistant, let phase = message.raw["phase"]?.string { item["phase"] = .string(phase) }
        item["content"] = try content(of: message)
        return .object(item)
    }

    /// The items of a reply: its message, then its calls.
    private func spoken(_ message: Message, _ legal: CallRepair) throws(APIError) -> [JSONValue] {
        var items: [JSONValue] = []
        let said = try self.message(message)
        if message.hasContent, said["content"] != [] { items.append(said) }
        for (index, call) in message.toolCalls.map(legal.call).enumerated() {
            guard !call.id.isEmpty else {
                throw context.invalid("\(message.place).tool_calls[\(index + 1)].id", "must name the call")
            }
            items.append([
                "type": "function_call", "call_id": .string(call.id), "name": .string(call.name),
                "arguments": .string(call.argumentsJSON),
            ])
        }
        return items
    }

    private func result(_ message: Message, customCalls: Set<String>) throws(APIError) -> JSONValue {
        guard let id = message.toolCallID, !id.isEmpty else {
            throw context.invalid("\(message.place).tool_call_id", "must name the call that this is the result of")
        }
        let type = customCalls.contains(id) ? "custom_tool_call_output" : "function_call_output"
        return ["type": .string(type), "call_id": .string(id), "output": try content(of: message)]
    }

    /// A string for plain text, otherwise parts.
    private func content(of message: Message) throws(APIError) -> JSONValue {
        if message.raw["content"]?.array == nil { return .string(message.text) }
        var parts: [JSONValue] = []
        for (index, part) in message.parts.enumerated() {
            let place = "\(message.place).content[\(index + 1)]"
            switch part {
            case .text(let text, let extra):
                let type: JSONValue = message.role == .assistant ? "output_text" : "input_text"
                var form: JSONObject = ["type": type, "text": .string(text)]
                form.merge(extra)
                parts.append(.object(form))
            case .image(let image):
                guard message.role != .assistant else {
                    try context.cannotExpress(place, because: "its own messages hold text alone")
                    continue
                }
                parts.append([
                    "type": "input_image", "image_url": .string(image.url), "detail": .string(image.detail ?? "auto"),
                ])
            case .other(let object): parts.append(.object(Self.file(object) ?? object))
            }
        }
        return .array(parts)
    }

    /// A file in the form of Chat Completions: {type = "file", file = {file_id = ...}}.
    private static func file(_ object: JSONObject) -> JSONObject? {
        guard object["type"]?.string == "file", let file = object["file"]?.object else { return nil }
        var form: JSONObject = ["type": "input_file"]
        for member in file { form[member.key] = member.value }
        return form
    }
}
