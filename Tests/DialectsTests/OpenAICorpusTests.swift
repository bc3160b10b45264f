// Every recorded Chat Completions stream, whole and in pieces, against what is expected of it.

import Dialects
import Testing
import Wire

@Suite struct OpenAICorpusTests {
    static let recordings = Corpus.recordings { folder in
        ["openai-chat", "deepseek-chat", "hf-chat", "openai-completions"].contains(folder)
            || folder.hasPrefix("compat-")
    }

    @Test(arguments: recordings) func recording(_ recording: Recording) {
        let reader = JSONReader()
        for size in [nil, 1, 7] {
            let outcome = StreamHarness.run(sse: recording.body, size: size, reader: reader)
            let place = Comment(rawValue: "\(recording.name), pieces of \(size.map(String.init) ?? "all")")
            compare(outcome, recording.expected, place)
        }
    }

    private func compare(_ outcome: StreamOutcome, _ expected: JSONValue, _ place: Comment) {
        #expect(outcome.text == expected["text"]?.string, place)
        #expect(outcome.reasoning == expected["reasoning"]?.string, place)
        #expect(outcome.tokens.count == expected["n_text_deltas"]?.int.map { Int($0) }, place)
        #expect(outcome.summary.finishReasonRaw == expected["finish_reason"]?.string, place)
        #expect((outcome.summary.model ?? "") == expected["model"]?.string ?? "", place)
        #expect((outcome.summary.id ?? "") == expected["id"]?.string ?? "", place)
        #expect(calls(outcome.summary.toolCalls) == calls(expected["tool_calls"]), place)
        #expect((outcome.summary.refusal ?? "") == expected["refusal"]?.string ?? "", place)
        compareUsage(outcome.summary.usage, expected["usage"] ?? .null, place)
        if expected["stream_error_expected"] == true {
            #expect(outcome.error?.message == expected["error"]?["message"]?.string, place)
            #expect(outcome.error.map { $0.kind == .invalidRequest } == true, place)
            #expect(!outcome.hasCleanEnd, place)
        } else {
            #expect(outcome.error == nil, place)
            #expect(outcome.hasCleanEnd, place)
            #expect(outcome.summary.finishReason != nil, place)
            #expect(outcome.isDone == (expected["terminator_seen"]?.bool ?? false), place)
        }
    }

    private func compareUsage(_ usage: Usage?, _ expected: JSONValue, _ place: Comment) {
        #expect((usage == nil) == expected.isNull, place)
        guard let usage, !expected.isNull else { return }
        #expect(usage.inputTokens == expected["input"]?.int.map { Int($0) }, place)
        #expect(usage.outputTokens == expected["output"]?.int.map { Int($0) }, place)
        #expect(usage.reasoningTokens == expected["reasoning"]?.int.map { Int($0) }, place)
    }

    /// Arguments compare as JSON where they are JSON; nothing and `null` mean `{}`.
    private func calls(_ calls: [ToolCall]) -> [JSONValue] {
        calls.map {
            ["id": .string($0.id), "name": .string($0.name), "arguments": $0.arguments ?? .string($0.argumentsJSON)]
        }
    }

    private func calls(_ expected: JSONValue?) -> [JSONValue] {
        (expected?.array ?? []).map { call in
            let text = call["arguments_json"]?.string ?? ""
            let value: JSONValue? = text.isEmpty || text == "null" ? [:] : try? JSONReader.value(text)
            return [
                "id": call["id"] ?? "", "name": call["name"] ?? "", "arguments": value ?? .string(text),
            ]
        }
    }
}
