// A wire format of words for engine tests: "t:text", "r:reasoning", "call:name arguments", "usage:in out",
// "finish:reason", "error:code message", "[DONE]"; other payloads are heartbeats.

import Base
import Chat
import Formats
import HTTP
import JSON

extension WireFormat {
    static func plain(framing: Framing = .serverSentEvents) -> WireFormat {
        WireFormat(
            name: "plain", framing: framing, encode: encodePlain, decoder: { _ in PlainDecoder() },
            decodeError: decodePlainError)
    }

    @Sendable private static func encodePlain(
        _ request: ChatRequest, _ endpoint: Endpoint, _ key: String?
    ) throws(APIError) -> HTTPRequest {
        if request.model == "refused" { throw APIError(kind: .invalidRequest, message: "model refused") }
        var message = HTTPRequest(
            method: "POST", url: endpoint.baseURL + "/chat", body: Array((request.continuing ?? "anew").utf8))
        message.headers["Content-Type"] = "text/plain"
        if let limit = request.parameters["max_tokens"]?.int { message.headers["X-Max-Tokens"] = "\(limit)" }
        if let key { message.headers["Authorization"] = "Bearer \(key)" }
        return message
    }

    @Sendable private static func decodePlainError(
        _ head: HTTPResponseHead, _ body: [UInt8], _ now: UnixTime
    ) -> APIError {
        let text = String(decoding: body, as: UTF8.self)
        let status = head.status
        var error = APIError(
            kind: status == 429 ? .rateLimit : status >= 500 ? .overloaded : .invalidRequest,
            message: text.isEmpty ? "status \(status)" : text, status: status)
        error.isRetryable = [408, 409, 429].contains(status) || status >= 500
        error.retryAfter = head.headers["Retry-After"].flatMap(Double.init)
        error.requestID = head.headers["x-request-id"]
        return error
    }
}

final class PlainDecoder: StreamDecoder {
    private(set) var hasCleanEnd = false
    private(set) var isDone = false
    private(set) var summary = ReplySummary()
    var outputCount: Int { summary.toolCalls.count }

    func decode(
        _ kind: FrameKind, name: String, bytes: Span<UInt8>, into events: inout [DecodedEvent]
    ) throws(APIError) {
        var copy: [UInt8] = []
        for index in bytes.indices { copy.append(bytes[index]) }
        let text = String(decoding: copy, as: UTF8.self)
        if kind == .body || kind == .stray && text.hasPrefix("{") {
            throw APIError(kind: .provider, message: "\(kind): \(text)")
        }
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        let value = parts.count > 1 ? parts[1] : ""
        switch (kind, parts[0]) {
        case (.data, "start"):
            summary.id = value
            events.append(.start)
        case (.data, "t"): events.append(.text(TextBatch(value)))
        case (.data, "r"): events.append(.text(.reasoning(value)))
        case (.data, "call"):
            let words = value.split(separator: " ", maxSplits: 1).map(String.init)
            let isWhole = words.count > 1 && words[1].hasSuffix("}")
            summary.toolCalls.append(
                ToolCall(
                    id: "c\(summary.toolCalls.count)", name: words[0], argumentsJSON: words.count > 1 ? words[1] : "",
                    arguments: isWhole ? [:] : nil))
        case (.data, "usage"):
            let words = value.split(separator: " ").compactMap { Int($0) }
            var usage = Usage()
            usage.inputTokens = words[0]
            usage.outputTokens = words[1]
            summary.usage = usage
            events.append(.usage(usage))
        case (.data, "finish"):
            hasCleanEnd = true
            summary.finishReasonRaw = value
            summary.finishReason = FinishReason(rawValue: value) ?? .other
        case (.data, "[DONE]"):
            hasCleanEnd = true
            isDone = true
        case (.data, "error"):
            let words = value.split(separator: " ", maxSplits: 1).map(String.init)
            throw APIError(
                kind: ErrorKind(rawValue: words[0]) ?? .provider, message: words.count > 1 ? words[1] : value,
                isRetryable: words[0] == "overloaded" || words[0] == "rate_limit")
        default: events.append(.heartbeat)
        }
    }

    func assistantMessage(_ reply: ReplyText) -> JSONValue {
        ["role": "assistant", "content": .string(reply.text)]
    }
}
