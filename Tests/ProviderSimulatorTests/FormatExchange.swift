// Asks the provider in one of its formats, and reads the answer, as the engine does.

import Base
import Chat
import Formats
import Foundation
import HTTP
import JSON
import ProviderSimulator
import Testing

/// A format in which the provider is asked.
protocol ExchangeFormat: SendableMetatype {
    static var dialect: WireFormat { get }
    /// Where bodies of a test's own go.
    static var path: String { get }
    static var quirks: Quirks { get }
}

extension ExchangeFormat {
    static var quirks: Quirks { Quirks() }
}

/// One exchange, written and read by the dialect that scripts use.
struct FormatExchange<Format: ExchangeFormat> {
    var response: Response
    var events: [DecodedEvent] = []
    var error: APIError?
    var summary = ReplySummary()
    var hasCleanEnd = false
    var message: JSONValue = .null

    var text: String { text(.text) }
    var reasoning: String { text(.reasoning) }

    private func text(_ kind: TextBatch.Kind) -> String {
        events.map { if case .text(let batch) = $0, batch.kind == kind { batch.text } else { "" } }.joined()
    }

    /// Asks as the dialect asks. `fault` is of this request alone.
    init(
        _ server: SimulatorServer, _ messages: [JSONValue], _ parameters: JSONObject = [:],
        model: String = "moonrill-chat",
        system: String? = nil, path: String? = nil, fault: String? = nil, headers: [String: String] = [:],
        key: String? = "k", continuing: String? = nil
    ) throws {
        let base = "http://127.0.0.1:\(server.port)"
        let endpoint = Endpoint(
            provider: "mock", dialect: Format.dialect.name, baseURL: base + "/v1", quirks: Format.quirks)
        let request = try Format.dialect.encode(
            ChatRequest(
                model: model, system: system, messages: messages, parameters: parameters, continuing: continuing),
            endpoint: endpoint, key: key)
        var fields = headers
        for field in request.headers { fields[field.name] = field.value }
        try self.init(
            server, body: request.body, path: path ?? String(request.url.dropFirst(base.count)), fault: fault,
            headers: fields)
    }

    /// Sends a body of the test's own.
    init(
        _ server: SimulatorServer, body: [UInt8], path: String = Format.path, fault: String? = nil,
        headers: [String: String] = [:]
    ) throws {
        var fields = headers
        if let fault { fields["X-Moonrill-Fault"] = fault }
        let client = try RawClient(port: server.port)
        try client.send(post(String(decoding: body, as: UTF8.self), fields, path: path))
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
        do {
            switch response.headers["content-type"] {
            case let type? where type.hasPrefix("text/event-stream"): try readEvents(decoder)
            case let type? where type.hasPrefix("application/x-ndjson"):
                var parser = NDJSONParser()
                try parser.feed(response.body.span) { (line) throws(APIError) in
                    try decoder.decode(.data, name: "", bytes: line, into: &events)
                }
            case _ where Format.dialect.streamsArrays && response.body.first == UInt8(ascii: "["):
                var parser = JSONArrayParser()
                try parser.feed(response.body.span) { (element) throws(APIError) in
                    try decoder.decode(.data, name: "", bytes: element, into: &events)
                }
            default: try decoder.decode(.body, name: "", bytes: response.body.span, into: &events)
            }
        } catch let FramingError<APIError>.consumer(failure) {
            error = failure
        } catch {
            self.error = error as? APIError
        }
        summary = decoder.summary
        hasCleanEnd = decoder.hasCleanEnd
        var blocks = TextBlocks()
        for event in events {
            switch event {
            case .block(let number): blocks.begin(number)
            case .text(let batch): blocks.add(batch)
            default: break
            }
        }
        message = decoder.assistantMessage(blocks.reply(text: text, reasoning: reasoning))
    }

    private mutating func readEvents(_ decoder: any StreamDecoder) throws {
        var parser = SSEParser()
        try parser.feed(response.body.span) { (frame, bytes) throws(APIError) in
            let kind: FrameKind =
                switch frame.kind {
                case .event: .data
                case .comment: .comment
                case .stray: .stray
                }
            try decoder.decode(kind, name: frame.name, bytes: bytes, into: &events)
        }
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
