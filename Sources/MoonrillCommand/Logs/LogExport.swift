// `moonrill logs export`: requests and replies as files of OpenAI's batch API (platform.openai.com/docs/guides/batch).

internal import ArgumentParser
internal import Chat
internal import Formats
internal import HTTP
internal import JSON
internal import Journal

extension Logs {
    struct Export: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "export",
            abstract: "Print requests or replies in the JSON Lines of OpenAI's batch API, the oldest first.",
            discussion: """
                --form output prints the replies as chat.completion objects, --form input the requests, which can be \
                sent as a batch again. Both name a request by the same custom_id. Requests of other formats are \
                converted to Chat Completions.
                """)

        /// The kind of file.
        enum Form: String, ExpressibleByArgument, CaseIterable { case output, input }

        @OptionGroup var filters: LogFilterOptions
        @OptionGroup var location: StoreLocation

        @Option(help: "The kind of file.")
        var form = Form.output

        @Option(help: ArgumentHelp("The newest requests alone; all without it.", valueName: "n"))
        var limit: Int?

        func validate() throws {
            if let limit, limit < 1 { throw ValidationError("--limit takes a number of 1 or more.") }
        }

        func run() throws {
            try location.read { log in
                guard let log else { return StandardError.say(Logs.noRequests, level: "info") }
                var skipped = 0
                do {
                    try log.forEach(filters.filter, limit: limit) { exchange in
                        guard let line = form == .input ? BatchLine.input(exchange) : BatchLine.output(exchange) else {
                            skipped += 1
                            return
                        }
                        guard try LineWriter().write(JSONWriter.text(line)) else { throw OutputClosed() }
                    }
                } catch is OutputClosed {
                    ProcessSetup.end(ExitStatus.outputClosed)
                }
                guard skipped > 0 else { return }
                let reason = form == .input ? "have no form in Chat Completions" : "have no recorded reply"
                StandardError.say(
                    "\(ShownNumber.count(skipped, "request")) of the log \(reason) and were left out", level: "warning")
            }
        }

        private struct OutputClosed: Error {}
    }
}

/// Lines of OpenAI's batch files.
enum BatchLine {
    private static let endpoint = "/v1/chat/completions"

    private static func id(_ exchange: LoggedExchange) -> JSONValue { .string("request-\(exchange.request.id)") }

    // MARK: Input

    /// The request; nil if Chat Completions cannot express it.
    static func input(_ exchange: LoggedExchange) -> JSONValue? {
        guard let spec = exchange.spec, var body = body(spec) else { return nil }
        // A batch is not streamed.
        body["stream"] = nil
        body["stream_options"] = nil
        return [
            "custom_id": id(exchange), "method": "POST", "url": .string(endpoint), "body": .object(body),
        ]
    }

    private static func body(_ spec: RequestSpec) -> JSONObject? {
        var chat = spec.chat
        // Options of another format that this one lacks are left out.
        chat.isLenient = true
        chat.continuing = nil
        let quirks = spec.endpoint.dialect == WireFormat.openAIChat.name ? spec.endpoint.quirks : Quirks()
        let target = Endpoint(
            provider: spec.endpoint.provider, dialect: WireFormat.openAIChat.name, baseURL: "https://api.openai.com/v1",
            quirks: quirks)
        // Nil says that it cannot be expressed.
        guard let request = try? WireFormat.openAIChat.encode(chat, endpoint: target, key: nil) else { return nil }
        // Bytes of an encoder of this program.
        return (try? JSONReader.value(request.body))?.object
    }

    // MARK: Output

    /// The result; nil if the request has no end.
    static func output(_ exchange: LoggedExchange) -> JSONValue? {
        let request = exchange.request
        var line: JSONObject = ["id": .string("batch_req_\(request.id)"), "custom_id": id(exchange)]
        if let failure = exchange.failure {
            if let status = failure.status, status >= 400 {
                line["response"] = response(exchange, status: status, body: error(failure))
                line["error"] = .null
            } else {
                line["response"] = .null
                line["error"] = ["code": .string(failure.kind.rawValue), "message": .string(failure.message)]
            }
        } else if request.state == "running" || request.state == "cancelled" {
            guard request.state == "cancelled" else { return nil }
            line["response"] = .null
            line["error"] = ["code": "cancelled", "message": "the run ended before the reply"]
        } else {
            guard let reply = exchange.reply, let body = completion(reply, request) else { return nil }
            line["response"] = response(exchange, status: 200, body: body)
            line["error"] = .null
        }
        return .object(line)
    }

    private static func response(_ exchange: LoggedExchange, status: Int, body: JSONValue) -> JSONValue {
        let id = exchange.failure?.requestID ?? "req_\(exchange.request.id)"
        return ["status_code": .int(Int64(status)), "request_id": .string(id), "body": body]
    }

    private static func error(_ failure: RequestFailure) -> JSONValue {
        [
            "error": [
                "message": .string(failure.message), "type": .string(failure.kind.rawValue), "param": .null,
                "code": failure.code.map { .string($0) } ?? .null,
            ]
        ]
    }

    private static func completion(_ reply: Reply, _ request: LoggedRequest) -> JSONValue? {
        let head = ReplyHead(
            id: "\(request.id)", created: Int(min(max(request.startedAt, 0), 1e15)), model: reply.model,
            showsReasoning: !reply.reasoning.isEmpty)
        var blocks: [ReplyBlock] = []
        if !reply.reasoning.isEmpty { blocks.append(.reasoning(reply.reasoning)) }
        if !reply.text.isEmpty { blocks.append(.text(reply.text)) }
        blocks += reply.toolCalls.map { call in
            var call = call
            // The clients of OpenAI parse the arguments.
            if call.argumentsJSON.isEmpty { call.argumentsJSON = "{}" }
            return .toolCall(call)
        }
        // The encoder takes the input with the tokens of the cache, and the output with the reasoning.
        var usage = reply.usage ?? Usage()
        (usage.inputTokens, usage.outputTokens) = (usage.readTokens, usage.writtenTokens)
        usage.countsCacheApart = false
        var ending = ReplyEnding(reply.finishReason ?? .stop, usage: usage)
        ending.refusal = reply.refusal
        let whole = WholeReply(head: head, choices: [blocks], ending: ending)
        guard let encoder = WireFormat.openAIChat.server?.replies(.serverSentEvents),
            // Bytes of an encoder of this program.
            var body = (try? JSONReader.value(encoder.body(whole)))?.object
        else { return nil }
        if let id = reply.id { body["id"] = .string(id) }
        // That of the provider is not recorded.
        body["system_fingerprint"] = .null
        return .object(body)
    }
}
