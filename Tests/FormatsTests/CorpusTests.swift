// Every recorded stream of every dialect, whole and in pieces, against what is expected of it; and one of each dialect
// cut at every byte.

import Chat
import JSON
import Support
import Testing

@testable import Formats

@Suite struct CorpusTests {
    /// Which dialect reads which folder.
    static func dialect(of folder: String) -> WireFormat? {
        switch folder {
        case "openai-chat", "deepseek-chat", "hf-chat", "openai-completions": WireFormat.openAIChat
        case let name where name.hasPrefix("compat-"): WireFormat.openAIChat
        case "gemini-sse", "gemini-json-array": WireFormat.gemini
        case "openai-responses": WireFormat.openAIResponses
        case "anthropic": WireFormat.anthropicMessages
        case "hf-tgi": WireFormat.tgi
        case "ollama-ndjson": WireFormat.ollama
        case "cohere": WireFormat.cohere
        default: nil
        }
    }

    private static func dialect(of recording: Recording) throws -> WireFormat {
        try #require(dialect(of: String(recording.name.prefix { $0 != "/" })))
    }

    /// Where the expectation repeats a defect of the SDK that it was taken from, and the wire says more: this SDK takes
    /// each piece of a streamed call for a call of its own and drops the arguments.
    private static let corrections: [String: [JSONValue]] = [
        "gemini-sse/030-google-gemini-3.1-pro-preview-google-stream-tool-call-arguments": [
            ["id": "", "name": "getWeather", "arguments": ["location": "Boston"]],
            ["id": "", "name": "getWeather", "arguments": ["location": "San Francisco"]],
        ]
    ]

    static let recordings = Corpus.recordings { dialect(of: $0) != nil }

    @Test(arguments: recordings) func recording(_ recording: Recording) throws {
        let reader = JSONReader()
        let dialect = try Self.dialect(of: recording)
        var random = SeededGenerator(seed: UInt64(recording.body.count))
        let cuts: [(String, () -> Int)] = [
            ("all", { recording.body.count }), ("1", { 1 }), ("7", { 7 }),
            ("random size", { Int.random(in: 1...200, using: &random) }),
        ]
        for (name, size) in cuts {
            let outcome = StreamHarness.run(body: recording.body, sizes: size, dialect: dialect, reader: reader)
            let place = Comment(rawValue: "\(recording.name), pieces of \(name)")
            compare(outcome, recording.expected, recording.name, dialect.name, place)
        }
    }

    /// Frames of every recorded stream that are skipped give what decoding each of them gives.
    @Test(.fixedCallIDs, arguments: recordings) func templatesChangeNothing(_ recording: Recording) throws {
        let dialect = try Self.dialect(of: recording)
        let frames = try FrameFieldsTests.frames(of: recording.body, dialect).map { frame in
            (frame.kind, frame.name, String(decoding: frame.payload, as: UTF8.self))
        }
        let expected = StreamHarness.parse(frames: frames, dialect: dialect)
        let outcome = StreamHarness.run(frames: frames, dialect: dialect)
        #expect(outcome.events == expected.events)
        #expect(outcome.summary == expected.summary)
        #expect(outcome.message == expected.message)
        for size in [recording.body.count, 700] {
            let outcome = StreamHarness.run(
                body: recording.body, sizes: { size }, dialect: dialect, reader: JSONReader(), takesPending: false)
            #expect(outcome.pieces == expected.pieces)
            #expect(outcome.summary == expected.summary)
            #expect(outcome.message == expected.message)
        }
    }

