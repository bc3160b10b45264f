// Events of streams: their JSON, their frames and their WebSocket messages.

import Base
import Chat
import HTTP
import JSON
import Testing

@testable import Server

@Suite struct StreamEventTests {
    private static func json(_ event: StreamEvent) throws -> JSONValue {
        #expect(!event.data.contains(0x0A) && !event.data.contains(0x0D))
        return try JSONReader.strictValue(event.data)
    }

    /// The only event for a chat event.
    private static func only(_ event: ChatEvent) throws -> (name: String?, data: JSONValue, isTerminal: Bool) {
        let events = StreamEventEncoder.encode(event)
        try #require(events.count == 1)
        return (events[0].name, try json(events[0]), events[0].isTerminal)
    }

    // MARK: Text

    @Test func textIsOneEventAPiece() throws {
        let pieces = ["a\"b\\", "\r\n", "月", "\u{2028}\u{1}🌙"]
        for kind in [TextBatch.Kind.text, .reasoning] {
            let events = StreamEventEncoder.encode(.text(TextBatch(pieces: pieces, kind)))
            #expect(try events.map { try Self.json($0) } == pieces.map { ["content": .string($0)] })
            #expect(events.allSatisfy { $0.name == (kind == .text ? nil : "reasoning") && !$0.isTerminal })
            #expect(try Self.only(.text(TextBatch("x", kind))).data == ["content": "x"])
        }
    }

