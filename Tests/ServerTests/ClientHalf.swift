// Decodes what the server encodes with the client's half of the same format.

import Base
import Chat
import Formats
import HTTP
import JSON
import Testing

@testable import Server

/// What a client made of a response.
struct ClientOutcome {
    var events: [DecodedEvent] = []
    var error: APIError?
    var summary = ReplySummary()
    var hasCleanEnd = false

    var text: String { joined(.text) }
    var reasoning: String { joined(.reasoning) }
    /// The tool calls; an empty object of arguments may be decoded as no text.
    var toolCalls: [ToolCall] {
        summary.toolCalls.map { call in
            var call = call
            if call.argumentsJSON.isEmpty { call.argumentsJSON = "{}" }
            return call
        }
    }

    private func joined(_ kind: TextBatch.Kind) -> String {
        events.map { if case .text(let batch) = $0, batch.kind == kind { batch.text } else { "" } }.joined()
    }
}

/// A format in one of its framings, and what it cannot express.
struct ServedVariant: Sendable, CustomTestStringConvertible {
    var format: WireFormat
    var framing = Framing.serverSentEvents
    var hasReasoning = true
    var hasCalls = true
    var reportsReasoningTokens = true
    var reportsCachedTokens = true
    /// Whether the reasoning is not part of the output tokens.
    var countsReasoningApart = false
    /// Whether the input tokens exclude those of the cache.
    var countsCacheApart = false
    /// The kind of an error in a stream for a provider that is overloaded.
    var errorKind = ErrorKind.overloaded

    var testDescription: String { framing == .jsonArray ? "\(format.name) array" : format.name }

    static let all = [
        ServedVariant(format: .openAIChat), ServedVariant(format: .openAIResponses),
        ServedVariant(format: .anthropicMessages, countsCacheApart: true),
        ServedVariant(format: .gemini, countsReasoningApart: true),
        ServedVariant(format: .gemini, framing: .jsonArray, countsReasoningApart: true),
        ServedVariant(
            format: .tgi, hasReasoning: false, hasCalls: false, reportsReasoningTokens: false,
            reportsCachedTokens: false),
        ServedVariant(
            format: .ollama, framing: .newlineDelimitedJSON, reportsReasoningTokens: false, reportsCachedTokens: false),
        ServedVariant(format: .cohere, reportsReasoningTokens: false, errorKind: .provider),
    ]

