// Failures inside a Responses stream, and bodies that are not streams.

import Chat
import Formats
import JSON
import Testing

@Suite struct ResponsesFailureTests {
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

    private static func failed(_ code: String) -> String {
        #"{"type":"response.failed","response":{"id":"r","status":"failed","error":{"code":"\#(code)","message":"M"}}}"#
    }

    private static let cases: [Case] = [
        Case(payload: failed("server_error"), expected: .provider, message: "M", code: "server_error", retryable: true),
        Case(
            payload: failed("rate_limit_exceeded"), expected: .rateLimit, message: "M", code: "rate_limit_exceeded",
            retryable: true),
        Case(payload: failed("insufficient_quota"), expected: .quota, message: "M", code: "insufficient_quota"),
        Case(payload: failed("invalid_prompt"), expected: .invalidRequest, message: "M", code: "invalid_prompt"),
        Case(payload: failed("image_too_large"), expected: .invalidRequest, message: "M", code: "image_too_large"),
        Case(
            payload: failed("vector_store_timeout"), expected: .provider, message: "M", code: "vector_store_timeout",
            retryable: true),
        Case(
            payload: #"{"type":"response.failed","response":{"status":"failed","error":null}}"#, expected: .provider,
            message: "the response failed, and the provider does not say why"),
        Case(
            payload: #"{"type":"response.completed","response":{"status":"failed","error":{"message":"M"}}}"#,
            expected: .provider, message: "M"),
        Case(
            payload: #"{"type":"response.cancelled","response":{}}"#, expected: .provider,
            message: "the response was cancelled at the provider", code: "cancelled"),
        Case(
            name: "error", payload: #"{"type":"error","code":"server_error","message":"M","param":null}"#,
            expected: .provider, message: "M", code: "server_error", retryable: true),
        Case(
            payload:
                #"{"type":"error","sequence_number":3,"error":{"type":"invalid_request_error","code":null,"message":"M"}}"#,
            expected: .invalidRequest, message: "M", code: "invalid_request_error"),
        Case(
            payload: #"{"type":"response.error","error":{"code":"rate_limit_exceeded","message":"M"}}"#,
            expected: .rateLimit, message: "M", code: "rate_limit_exceeded", retryable: true),
        Case(
            payload: #"{"error":{"message":"slow down","code":429}}"#, expected: .rateLimit, message: "slow down",
            code: "429", retryable: true),
        Case(payload: #"{"detail":"Not Found"}"#, expected: .provider, message: "Not Found"),
        Case(name: "error", payload: "plain words", expected: .provider, message: "plain words"),
        Case(
            kind: .stray, payload: #"error: {"code":500,"message":"M","type":"server_error"}"#, expected: .provider,
            message: "M", code: "server_error", retryable: true),
        Case(
            kind: .body, payload: #"{"error":{"message":"no model","code":"model_not_found"}}"#,
            expected: .invalidRequest, message: "no model", code: "model_not_found"),
        Case(
            kind: .body,
            payload:
                #"{"object":"response","status":"failed","error":{"code":"server_error","message":"M"},"output":[]}"#,
            expected: .provider, message: "M", code: "server_error", retryable: true),
        Case(
            kind: .body, payload: #"{"object":"response","status":"queued","output":[]}"#, expected: .protocol,
            message: #"the response is not finished (status "queued")"#),
        Case(
            kind: .body, payload: #"{"object":"chat.completion","choices":[]}"#, expected: .protocol,
            message:
                #"expected a stream of events, got JSON that is no response: {"object":"chat.completion","choices":[]}"#
        ),
        Case(kind: .body, payload: " ", expected: .protocol, message: "the response body is empty", retryable: true),
        Case(
            kind: .stray, payload: "<html>", expected: .protocol,
            message: "expected a stream of events, got an HTML page: <html>"),
    ]

    @Test(arguments: cases) private func failure(_ one: Case) throws {
        let outcome = StreamHarness.run(
            frames: [(one.kind, one.name, one.payload)], dialect: WireFormat.openAIResponses)
        let error = try #require(outcome.error)
        #expect(error.kind == one.expected)
        #expect(error.message == one.message)
        #expect(error.code == one.code)
        #expect(error.isRetryable == one.retryable)
        #expect(outcome.text.isEmpty)
        #expect(!outcome.hasCleanEnd)
    }

    @Test func failuresKeepWhatCame() {
        let outcome = ResponsesStream.run(
            #"{"type":"response.created","response":{"id":"r","model":"m"}}"#,
            #"{"type":"response.output_text.delta","output_index":0,"delta":"a"}"#,
            #"{"type":"response.failed","response":{"id":"r","error":{"code":"server_error","message":"M"},"usage":{"input_tokens":1,"output_tokens":2}}}"#
        )
        #expect(outcome.text == "a")
        #expect(outcome.summary.id == "r")
        #expect(outcome.summary.usage?.outputTokens == 2)
        #expect(outcome.error?.message == "M")
        #expect(outcome.message == ["role": "assistant", "content": "a"])
    }

    @Test func brokenJSON() {
        func run(_ name: String) -> StreamOutcome {
            StreamHarness.run(frames: [(.data, name, "{\"type\":")], dialect: WireFormat.openAIResponses)
        }
        #expect(run("").error?.kind == .protocol)
        #expect(run("response.output_text.delta").error?.kind == .protocol)
        #expect(run("response.completed").error?.kind == .protocol)
        #expect(run("keepalive").error == nil)
    }

    @Test func wholeResponseInsteadOfAStream() throws {
        let items = [ResponsesStream.reasoning, ResponsesStream.message, ResponsesStream.call].joined(separator: ",")
        let body =
            #"{"id":"r1","object":"response","model":"m1","status":"completed","error":null,"output":[\#(items)],"usage":{"input_tokens":1,"output_tokens":2}}"#
        let outcome = StreamHarness.run(frames: [(.body, "", body)], dialect: WireFormat.openAIResponses)
        #expect(outcome.error == nil)
        let shown = outcome.events.filter { if case .usage = $0 { false } else { true } }
        #expect(shown == [.start, .reasoning("Let me see.\n\nYes."), .token("Hello, 世界! Bye.")])
        #expect(outcome.summary.toolCalls.map(\.id) == ["c1"])
        #expect(outcome.summary.finishReason == .toolCalls)
        #expect(outcome.summary.usage?.outputTokens == 2)
        #expect(outcome.message["native"]?["output"]?.array?.count == 3)
        #expect(outcome.isDone)
    }

    @Test(
        arguments: [
            (#"{"input_tokens":1,"output_tokens":2,"total_tokens":3}"#, [1, 2, 3, nil, nil]),
            (
                #"{"prompt_tokens":1,"completion_tokens":2,"prompt_tokens_details":{"cached_tokens":5}}"#,
                [1, 2, nil, 5, nil]
            ),
            (
                #"{"input_tokens":1,"input_tokens_details":{"cached_tokens":4},"output_tokens_details":null}"#,
                [1, nil, nil, 4, nil]
            ),
            ("null", nil), ("{}", nil), (#"{"input_tokens":null}"#, nil),
        ] as [(String, [Int?]?)]) func usage(usage: String, counts: [Int?]?)
    {
        let outcome = ResponsesStream.run(#"{"type":"response.completed","response":{"usage":\#(usage)}}"#)
        let known = outcome.summary.usage.map {
            [$0.inputTokens, $0.outputTokens, $0.totalTokens, $0.cachedTokens, $0.reasoningTokens]
        }
        #expect(known == counts)
        #expect(outcome.hasCleanEnd)
    }
}
