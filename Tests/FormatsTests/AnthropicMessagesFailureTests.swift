// Failures inside a Messages stream, and bodies that are not streams.

import Chat
import Formats
import HTTP
import JSON
import Testing

@Suite struct AnthropicFailureTests {
    private struct Case: Sendable, CustomTestStringConvertible {
        var kind: FrameKind = .data
        var name = "error"
        var payload: String
        var expected: ErrorKind
        var message: String
        var code: String?
        var retryable = false
        var requestID: String?
        var testDescription: String { payload }
    }

    private static func typed(_ type: String, _ message: String) -> String {
        #"{"type":"error","error":{"type":"\#(type)","message":"\#(message)"}}"#
    }

    private static let cases: [Case] = [
        Case(
            payload: typed("overloaded_error", "Overloaded"), expected: .overloaded, message: "Overloaded",
            code: "overloaded_error", retryable: true),
        Case(
            payload: #"{"type":"error","error":{"type":"api_error","message":"no"},"request_id":"req_1"}"#,
            expected: .provider, message: "no", code: "api_error", retryable: true, requestID: "req_1"),
        Case(
            payload: typed("rate_limit_error", "slow"), expected: .rateLimit, message: "slow", code: "rate_limit_error",
            retryable: true),
        Case(
            payload: typed("invalid_request_error", "bad"), expected: .invalidRequest, message: "bad",
            code: "invalid_request_error"),
        Case(
            payload: typed("authentication_error", "invalid x-api-key"), expected: .auth,
            message: "invalid x-api-key", code: "authentication_error"),
        Case(payload: typed("billing_error", "pay"), expected: .quota, message: "pay", code: "billing_error"),
        // The event name or its type may be missing.
        Case(
            name: "", payload: typed("overloaded_error", "Overloaded"), expected: .overloaded, message: "Overloaded",
            code: "overloaded_error", retryable: true),
        Case(
            name: "", payload: #"{"error":{"code":502,"message":"upstream"}}"#, expected: .provider,
            message: "upstream", code: "502", retryable: true),
        Case(
            payload: #"{"message":"nope","type":"server_error"}"#, expected: .provider, message: "nope",
            code: "server_error", retryable: true),
        Case(payload: "plain words", expected: .provider, message: "plain words"),
        Case(
            kind: .stray, name: "", payload: #"error: {"code":500,"message":"CUDA","type":"server_error"}"#,
            expected: .provider, message: "CUDA", code: "server_error", retryable: true),
        Case(
            kind: .stray, name: "", payload: typed("not_found_error", "no model"), expected: .invalidRequest,
            message: "no model", code: "not_found_error"),
        Case(
            kind: .body, name: "", payload: typed("permission_error", "no"), expected: .permission, message: "no",
            code: "permission_error"),
        Case(
            kind: .body, name: "", payload: "<html><head><title>Log in</title></head></html>", expected: .protocol,
            message:
                "expected a stream of events, got an HTML page (Log in): <html><head><title>Log in</title></head></html>"
        ),
        Case(
            kind: .body, name: "", payload: "", expected: .protocol, message: "the response body is empty",
            retryable: true),
        Case(
            kind: .body, name: "", payload: #"{"status":"ok"}"#, expected: .protocol,
            message: #"expected a stream of events, got JSON that is no message: {"status":"ok"}"#),
    ]

    @Test(arguments: cases) private func failure(_ one: Case) throws {
        let outcome = StreamHarness.run(
            frames: [(one.kind, one.name, one.payload)], dialect: WireFormat.anthropicMessages)
        let error = try #require(outcome.error)
        #expect(error.kind == one.expected)
        #expect(error.message == one.message)
        #expect(error.code == one.code)
        #expect(error.isRetryable == one.retryable)
        #expect(error.requestID == one.requestID)
        #expect(!outcome.hasCleanEnd)
    }

    @Test(arguments: [
        ("content_block_delta", true), ("message_stop", true), ("", true), ("message", true), ("ping", false),
        ("vertex_event", false),
    ]) func brokenJSON(name: String, isOurs: Bool) {
        let outcome = StreamHarness.run(frames: [(.data, name, #"{"type":"#)], dialect: WireFormat.anthropicMessages)
        #expect(outcome.error?.kind == (isOurs ? .protocol : nil))
        #expect(outcome.error?.message.hasPrefix("broken JSON in the stream") != false)
    }

    @Test func textBeforeAnErrorStays() {
        let outcome = runAnthropic([
            #"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"a"}}"#,
            Self.typed("overloaded_error", "Overloaded"),
        ])
        #expect(outcome.text == "a")
        #expect(outcome.error?.isRetryable == true)
        #expect(!outcome.hasCleanEnd)
    }

    @Test(arguments: [FrameKind.body, .stray, .data]) func wholeMessageInsteadOfAStream(kind: FrameKind) {
        let body = #"""
            {"id":"m","type":"message","role":"assistant","model":"c","content":[
            {"type":"thinking","thinking":"hm","signature":"S"},{"type":"text","text":"Hello"},
            {"type":"tool_use","id":"t","name":"f","input":{"a":1}}],"stop_reason":"tool_use",
            "usage":{"input_tokens":1,"output_tokens":2}}
            """#
        let outcome = StreamHarness.run(frames: [(kind, "", body)], dialect: WireFormat.anthropicMessages)
        var usage = Usage()
        (usage.inputTokens, usage.outputTokens) = (1, 2)
        #expect(outcome.events == [.start, .reasoning("hm"), .block(1), .token("Hello"), .usage(usage)])
        #expect(outcome.summary.finishReason == .toolCalls)
        #expect(outcome.summary.toolCalls.map(\.arguments) == [["a": 1]])
        #expect(outcome.message["native"]?["content"]?.array?.count == 3)
        #expect(outcome.hasCleanEnd && outcome.isDone)
    }

    @Test func recordedAnswersOfItsServers() {
        for recording in Corpus.recordings(where: { $0 == "errors" }) where recording.name.contains("-anthropic-") {
            let error = WireFormat.anthropicMessages.decodeError(
                head: HTTPResponseHead(status: recording.status, headers: recording.headers), body: recording.body,
                now: 0)
            #expect(error.message == recording.expected["error"]?["message"]?.string)
            #expect(error.code == recording.expected["error"]?["type"]?.string)
            #expect(error.kind == (recording.status == 401 ? .auth : .invalidRequest))
            #expect(!error.isRetryable)
        }
    }
}
