// Requests for streams: queries and JSON bodies.

import Chat
import Formats
import JSON
import Testing

@testable import Server

@Suite struct StreamRequestTests {
    private static func request(_ body: String) throws -> StreamRequest { try StreamRequest(body: Array(body.utf8)) }

    @Test func queries() throws {
        let request = try StreamRequest(query: [
            ("token", "t"), ("prompt", "Hi 月"), ("model", "m"), ("system", "Be brief."), ("last_event_id", "s-1"),
            ("_", "1764374400"), ("utm_source", "x"),
        ])
        #expect(
            request.chat
                == ChatRequest(model: "m", system: "Be brief.", messages: [["role": "user", "content": "Hi 月"]]))
        #expect(request.model == "m")
        #expect(try StreamRequest(query: [("prompt", "x")]).model == nil)
        for (query, part) in [
            ([("model", "m")], "prompt: is missing"), ([("prompt", "")], "prompt: must not be empty"),
            ([("prompt", "a"), ("prompt", "b")], "prompt: is in the query twice"),
            ([("prompt", "a"), ("modle", "m")], "did you mean \"model\"?"),
        ] {
            let refusal = try #require(throws: RequestRefusal.self) {
                try StreamRequest(query: query.map { (name: $0.0, value: $0.1) })
            }
            #expect(refusal.message.contains(part) && refusal.error.status == 400)
        }
    }

    @Test func bodies() throws {
        let request = try Self.request(
            #"{"messages":[{"role":"system","content":"S"},{"role":"user","content":[{"type":"text","text":"Hi"}]}],"#
                + #""model":null,"options":{"temperature":0.2,"max_tokens":100,"seed":null}}"#)
        #expect(request.chat.parameters == ["temperature": 0.2, "max_tokens": 100])
        #expect(request.chat.messages.count == 2 && request.model == nil)
        let native = try Self.request(
            #"{"messages":[{"role":"assistant","content":"A","native":{"dialect":"x"}},{"role":"user","content":"B"}]}"#
        )
        #expect(native.chat.messages[0] == ["role": "assistant", "content": "A"])
    }

    @Test(arguments: [
        ("{", "not JSON"), ("[]", "must be a JSON object"), ("{}", "messages: is missing"),
        (#"{"prompt":1}"#, "prompt: must be a string"),
        (#"{"messages":[]}"#, "messages: must be an array"),
        (#"{"prompt":"x","messages":[{"role":"user","content":"x"}]}"#, "send one of them"),
        (#"{"prompt":"x","sytem":"y"}"#, "did you mean \"system\"?"),
        (#"{"prompt":"x","zzzzzzzz":"y"}"#, "known: messages, model, options, prompt, system"),
        (#"{"prompt":"x","options":{"temprature":1}}"#, "did you mean \"temperature\"?"),
        (#"{"prompt":"x","options":{"n":2}}"#, "Unknown member in options"),
        (#"{"prompt":"x","options":[]}"#, "options: must be an object"),
        (#"{"messages":["x"]}"#, "messages[0]: must be an object"),
        (#"{"messages":[{"content":"x"}]}"#, "messages[0].role: must be a string"),
        (#"{"messages":[{"role":"usr","content":"x"}]}"#, "did you mean \"user\"?"),
        (#"{"messages":[{"role":"user"}]}"#, "messages[0].content: must be"),
        (
            #"{"messages":[{"role":"user","content":[{"type":"image","path":"/etc/passwd"}]}]}"#,
            "messages[0].content[0]: must not have a path"
        ),
        (#"{"prompt":"x","model":"a\nb"}"#, "model: must not hold control characters"),
    ]) func refusals(_ body: String, _ part: String) throws {
        let refusal = try #require(throws: RequestRefusal.self) { try Self.request(body) }
        #expect(refusal.message.contains(part) && refusal.message.hasSuffix("."))
    }

    @Test func bounds() throws {
        let message = #"{"role":"user","content":"x"}"#
        let many = Array(repeating: message, count: 10_001)
        #expect(
            try Self.request(#"{"messages":[\#(many.dropLast().joined(separator: ","))]}"#).chat.messages.count
                == 10_000)
        #expect(throws: RequestRefusal.self) { try Self.request(#"{"messages":[\#(many.joined(separator: ","))]}"#) }
        let model = String(repeating: "m", count: 201)
        #expect(throws: RequestRefusal.self) { try Self.request(#"{"prompt":"x","model":"\#(model)"}"#) }
    }
}
