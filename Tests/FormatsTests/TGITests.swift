// TGI's own endpoint: frames and requests.

import Chat
import Formats
import HTTP
import JSON
import Testing

@Suite struct TGITests {
    private static func read(_ payloads: String...) -> StreamOutcome {
        StreamHarness.run(frames: payloads.map { (.data, "", $0) }, dialect: WireFormat.tgi)
    }

    private static func body(
        _ messages: [JSONValue], _ parameters: JSONObject = [:], system: String? = nil, isLenient: Bool = false,
        continuing: String? = nil
    ) throws -> (url: String, body: JSONValue) {
        let endpoint = Endpoint(provider: "tgi", dialect: "tgi", baseURL: "http://127.0.0.1:3000")
        let request = ChatRequest(
            model: "m", system: system, messages: messages, parameters: parameters, isLenient: isLenient,
            continuing: continuing)
        let sent = try WireFormat.tgi.encode(request, endpoint: endpoint, key: nil)
        return (sent.url, try JSONReader.value(sent.body))
    }

    // MARK: Reading

    @Test func specialTokensAreNoText() {
        let outcome = Self.read(
            #"{"index":1,"token":{"id":1,"text":"<s>","special":true},"generated_text":null,"details":null}"#,
            #"{"index":2,"token":{"id":2,"text":" a","special":false},"generated_text":null,"details":null}"#,
            #"{"index":3,"token":{"id":3,"text":"</s>","special":true},"generated_text":"prompt a","#
                + #""details":{"finish_reason":"eos_token","generated_tokens":3,"prefill":[{"id":1},{"id":5}]}}"#)
        #expect(outcome.text == " a")
        #expect(outcome.summary.finishReasonRaw == "eos_token")
        #expect(outcome.summary.finishReason == .stop)
        #expect(outcome.summary.usage?.outputTokens == 3)
        #expect(outcome.summary.usage?.inputTokens == 2)
        #expect(outcome.isDone)
    }

    /// A frame of the last token, which is text too.
    @Test func theLastTokenMayBeText() {
        let outcome = Self.read(
            #"{"token":{"text":"a","special":false},"generated_text":null}"#,
            #"{"token":{"text":"b","special":false},"generated_text":"ab","details":{"finish_reason":"length"}}"#)
        #expect(outcome.text == "ab")
        #expect(outcome.summary.finishReason == .length)
    }

    @Test func anAnswerThatWasNotStreamed() {
        for body in [#"{"generated_text":"whole"}"#, #"[{"generated_text":"whole"}]"#] {
            let outcome = StreamHarness.run(frames: [(.body, "", body)], dialect: WireFormat.tgi)
            #expect(outcome.text == "whole")
            #expect(outcome.hasCleanEnd)
        }
    }

    @Test(arguments: [
        ("validation", ErrorKind.invalidRequest, false), ("overloaded", .overloaded, true),
        ("generation", .provider, false), ("incomplete_generation", .provider, false),
    ]) func errors(type: String, kind: ErrorKind, isRetryable: Bool) {
        let outcome = Self.read(
            #"{"token":{"text":"a","special":false},"generated_text":null}"#,
            #"{"error":"it went wrong","error_type":"\#(type)"}"#)
        #expect(outcome.text == "a")
        #expect(outcome.error?.message == "it went wrong")
        #expect(outcome.error?.code == type)
        #expect(outcome.error?.kind == kind)
        #expect(outcome.error?.isRetryable == isRetryable)
        #expect(!outcome.hasCleanEnd)
    }

    // MARK: Asking

    @Test func onePromptGoesAsItIs() throws {
        let (url, body) = try Self.body(
            [["role": "user", "content": "Once upon a time"]],
            ["max_tokens": 5, "temperature": 0.5, "stop": ["."], "typical_p": 0.9])
        #expect(url == "http://127.0.0.1:3000/generate_stream")
        #expect(
            body == [
                "inputs": "Once upon a time",
                "parameters": [
                    "details": true, "max_new_tokens": 5, "stop": ["."], "temperature": 0.5, "typical_p": 0.9,
                ],
                "stream": true,
            ])
    }

    @Test(
        arguments: [
            (nil, [["role": "user", "content": "a"]], "b", "ab"),
            ("S.", [["role": "user", "content": "a"]], nil, "S.\n\nUser: a\nAssistant:"),
            (
                nil,
                [
                    ["role": "user", "content": "a"], ["role": "assistant", "content": "b"],
                    ["role": "user", "content": "c"],
                ], "d", "User: a\nAssistant: b\nUser: c\nAssistant: d"
            ),
        ] as [(String?, [JSONValue], String?, String)])
    func conversationsAreWrittenOut(system: String?, messages: [JSONValue], continuing: String?, prompt: String) throws
    {
        #expect(try Self.body(messages, system: system, continuing: continuing).body["inputs"] == .string(prompt))
    }

    @Test(
        arguments: [
            ([["role": "user", "content": "a"]], ["tools": [["name": "f"]]], "tools"),
            ([["role": "user", "content": "a"]], ["thinking": true], "thinking"),
            ([["role": "user", "content": "a"]], ["presence_penalty": 1], "presence_penalty"),
            (
                [["role": "user", "content": [["type": "image", "url": "https://e.example/a.png"]]]], [:], "messages[1]"
            ),
            ([["role": "user", "content": "a"], ["role": "tool", "content": "b"]], [:], "messages[2]"),
        ] as [([JSONValue], JSONObject, String)])
    func whatItCannotSay(messages: [JSONValue], parameters: JSONObject, place: String) throws {
        let error = #expect(throws: APIError.self) { try Self.body(messages, parameters) }
        #expect(error?.message.hasPrefix(place) == true, "\(error?.message ?? "")")
        #expect(error?.message.contains("cannot be expressed for tgi") == true)
        #expect(throws: Never.self) { try Self.body(messages, parameters, isLenient: true) }
    }
}