    /// No cut of a stream passes for its end, and what came of it is how the whole began.
    @Test(arguments: FormatCatalog.names) func cutAtEveryByte(name: String) throws {
        let dialect = try #require(FormatCatalog.named(name))
        let candidates = Self.recordings.filter { recording in
            (try? Self.dialect(of: recording).name) == name && recording.expected["stream_error_expected"] != true
                && recording.body.count < 9_000
        }
        guard let recording = candidates.max(by: { $0.body.count < $1.body.count }) else { return }
        let reader = JSONReader()
        let whole = StreamHarness.run(body: recording.body, sizes: { 4096 }, dialect: dialect, reader: reader)
        var firstEnd: Int?
        for cut in 0..<recording.body.count {
            let body = Array(recording.body[..<cut])
            let outcome = StreamHarness.run(
                body: body, sizes: { 4096 }, dialect: dialect, reader: reader, takesPending: false)
            #expect(outcome.error == nil, "\(recording.name), cut at \(cut)")
            #expect(whole.text.hasPrefix(outcome.text), "\(recording.name), cut at \(cut)")
            #expect(whole.reasoning.hasPrefix(outcome.reasoning), "\(recording.name), cut at \(cut)")
            if outcome.hasCleanEnd {
                firstEnd = firstEnd ?? cut
                // Past the clean end nothing of the reply may be missing.
                #expect(outcome.text == whole.text, "\(recording.name), cut at \(cut)")
                #expect(outcome.summary.toolCalls == whole.summary.toolCalls, "\(recording.name), cut at \(cut)")
            } else {
                #expect(firstEnd == nil, "\(recording.name), cut at \(cut): the end was seen before")
            }
        }
        #expect(whole.hasCleanEnd)
    }

    private func compare(
        _ outcome: StreamOutcome, _ expected: JSONValue, _ name: String, _ dialect: String, _ place: Comment
    ) {
        #expect(outcome.text == expected["text"]?.string, place)
        #expect(outcome.reasoning == expected["reasoning"]?.string, place)
        #expect(outcome.tokens.count == expected["n_text_deltas"]?.int.map { Int($0) }, place)
        let reason = expected["finish_reason"]
        #expect(outcome.summary.finishReasonRaw == reason?.string ?? reason?.int.map { String($0) }, place)
        #expect((outcome.summary.model ?? "") == expected["model"]?.string ?? "", place)
        #expect((outcome.summary.id ?? "") == expected["id"]?.string ?? "", place)
        if let known = Self.corrections[name] {
            #expect(calls(outcome.summary.toolCalls) == known, place)
        } else {
            #expect(calls(outcome.summary.toolCalls) == calls(expected["tool_calls"]), place)
        }
        // The explanation of a refusal stands in Messages' stop_details, of which the recordings keep nothing.
        if dialect != "anthropic" {
            #expect((outcome.summary.refusal ?? "") == expected["refusal"]?.string ?? "", place)
        }
        compareUsage(outcome.summary.usage, expected["usage"] ?? .null, place)
        if expected["stream_error_expected"] == true {
            #expect(outcome.error?.message == expected["error"]?["message"]?.string, place)
            #expect(outcome.error.map { $0.kind == .invalidRequest } == true, place)
            #expect(!outcome.hasCleanEnd, place)
        } else {
            #expect(outcome.error == nil, place)
            #expect(outcome.hasCleanEnd, place)
            #expect(outcome.summary.finishReason != nil, place)
            // In Chat Completions the mark and the finish reason are two things; elsewhere the one is the other.
            if dialect == "openai" { #expect(outcome.isDone == (expected["terminator_seen"]?.bool ?? false), place) }
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
            [
                "id": .string(LocalCallIDs.isLocal($0.id) ? "" : $0.id), "name": .string($0.name),
                "arguments": $0.arguments ?? .string($0.argumentsJSON),
            ]
        }
    }

    private func calls(_ expected: JSONValue?) -> [JSONValue] {
        (expected?.array ?? []).map { call in
            // Where the two differ, the SDK made a whole document of one that was cut.
            let text = call["arguments_wire"]?.string ?? call["arguments_json"]?.string ?? ""
            let value: JSONValue? = text.isEmpty || text == "null" ? [:] : try? JSONReader.value(text)
            return [
                "id": .string(call["id"]?.string ?? ""), "name": call["name"] ?? "",
                "arguments": value ?? .string(text),
            ]
        }
    }
}
