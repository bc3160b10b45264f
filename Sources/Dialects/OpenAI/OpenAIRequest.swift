// How Chat Completions are asked for: the body, the address, the headers. Called by OpenAIDialect alone.

internal import Wire

/// One request on its way to the wire.
struct OpenAIRequest {
    private let request: ChatRequest
    private let endpoint: Endpoint

    init(_ request: ChatRequest, endpoint: Endpoint) {
        self.request = request
        self.endpoint = endpoint
    }

    func encoded(key: String?) throws(APIError) -> HTTPRequest {
        let url = try root().appending("/chat/completions")
        let headers = try RequestHeaders.make(for: endpoint, key: key)
        return HTTPRequest(method: "POST", url: url, headers: headers, body: JSONWriter.bytes(.object(try body())))
    }

    /// The endpoint's root, or the one for continuations where it is the same server's.
    private func root() throws(APIError) -> BaseURL {
        let root = try BaseURL(endpoint.baseURL)
        guard request.continuing != nil, let other = endpoint.quirks.continuationBaseURL else { return root }
        let continuation = try BaseURL(other)
        return continuation.origin == root.origin ? continuation : root
    }

    private func body() throws(APIError) -> JSONObject {
        guard !request.model.isEmpty else { throw Self.invalid("model must be named") }
        var body: JSONObject = ["model": .string(request.model), "messages": .array(try messages()), "stream": true]
        if endpoint.quirks.usage == .streamOptions { body["stream_options"] = ["include_usage": true] }
        if request.continuing != nil, endpoint.quirks.continuation == .bodyFlag {
            body["continue_final_message"] = true
            body["add_generation_prompt"] = false
        }
        for member in request.parameters { try add(member, to: &body) }
        return body
    }

    /// Parameters go as they are; only what the request itself is made of is not theirs to change.
    private func add(_ member: JSONObject.Member, to body: inout JSONObject) throws(APIError) {
        switch member.key {
        case "model", "messages":
            throw Self.invalid("\(member.key) is set by the request itself and cannot be a parameter")
        case "stream":
            guard member.value == true else {
                throw Self.invalid("stream must not be set: replies are always streamed")
            }
        default:
            try Self.checkFinite(member.value, at: member.key)
            body[member.key] = member.value
        }
    }

    private func messages() throws(APIError) -> [JSONValue] {
        var messages: [JSONValue] = []
        if let system = request.system { messages.append(["role": "system", "content": .string(system)]) }
        messages += request.messages
        guard !messages.isEmpty else { throw Self.invalid("messages must not be empty") }
        for index in request.messages.indices {
            guard request.messages[index].object != nil else {
                throw Self.invalid("messages[\(index + 1)] must be an object with role and content")
            }
            try Self.checkFinite(request.messages[index], at: "messages[\(index + 1)]")
        }
        if let text = request.continuing { messages.append(try partialReply(text)) }
        return messages
    }

    private func partialReply(_ text: String) throws(APIError) -> JSONValue {
        var message: JSONObject = ["role": "assistant", "content": .string(text)]
        switch endpoint.quirks.continuation {
        case .none: throw Self.invalid("\(endpoint.provider) cannot go on from a partial reply")
        case .prefill, .bodyFlag: break
        case .prefixFlag: message["prefix"] = true
        case .partialFlag: message["partial"] = true
        }
        return .object(message)
    }

    /// JSON has no NaN and no infinity; the writer would make them null without a word.
    private static func checkFinite(_ value: JSONValue, at path: String) throws(APIError) {
        switch value {
        case .double(let number):
            guard number.isFinite else { throw invalid("\(path) is \(number), which JSON cannot say") }
        case .array(let elements):
            for index in elements.indices { try checkFinite(elements[index], at: "\(path)[\(index + 1)]") }
        case .object(let object):
            for member in object { try checkFinite(member.value, at: "\(path).\(member.key)") }
        default: break
        }
    }

    private static func invalid(_ message: String) -> APIError {
        APIError(kind: .invalidRequest, message: message)
    }
}
