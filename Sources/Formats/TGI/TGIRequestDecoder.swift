// Decodes requests to TGI's own endpoints: `inputs` is one prompt, which may be a written conversation, and
// `parameters` has the options.

internal import Chat
internal import JSON

struct TGIRequestDecoder: RequestDecoder {
    private static let taken: Set<String> = ["max_new_tokens", "stop", "details", "grammar"]

    /// Servers behind a gateway have /v1 before the path.
    func route(_ target: RequestTarget, models: [String]) -> ServerRoute? {
        ["/generate_stream", "/generate", "/v1/generate_stream", "/v1/generate"].contains(target.path)
            ? .reply(.serverSentEvents) : nil
    }

    func request(_ body: JSONValue, target: RequestTarget) throws(ReplyError) -> DecodedRequest {
        let body = try RequestBody(body)
        guard let inputs = body["inputs"].string else { throw body.refused("must be a string", "inputs") }
        guard !inputs.isEmpty else { throw body.refused("cannot be empty", "inputs") }
        let parameters = try body.part("parameters")
        // A server has one model, which requests do not name and which does not reason.
        var request = DecodedRequest(model: "", messages: Self.messages(inputs))
        request.takeSystem()
        request.takePartialReply()
        if request.chat.continuing == "" { request.chat.continuing = nil }
        request.thinks = false
        request.streams = target.path.hasSuffix("_stream")
        request.includesUsage = try parameters.flag("details") ?? false
        request.chat.parameters = try options(parameters)
        return request
    }

    private func options(_ parameters: RequestBody) throws(ReplyError) -> JSONObject {
        var options = DecodedOptions()
        options.add(.maxTokens, try parameters.positive("max_new_tokens"))
        options.add(stop: try parameters.strings("stop"))
        try addFormat(parameters["grammar"], of: parameters, to: &options)
        options.move(TGIRequestEncoder.optionNames, from: parameters)
        options.addOthers(of: parameters, except: TGIRequestEncoder.optionNames, Self.taken)
        return options.parameters
    }

    private func addFormat(
        _ grammar: JSONValue, of parameters: RequestBody, to options: inout DecodedOptions
    ) throws(ReplyError) {
        if grammar.isNull { return }
        guard let type = grammar["type"]?.string, ["json", "json_schema"].contains(type) else {
            throw parameters.refused("only the type json is known here", "grammar")
        }
        guard let schema = grammar["value"], schema.object != nil else {
            throw parameters.refused("the value must be a JSON schema", "grammar")
        }
        if schema == ["type": "object"] {
            options.add(.responseFormat, ["type": "json_object"])
        } else {
            options.add(schema: schema)
        }
    }

    // MARK: The prompt

    /// A dialogue of lines that begin with "User: " and "Assistant:" is decoded as a conversation. The text before it
    /// is the system prompt. Any other prompt is one user message.
    private static func messages(_ inputs: String) -> [JSONValue] {
        var messages: [(role: String, text: String)] = []
        for line in inputs.split(separator: "\n", omittingEmptySubsequences: false) {
            if line.hasPrefix("User: ") {
                messages.append(("user", String(line.dropFirst("User: ".count))))
            } else if line.hasPrefix("Assistant:") {
                let text = line.dropFirst("Assistant:".count)
                messages.append(("assistant", String(text.first == " " ? text.dropFirst() : text)))
            } else if messages.isEmpty {
                messages.append(("system", String(line)))
            } else {
                messages[messages.count - 1].text += "\n" + line
            }
        }
        guard messages.last?.role == "assistant", messages.contains(where: { $0.role == "user" }) else {
            return [["role": "user", "content": .string(inputs)]]
        }
        return messages.map { ["role": .string($0.role), "content": .string($0.text)] }
    }
}
