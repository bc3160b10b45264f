// Asks the provider in one of its formats, and reads the answer, as the engine does.

import Dialects
import Foundation
import MoonrillMock
import Testing
import Wire

/// A format in which the provider is asked.
protocol ExchangeFormat {
    static var dialect: any Dialect { get }
    static var path: String { get }
    static var quirks: Quirks { get }
}

/// One exchange, written and read by the dialect that scripts use.
struct DialectExchange<Format: ExchangeFormat> {
    var response: Response
    var events: [DecodedEvent] = []
    var error: APIError?
    var summary = ReplySummary()
    var hasCleanEnd = false
    var message: JSONValue = .null

    var text: String { events.map { if case .token(let text) = $0 { text } else { "" } }.joined() }
    var reasoning: String { events.map { if case .reasoning(let text) = $0 { text } else { "" } }.joined() }

    init(
        _ server: MockServer, _ messages: [JSONValue], _ parameters: JSONObject = [:], model: String = "moonrill-chat",
        system: String? = nil, fault: String? = nil, headers: [String: String] = [:], key: String? = "k",
        continuing: String? = nil
    ) throws {
        let endpoint = Endpoint(
            provider: "mock", dialect: Format.dialect.name, baseURL: "http://127.0.0.1:\(server.port)/v1",
            quirks: Format.quirks)
        let request = try Format.dialect.encode(
            ChatRequest(
                model: model, system: system, messages: messages, parameters: parameters, continuing: continuing),
            endpoint: endpoint, key: key)
        try self.init(server, body: request.body, fields: request.headers, fault: fault, headers: headers)
    }

    init(
        _ server: MockServer, body: [UInt8], fields: HTTPHeaders = [:], fault: String? = nil,
        headers: [String: String] = [:]
    ) throws {
        var all = headers
        for field in fields { all[field.name] = field.value }
        if let fault { all["X-Moonrill-Fault"] = fault }
        let client = try RawClient(port: server.port)
        try client.send(post(String(decoding: body, as: UTF8.self), all, path: Format.path))
        response = try client.response()
        read()
    }

    private mutating func read() {
        guard response.status == 200 else {
            error = Format.dialect.decodeError(
                head: HTTPResponseHead(status: response.status, headers: [:]), body: response.body, now: 0)
            return
        }
        let decoder = Format.dialect.makeDecoder()
        var parser = SSEParser()
        do {
            if response.headers["content-type"]?.hasPrefix("text/event-stream") == true {
                try parser.feed(response.body.span) { (frame, bytes) throws(APIError) in
                    let kind: FrameKind =
                        switch frame.kind {
                        case .event: .data
                        case .comment: .comment
                        case .stray: .stray
                        }
                    try decoder.decode(kind, name: frame.name, bytes: bytes, into: &events)
                }
            } else {
                try decoder.decode(.body, name: "", bytes: response.body.span, into: &events)
            }
        } catch let FramingError<APIError>.consumer(failure) {
            error = failure
        } catch {
            self.error = error as? APIError
        }
        summary = decoder.summary
        hasCleanEnd = decoder.hasCleanEnd
        message = decoder.assistantMessage(text: text, reasoning: reasoning)
    }
}

/// A message of the user's.
func user(_ text: String) -> JSONValue { ["role": "user", "content": .string(text)] }

extension JSONObject {
    /// The object with one more member.
    func with(_ name: String, _ value: JSONValue) -> JSONObject {
        var object = self
        object[name] = value
        return object
    }
}