    /// Pieces that divide a character are joined, and bytes that are no text are replaced.
    @Test func dividedCharacters() throws {
        let moon = Array("🌙".utf8)
        let divided = TextBatch(bytes: [0x61] + moon + [0x62], ends: [1, 3, 5, 6])
        let events = StreamEventEncoder.encode(.text(divided))
        #expect(try events.map { try Self.json($0) } == [["content": "a"], ["content": "🌙"], ["content": "b"]])
        let broken = StreamEventEncoder.encode(.text(TextBatch(bytes: [0x61, 0xFF, 0x62], ends: [1, 2, 3])))
        #expect(
            try broken.map { try Self.json($0) } == [["content": "a"], ["content": "\u{FFFD}"], ["content": "b"]])
    }

    @Test func manyPieces() throws {
        let batch = ChatEvent.text(TextBatch(pieces: (0..<200_000).map { "tok\($0) " }))
        let writer = SSEWriter(stream: "s")
        var (out, number): ([UInt8], Int) = ([], 0)
        StreamEventEncoder.encode(batch) { event in
            number += 1
            writer.append(event, number: number, to: &out)
        }
        #expect(number == 200_000)
        #expect(String(decoding: out.suffix(44), as: UTF8.self).hasSuffix("data: {\"content\":\"tok199999 \"}\n\n"))
    }

    // MARK: Other events

    @Test func events() throws {
        let call = ToolCall(id: "c", name: "f", argumentsJSON: #"{"a":1}"#, arguments: ["a": 1])
        #expect(try Self.only(.toolCall(call)).data == ["id": "c", "name": "f", "arguments": ["a": 1]])
        let wait = try Self.only(.wait(WaitInfo(seconds: 3.20004, reason: "rpm")))
        #expect(wait.name == "wait" && wait.data == ["seconds": 3.2, "reason": "rpm"])
        let error = RequestFailure.sample(.rateLimit, "Slow down.", status: 429)
        let info = RetryInfo(attempt: 1, delay: 2.5, error: error, received: Position())
        let failed: JSONValue = ["kind": "rate_limit", "message": "Slow down.", "status": 429]
        let retry = try Self.only(.retry(info))
        #expect(retry.name == "retry" && retry.data == ["attempt": 1, "delay": 2.5, "error": failed])
        let reset = try Self.only(.reset(ResetInfo(attempt: 1, error: error)))
        #expect(reset.name == "reset" && reset.data == ["attempt": 1, "error": failed])
        let native = try Self.only(.native(name: "citation", ["url": "u"]))
        #expect(native.name == "native" && native.data == ["name": "citation", "value": ["url": "u"]])
        for silent in [ChatEvent.heartbeat, .chunk("{}"), .phase("x"), .start(StartInfo(attempt: 1))] {
            #expect(StreamEventEncoder.encode(silent).isEmpty)
        }
        let start = StreamEventEncoder.start(stream: "s", model: "m")
        #expect(try start.name == "start" && Self.json(start) == ["stream": "s", "model": "m"])
    }

    @Test func finish() throws {
        var usage = Usage()
        usage.inputTokens = 7
        usage.cachedTokens = 4
        usage.countsCacheApart = true
        usage.outputTokens = 20
        usage.reasoningTokens = 2
        usage.cost = 0.0012
        let counts: JSONValue = [
            "input_tokens": 11, "output_tokens": 20, "reasoning_tokens": 2, "cached_tokens": 4, "total_tokens": 31,
            "estimated": false,
        ]
        #expect(try Self.only(.usage(usage)).data == counts)
        let finish = try Self.only(.finish(.sample(text: "Hi", usage: usage)))
        #expect(finish.name == "finish" && finish.isTerminal)
        #expect(
            finish.data == [
                "finish_reason": "stop", "model": "upstream", "provider": "test", "attempts": 1, "usage": counts,
                "cost": 0.0012, "timing": ["first_token": 0.5, "total": 2.0],
            ])
        let bare = try Self.only(.finish(.sample(text: "Hi")))
        #expect(bare.data["usage"] == nil && bare.data["cost"] == nil)
        var refused = Reply.sample(.contentFilter)
        refused.refusal = "No."
        let events = StreamEventEncoder.encode(.finish(refused))
        #expect(try events.count == 2 && events[0].name == nil && Self.json(events[0]) == ["content": "No."])
        #expect(try Self.json(StreamEventEncoder.ended(model: "m")) == ["finish_reason": "stop", "model": "m"])
    }

    @Test func failure() throws {
        let failure = try Self.only(
            .failed(.sample(.rateLimit, "Slow down.", status: 429, isRetryable: true, retryAfter: 12)))
        #expect(failure.name == "failure" && failure.isTerminal)
        #expect(
            failure.data == [
                "kind": "rate_limit", "message": "Slow down.", "hint": "Too many requests: try again in 12 seconds.",
                "status": 429, "retryable": true, "retry_after": 12.0, "request_id": "req_1",
            ])
        let stopped = StreamEventEncoder.stopped()
        #expect(try stopped.isTerminal && Self.json(stopped)["kind"] == "cancelled")
        let raised = try Self.json(StreamEventEncoder.raised(requestID: "r"))
        #expect(raised["kind"] == "internal" && raised["request_id"] == "r" && raised["hint"] == nil)
        let lost = StreamEventEncoder.lost("Gone.")
        #expect(try lost.name == "lost" && lost.isTerminal && Self.json(lost) == ["message": "Gone."])
    }

    /// Each kind has a hint of one sentence; what a client did itself has none.
    @Test(arguments: [
        ErrorKind.config, .auth, .permission, .invalidRequest, .rateLimit, .quota, .overloaded, .timeout, .network,
        .truncated, .protocol, .provider, .cancelled, .budget,
    ]) func hints(_ kind: ErrorKind) {
        for status in [nil, 404, 413] as [Int?] {
            let hint = FailureHint.text(.sample(kind, "sk-secret", status: status))
            #expect((hint == nil) == (kind == .cancelled))
            #expect(
                hint.map { $0.hasSuffix(".") && !$0.contains("sk-") && $0.split(separator: ".").count == 1 } ?? true)
        }
        for phase in [RequestFailure.Phase.connect, .first, .idle, .stall, .total] {
            #expect(FailureHint.text(.sample(.timeout, phase: phase))?.hasSuffix(".") == true)
        }
        let long = FailureHint.text(.sample(.overloaded, retryAfter: 600))
        #expect(long == "The model is busy: try again in 10 minutes.")
        #expect(FailureHint.text(.sample(.overloaded, retryAfter: .infinity))?.contains("in a moment") == true)
    }

    @Test func customEvents() throws {
        let text = try StreamEventEncoder.custom(name: "note", "a\nb")
        #expect(try text.name == "note" && Self.json(text) == ["content": "a\nb"])
        #expect(try StreamEventEncoder.custom(name: "message", [1]) == StreamEvent(data: Array("[1]".utf8)))
        #expect(try StreamEventEncoder.custom(name: nil, nil).data == Array("null".utf8))
        let long = String(repeating: "n", count: 101)
        for name in ["", "a\nb", "a\rb", "a\0b", "error", "open", "start", "finish", "failure", "lost", long] {
            #expect(throws: EventNameError.self) { try StreamEventEncoder.custom(name: name, "x") }
        }
    }

    // MARK: Frames

    @Test func framesForTheParser() throws {
        let events = [
            StreamEventEncoder.start(stream: "s_1", model: nil), StreamEvent(data: Array(#"{"content":"x"}"#.utf8)),
            StreamEvent(name: "note", data: Array("one\r\ntwo\rthree\n\nfive".utf8)),
        ]
        let writer = SSEWriter(stream: "s_1")
        var out = SSEWriter.retry(milliseconds: 1_500)
        for (index, event) in events.enumerated() {
            writer.append(event, number: index + 1, to: &out)
            out += SSEWriter.heartbeat
        }
        for size in [1, 5, out.count] {
            var parser = SSEParser()
            var (frames, comments): ([String], Int) = ([], 0)
            for start in stride(from: 0, to: out.count, by: size) {
                let chunk = out.span.extracting(start..<min(out.count, start + size))
                try parser.feed(chunk) { (frame, payload) throws(JSONError) in
                    switch frame.kind {
                    case .event: frames.append("\(frame.lastEventID) \(frame.name) \(String(decoding: payload))")
                    case .comment: comments += 1
                    case .stray: Issue.record("a stray line")
                    }
                }
            }
            #expect(parser.retry == 1_500 && comments == 3)
            #expect(
                frames == [
                    #"s_1-1 start {"stream":"s_1"}"#, #"s_1-2  {"content":"x"}"#, "s_1-3 note one\ntwo\nthree\n\nfive",
                ])
        }
    }

    @Test func ids() {
        #expect(EventID("a-b-12") == EventID(stream: "a-b", number: 12))
        #expect(EventID(stream: "a", number: 3).description == "a-3")
        for text in ["", "a", "a-", "-1", "a-x", "a-+1", "a--", "a b-1", "a-1234567890123456", "a-१"] {
            #expect(EventID(text) == nil)
        }
    }

    // MARK: Sockets

    @Test func messages() throws {
        let event = StreamEvent(data: Array(#"{"content":"x"}"#.utf8))
        let message = SocketMessageWriter(stream: "s", ref: "q\"1").message(event, number: 2)
        #expect(
            String(decoding: message, as: UTF8.self)
                == #"{"event":"message","id":"s-2","stream":"s","ref":"q\"1","data":{"content":"x"}}"#)
        let bare = SocketMessageWriter(stream: "s", ref: nil)
            .message(StreamEventEncoder.start(stream: "s", model: "m"), number: 1)
        #expect(
            try JSONReader.strictValue(bare) == [
                "event": "start", "id": "s-1", "stream": "s", "data": ["stream": "s", "model": "m"],
            ])
    }

    @Test func commands() throws {
        let ask = try SocketCommand(Array(#"{"type":"ask","ref":"r","prompt":"Hi","model":"m"}"#.utf8))
        let request = try StreamRequest(body: Array(#"{"prompt":"Hi","model":"m"}"#.utf8))
        #expect(ask == .ask(request, ref: "r"))
        #expect(try SocketCommand(Array(#"{"type":"cancel","stream":"s"}"#.utf8)) == .cancel(stream: "s"))
        let resume = try SocketCommand(Array(#"{"type":"resume","last_event_id":"s-3","ref":7}"#.utf8))
        #expect(resume == .resume(after: EventID(stream: "s", number: 3), ref: 7))
        for (text, part) in [
            ("{", "not valid"), ("[]", "JSON object"), (#"{"type":"aks","prompt":"x"}"#, "did you mean \\\"ask\\\""),
            (#"{"prompt":"x"}"#, "type: must be"), (#"{"type":"cancel","ref":"r"}"#, "stream: must be"),
            (#"{"type":"resume","last_event_id":"s"}"#, "STREAM-N"), (#"{"type":"ask","ref":[],"prompt":"x"}"#, "ref:"),
        ] {
            let refusal = try #require(throws: SocketRefusal.self) { try SocketCommand(Array(text.utf8)) }
            let reply = try JSONReader.strictValue(refusal.reply)
            #expect(reply["event"] == "failure" && reply["data"]?["kind"] == "invalid_request")
            #expect(String(decoding: refusal.reply, as: UTF8.self).contains(part))
            if text.contains(#""ref":"r""#) { #expect(reply["ref"] == "r") }
        }
    }
}