    func served() throws -> ServedFormat { try #require(ServedFormat(format, framing)) }

    /// A target and body of the format for a reply.
    func request(streams: Bool) -> (target: RequestTarget, body: String) {
        let chat = #"{"model":"m","stream":\#(streams),"messages":[{"role":"user","content":"Hi"}]"#
        switch format.name {
        case "openai":
            return (RequestTarget("/v1/chat/completions"), chat + #","stream_options":{"include_usage":true}}"#)
        case "responses":
            return (RequestTarget("/v1/responses"), #"{"model":"m","stream":\#(streams),"input":"Hi"}"#)
        case "anthropic": return (RequestTarget("/v1/messages"), chat + #","max_tokens":100}"#)
        case "gemini":
            let method = streams ? "streamGenerateContent" : "generateContent"
            let query = framing == .jsonArray ? "" : "?alt=sse"
            return (
                RequestTarget("/v1beta/models/m:\(method)\(query)"),
                #"{"contents":[{"role":"user","parts":[{"text":"Hi"}]}]}"#
            )
        case "tgi":
            return (
                RequestTarget(streams ? "/generate_stream" : "/generate"),
                #"{"inputs":"Hi","parameters":{"details":true}}"#
            )
        case "ollama": return (RequestTarget("/api/chat"), chat + "}")
        default: return (RequestTarget("/v2/chat"), chat + "}")
        }
    }

    func reply(streams: Bool, inputTokens: Int = 0) throws -> ModelReply {
        let (target, body) = request(streams: streams)
        let served = try served()
        let decoded = try served.request(Array(body.utf8), target: target)
        #expect(decoded.streams == streams)
        return ModelReply(
            served, decoded, id: "0123456789abcdef", created: 1_750_000_000, model: "m", inputTokens: inputTokens)
    }

    /// Decodes a stream that arrives in chunks of `size` bytes.
    func decoded(stream bytes: [UInt8], size: Int = .max) -> ClientOutcome {
        let decoder = format.makeDecoder()
        var outcome = ClientOutcome()
        do {
            try feed(bytes, size, decoder, &outcome)
        } catch let FramingError<APIError>.consumer(error) {
            outcome.error = error
        } catch {
            outcome.error = APIError(kind: .protocol, message: "\(error)")
        }
        outcome.summary = decoder.summary
        outcome.hasCleanEnd = decoder.hasCleanEnd
        return outcome
    }

    private func feed(
        _ bytes: [UInt8], _ size: Int, _ decoder: any StreamDecoder, _ outcome: inout ClientOutcome
    ) throws {
        var (events, lines, elements) = (SSEParser(), NDJSONParser(), JSONArrayParser())
        var start = 0
        while start < bytes.count {
            let end = start + min(size, bytes.count - start)
            let chunk = bytes.span.extracting(start..<end)
            switch framing {
            case .serverSentEvents:
                try events.feed(chunk) { (frame, payload) throws(APIError) in
                    let kind: FrameKind =
                        switch frame.kind {
                        case .event: .data
                        case .comment: .comment
                        case .stray: .stray
                        }
                    try decoder.decode(kind, name: frame.name, bytes: payload, into: &outcome.events)
                }
            case .newlineDelimitedJSON:
                try lines.feed(chunk) { (payload) throws(APIError) in
                    try decoder.decode(.data, name: "", bytes: payload, into: &outcome.events)
                }
            case .jsonArray:
                try elements.feed(chunk) { (payload) throws(APIError) in
                    try decoder.decode(.data, name: "", bytes: payload, into: &outcome.events)
                }
            }
            start = end
        }
    }

    /// Decodes a whole body.
    func decoded(body: [UInt8]) throws -> ClientOutcome {
        let decoder = format.makeDecoder()
        var outcome = ClientOutcome()
        try decoder.decode(.body, name: "", bytes: body.span, into: &outcome.events)
        outcome.summary = decoder.summary
        outcome.hasCleanEnd = decoder.hasCleanEnd
        return outcome
    }
}

/// What a server sent for one reply.
struct SentReply {
    var head: HTTPHeaders?
    var bytes: [UInt8] = []
    var isOver = false
    var whole: ServedResponse?

    mutating func add(_ output: ModelReply.Output) {
        #expect(!isOver || output == .nothing)
        switch output {
        case .nothing: break
        case .whole(let response):
            #expect(head == nil)
            whole = response
            isOver = true
        case .piece(let piece):
            #expect((head == nil) == (piece.head != nil))
            head = head ?? piece.head
            bytes += piece.bytes
            isOver = piece.isLast
        }
    }

    var text: String { String(decoding: bytes, as: UTF8.self) }
}

extension Reply {
    /// A reply of a provider.
    static func sample(
        text: String = "", reasoning: String = "", calls: [ToolCall] = [], _ reason: FinishReason = .stop,
        usage: Usage? = nil
    ) -> Reply {
        Reply(
            text: text, reasoning: reasoning, toolCalls: calls, finishReason: reason, usage: usage, model: "upstream",
            provider: "test", attempts: 1, firstTokenTime: 0.5, totalTime: 2, message: [:])
    }
}

extension RequestFailure {
    static func sample(
        _ kind: ErrorKind, _ message: String = "It failed.", status: Int? = nil, code: String? = nil,
        phase: Phase? = nil, isRetryable: Bool = false, retryAfter: Double? = nil
    ) -> RequestFailure {
        RequestFailure(
            kind: kind, message: message, status: status, code: code, phase: phase, isRetryable: isRetryable,
            retryAfter: retryAfter, provider: "test", model: "m", requestID: "req_1", attempts: 1)
    }
}
