// Failures inside a stream, and bodies that are not streams.

import Chat
import Formats
import Testing

@Suite struct OpenAIFailureTests {
    private struct Case: Sendable, CustomTestStringConvertible {
        var kind: FrameKind = .data
        var name = ""
        var payload: String
        var expected: ErrorKind
        var message: String
        var code: String?
        var retryable = false
        var testDescription: String { payload }
    }

    private static let cases: [Case] = [
        Case(
            payload: #"{"error":{"message":"Overloaded","type":"overloaded_error"}}"#, expected: .overloaded,
            message: "Overloaded", code: "overloaded_error", retryable: true),
        Case(
            payload: #"{"error":{"message":"slow down","code":429}}"#, expected: .rateLimit, message: "slow down",
            code: "429", retryable: true),
        Case(payload: #"{"error":"boom"}"#, expected: .provider, message: "boom"),
        Case(
            payload: #"{"error":{"code":"insufficient_quota"}}"#, expected: .quota,
            message: "the provider reported the error \"insufficient_quota\"", code: "insufficient_quota"),
        Case(
            payload: #"{"object":"error","message":"bad","type":"BadRequestError","code":400}"#,
            expected: .invalidRequest, message: "bad", code: "BadRequestError"),
        Case(
            payload: #"[{"error":{"code":503,"message":"busy"}}]"#, expected: .overloaded, message: "busy", code: "503",
            retryable: true),
        Case(payload: #"{"detail":"Not Found"}"#, expected: .provider, message: "Not Found"),
        Case(
            payload:
                #"{"id":"x","choices":[{"index":0,"delta":{"content":""},"finish_reason":"error"}],"error":{"code":502,"message":"upstream"}}"#,
            expected: .provider, message: "upstream", code: "502", retryable: true),
        Case(
            payload: #"{"choices":[{"index":0,"error":{"code":502,"message":"upstream"},"finish_reason":"error"}]}"#,
            expected: .provider, message: "upstream", code: "502", retryable: true),
        Case(
            payload: #"{"choices":[],"x_groq":{"error":"over capacity"}}"#, expected: .provider,
            message: "over capacity"),
        Case(
            name: "error", payload: #"{"message":"nope","type":"server_error"}"#, expected: .provider,
            message: "nope", code: "server_error", retryable: true),
        Case(name: "error", payload: "plain words", expected: .provider, message: "plain words"),
        Case(
            kind: .stray, payload: #"error: {"code":500,"message":"CUDA out of memory","type":"server_error"}"#,
            expected: .provider, message: "CUDA out of memory", code: "server_error", retryable: true),
        Case(kind: .stray, payload: "error: went away", expected: .provider, message: "went away"),
        Case(
            kind: .stray, payload: #"{"error":{"message":"no","type":"invalid_request_error"}}"#,
            expected: .invalidRequest, message: "no", code: "invalid_request_error"),
        Case(
            kind: .body, payload: #"{"error":{"message":"no model","code":"model_not_found"}}"#,
            expected: .invalidRequest, message: "no model", code: "model_not_found"),
        Case(
            kind: .body, payload: "<!DOCTYPE html><html><head><title>Log in</title></head></html>",
            expected: .protocol,
            message:
                "expected a stream of events, got an HTML page (Log in): <!DOCTYPE html><html><head><title>Log in</title></head></html>"
        ),
        Case(
            kind: .stray, payload: "<html>", expected: .protocol,
            message: "expected a stream of events, got an HTML page: <html>"),
        Case(kind: .body, payload: " ", expected: .protocol, message: "the response body is empty", retryable: true),
        Case(
            kind: .body, payload: #"{"status":"ok"}"#, expected: .protocol,
            message: #"expected a stream of events, got JSON that is no chat completion: {"status":"ok"}"#),
    ]

    @Test(arguments: cases) private func failure(_ one: Case) throws {
        let outcome = StreamHarness.run(frames: [(one.kind, one.name, one.payload)])
        let error = try #require(outcome.error)
        #expect(error.kind == one.expected)
        #expect(error.message == one.message)
        #expect(error.code == one.code)
        #expect(error.isRetryable == one.retryable)
        #expect(outcome.text.isEmpty)
    }

    @Test func brokenJSONQuotesItsBeginning() throws {
        let long = "{\"choices\":[" + String(repeating: "x", count: 500)
        let error = try #require(StreamHarness.run(long).error)
        #expect(error.kind == .protocol)
        #expect(!error.isRetryable)
        #expect(error.message.hasPrefix("broken JSON in the stream"))
        #expect(error.message.hasSuffix("{\"choices\":[" + String(repeating: "x", count: 188) + "..."))
    }

    @Test func brokenJSONUnderAStrangeNameIsNotOurs() {
        #expect(StreamHarness.run(frames: [(.data, "ping", "{")]).error == nil)
        #expect(StreamHarness.run(frames: [(.data, "message", "{")]).error?.kind == .protocol)
    }

    @Test func payloadsWithoutBlankLinesBetween() {
        let line = #"{"choices":[{"index":0,"delta":{"content":"a"}}]}"#
        let outcome = StreamHarness.run("\(line)\n\(line)\n[DONE]")
        #expect(outcome.text == "aa")
        #expect(outcome.isDone)
        #expect(StreamHarness.run("\(line)\n{broken").error?.kind == .protocol)
    }

    @Test func errorsSpreadOverLines() throws {
        let lines = ["{", "  \"error\": {", "    \"code\": 429,", "    \"message\": \"slow\"", "  }", "}"]
        let error = try #require(StreamHarness.run(frames: lines.map { (.stray, "", $0) }).error)
        #expect(error.message == "slow")
        #expect(error.kind == .rateLimit)
    }

    @Test func strayLinesThatSayNothing() {
        let outcome = StreamHarness.run(frames: [(.stray, "", "hello"), (.stray, "", "x: y")])
        #expect(outcome.error == nil)
        #expect(outcome.isEmpty)
    }

    @Test func strayDataLineIsAPayload() {
        let outcome = StreamHarness.run(frames: [(.stray, "", #" data: {"choices":[{"delta":{"content":"a"}}]}"#)])
        #expect(outcome.text == "a")
    }

    @Test func wholeCompletionInsteadOfAStream() {
        let body = #"""
            {"id":"c","model":"m","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant",
            "content":"Hello","reasoning_content":"hm","tool_calls":[{"id":"a","type":"function","function":
            {"name":"f","arguments":"{}"}}]},"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":1,"completion_tokens":2}}
            """#
        let outcome = StreamHarness.run(frames: [(.body, "", body)])
        var usage = Usage()
        usage.inputTokens = 1
        usage.outputTokens = 2
        #expect(outcome.events == [.start, .reasoning("hm"), .token("Hello"), .usage(usage)])
        #expect(outcome.summary.finishReason == .toolCalls)
        #expect(outcome.summary.toolCalls.map(\.name) == ["f"])
        #expect(outcome.isDone)
    }

    @Test func tokensBeforeAnErrorStay() {
        let outcome = StreamHarness.run(
            #"{"choices":[{"index":0,"delta":{"content":"a"}}]}"#, #"{"error":{"message":"x","type":"server_error"}}"#)
        #expect(outcome.text == "a")
        #expect(outcome.error?.message == "x")
        #expect(!outcome.hasCleanEnd)
    }
}
