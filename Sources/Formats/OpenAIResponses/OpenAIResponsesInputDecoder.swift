// Decodes the input of a Responses request: a list of items, in which calls and results are next to messages.

internal import JSON

struct OpenAIResponsesInputDecoder {
    /// The conversation in the common form, oldest first.
    private(set) var messages: [JSONValue] = []
    /// Ids of calls without a result so far.
    private var open: [String] = []
    /// The items of the current reply, which become one message in the common form.
    private var reply: [JSONValue] = []

    init(_ body: RequestBody) throws(ReplyError) {
        switch body["input"] {
        case .string(let text): messages = [["role": "user", "content": .string(text)]]
        case .array(let items): try read(items)
        case .null: throw Self.missing("input")
        default:
            throw RequestBody.refused("Invalid type for 'input': expected an array of items or a string.", "input")
        }
    }

    private mutating func read(_ items: [JSONValue]) throws(ReplyError) {
        for (index, item) in items.enumerated() {
            try read(item, next: items.dropFirst(index + 1).first, place: "input[\(index)]")
        }
        endReply()
        if let id = open.first {
            throw RequestBody.refused("No tool output found for function call \(id).", "input")
        }
    }

    private mutating func read(_ item: JSONValue, next: JSONValue?, place: String) throws(ReplyError) {
        switch item["type"]?.string ?? "message" {
        case "message": try readMessage(item, place)
        case "function_call", "custom_tool_call":
            open.append(try Self.callID(item, place))
            reply.append(item)
        case "function_call_output", "custom_tool_call_output":
            let id = item["call_id"]?.string ?? ""
            guard let call = open.firstIndex(of: id) else {
                throw RequestBody.refused("No tool call found for function call output with call_id \(id).", "input")
            }
            open.remove(at: call)
            let output = item["output"] ?? nil
            try Self.check(output, ["input_text"], place)
            endReply()
            messages.append(["role": "tool", "tool_call_id": .string(id), "content": Self.content(output)])
        case "reasoning":
            try Self.checkReasoning(item, next: next)
            reply.append(item)
        case let type where type.hasSuffix("_call"): reply.append(item)
        default:
            // Results of the provider's own tools.
            endReply()
            messages.append(["role": "user", "content": [item]])
        }
    }

    // MARK: Messages

    private mutating func readMessage(_ item: JSONValue, _ place: String) throws(ReplyError) {
        guard let role = item["role"]?.string else { throw Self.missing("\(place).role") }
        guard ["system", "developer", "user", "assistant"].contains(role) else {
            throw RequestBody.refused(
                "Invalid value: '\(role)'. Supported values are: 'assistant', 'system', 'developer', and 'user'.",
                "\(place).role", code: "invalid_value")
        }
        let content = item["content"] ?? nil
        guard role == "assistant" else {
            try Self.check(content, ["input_text", "input_image", "input_file", "input_audio"], "\(place).content")
            endReply()
            messages.append(["role": .string(role), "content": Self.content(content)])
            return
        }
        try Self.check(content, ["output_text", "refusal"], "\(place).content")
        reply.append(item)
    }

    private static func check(_ content: JSONValue, _ known: [String], _ place: String) throws(ReplyError) {
        if content.string != nil { return }
        guard let parts = content.array else { throw missing(place) }
        for (index, part) in parts.enumerated() {
            let type = part["type"]?.string ?? ""
            guard known.contains(type) || (known == ["input_text"] && type.hasPrefix("input_")) else {
                let list = known.map { "'\($0)'" }.joined(separator: ", ")
                throw RequestBody.refused(
                    "Invalid value: '\(type)'. Supported values are: \(list).", "\(place)[\(index)].type",
                    code: "invalid_value")
            }
        }
    }

    /// The content with the part types of the common form.
    private static func content(_ content: JSONValue) -> JSONValue {
        guard let parts = content.array else { return content }
        return .array(
            parts.map { part in
                switch part["type"]?.string {
                case "input_text", "output_text": CommonForm.text(part["text"]?.string ?? "")
                case "input_image" where part["image_url"]?.string != nil:
                    CommonForm.image(url: part["image_url"]?.string ?? "")
                default: part
                }
            })
    }

    // MARK: Replies

    /// Appends the message of the current reply.
    private mutating func endReply() {
        guard !reply.isEmpty else { return }
        defer { reply = [] }
        let said = reply.filter { ($0["type"] ?? "message") == "message" }
        let calls = reply.filter { $0["type"] == "function_call" || $0["type"] == "custom_tool_call" }
        var message: JSONObject = ["role": "assistant"]
        let text = said.map { CommonForm.text(of: $0["content"] ?? nil) }.joined()
        message["content"] = said.isEmpty ? JSONValue.null : .string(text)
        message["phase"] = said.last?["phase"]
        if !calls.isEmpty { message["tool_calls"] = .array(calls.map(Self.call)) }
        let isPlain = said.count + calls.count == reply.count && !reply.contains { $0["id"] != nil }
        if !isPlain {
            message["native"] = ["dialect": .string(WireFormat.openAIResponses.name), "output": .array(reply)]
        }
        messages.append(.object(message))
    }

    private static func call(_ item: JSONValue) -> JSONValue {
        let isCustom = item["type"] == "custom_tool_call"
        return OpenAIResponsesItems.messagePart(
            id: item["call_id"]?.string ?? "", name: item["name"]?.string ?? "",
            arguments: item[isCustom ? "input" : "arguments"]?.string ?? "", isCustom: isCustom)
    }

    private static func callID(_ item: JSONValue, _ place: String) throws(ReplyError) -> String {
        for name in ["call_id", "name", item["type"] == "function_call" ? "arguments" : "input"]
        where item[name]?.string == nil {
            throw missing("\(place).\(name)")
        }
        return item["call_id"]?.string ?? ""
    }

    private static func checkReasoning(_ item: JSONValue, next: JSONValue?) throws(ReplyError) {
        let id = item["id"]?.string ?? ""
        // The id may be missing.
        if let content = item["encrypted_content"]?.string,
            !OpenAIResponsesEncryptedReasoning.isValid(content)
                || !id.isEmpty && content != OpenAIResponsesEncryptedReasoning.content(itemID: id)
        {
            throw RequestBody.refused(
                "The encrypted content \(content.prefix(8))... could not be verified.",
                code: "invalid_encrypted_content")
        }
        let isFollowed = next.map { next in
            let type = next["type"]?.string ?? "message"
            return type == "message" ? next["role"] == "assistant" : !type.hasSuffix("_output")
        }
        guard isFollowed == true else {
            throw RequestBody.refused(
                "Item '\(id)' of type 'reasoning' was provided without its required following item.", "input")
        }
    }

    static func missing(_ name: String) -> ReplyError {
        RequestBody.refused("Missing required parameter: '\(name)'.", name, code: "missing_required_parameter")
    }
}
