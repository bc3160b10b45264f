// Every recorded Messages stream, whole and in pieces, against what is expected of it.

import Dialects
import Foundation
import Testing
import Wire

@Suite struct AnthropicCorpusTests {
    static let recordings = Corpus.recordings { $0 == "anthropic" }

    @Test(arguments: recordings) func recording(_ recording: Recording) {
        let reader = JSONReader()
        for sizes in [[recording.body.count], [1], [7], StreamHarness.sizes(seed: 1), StreamHarness.sizes(seed: 2)] {
            let outcome = StreamHarness.run(
                sse: recording.body, sizes: sizes, dialect: AnthropicDialect(), reader: reader)
            let place = Comment(rawValue: "\(recording.name), pieces of \(sizes.prefix(3))")
            compare(outcome, recording.expected, place)
            // The provider wants its own blocks back, each byte of them.
            let blocks = WrittenBlocks(recording.body)
            #expect(outcome.message["native"]?["content"]?.array ?? [] == blocks.values, place)
            #expect(outcome.message["native"]?["container"] == blocks.container, place)
            #expect(outcome.message["content"]?.string ?? "" == outcome.text, place)
        }
    }

    private func compare(_ outcome: StreamOutcome, _ expected: JSONValue, _ place: Comment) {
        #expect(outcome.text == expected["text"]?.string, place)
        #expect(outcome.reasoning == expected["reasoning"]?.string, place)
        #expect(outcome.tokens.count == expected["n_text_deltas"]?.int.map { Int($0) }, place)
        #expect(outcome.summary.finishReasonRaw == expected["finish_reason"]?.string, place)
        #expect(outcome.summary.model == expected["model"]?.string, place)
        #expect(outcome.summary.id == expected["id"]?.string, place)
        let calls = outcome.summary.toolCalls.map { Call($0.id, $0.name, $0.arguments ?? .string($0.argumentsJSON)) }
        #expect(calls == (expected["tool_calls"]?.array ?? []).map(Call.init(expected:)), place)
        let usage = outcome.summary.usage ?? Usage()
        #expect(usage.inputTokens == expected["usage"]?["input"]?.int.map { Int($0) }, place)
        #expect(usage.outputTokens == expected["usage"]?["output"]?.int.map { Int($0) }, place)
        #expect(usage.reasoningTokens == expected["usage"]?["reasoning"]?.int.map { Int($0) }, place)
        // A count of none is left out there.
        #expect(Int64(usage.cachedTokens ?? 0) == expected["usage"]?["cache_read_input_tokens"]?.int ?? 0, place)
        #expect(outcome.error == nil, place)
        #expect(expected["stream_error_expected"] == false, place)
        #expect(outcome.hasCleanEnd && outcome.isDone, place)
        #expect(outcome.summary.finishReason != nil, place)
    }

    /// A tool call; arguments compare as JSON where they are JSON.
    private struct Call: Equatable {
        var id: String
        var name: String
        var arguments: JSONValue

        init(_ id: String, _ name: String, _ arguments: JSONValue) {
            (self.id, self.name, self.arguments) = (id, name, arguments)
        }

        /// The wire's text counts: where a call was cut, the recording's own reader made a whole one of it.
        init(expected call: JSONValue) {
            let text = call["arguments_wire"]?.string ?? call["arguments_json"]?.string ?? ""
            let value: JSONValue? = text.isEmpty ? [:] : try? JSONReader.value(text)
            self.init(call["id"]?.string ?? "", call["name"]?.string ?? "", value ?? .string(text))
        }
    }

    @Test(arguments: recordings.filter { $0.body.count < 2500 }) func cutAnywhereItIsNoSuccess(
        _ recording: Recording
    ) throws {
        let reader = JSONReader()
        let text = String(decoding: recording.body, as: UTF8.self)
        let stop = try #require(text.range(of: "\"message_stop\"", options: .backwards)?.upperBound)
        let brace = try #require(text[stop...].firstIndex(of: "}"))
        let enough = text.utf8.distance(from: text.startIndex, to: brace) + 1
        for count in 0..<recording.body.count {
            let outcome = StreamHarness.run(
                sse: Array(recording.body.prefix(count)), dialect: AnthropicDialect(), reader: reader)
            #expect(outcome.hasCleanEnd == (count >= enough), "\(count) bytes")
            #expect(outcome.error == nil, "\(count) bytes")
        }
    }
}

/// The blocks of a recorded stream, put together another way: event by event from parsed values.
private struct WrittenBlocks {
    private var blocks: [JSONObject] = []
    private var places: [Int64: Int] = [:]
    private var json: [Int: String] = [:]
    var container: JSONValue?

    /// Empty texts are left out: the provider refuses them.
    var values: [JSONValue] {
        blocks.indices.map { index in
            var block = blocks[index]
            guard let text = json[index], !text.isEmpty else { return .object(block) }
            block["input"] = (try? JSONReader.value(text)) ?? ["INVALID_JSON": .string(text)]
            return .object(block)
        }.filter { $0["type"] != "text" || $0["text"] != "" }
    }

    init(_ body: [UInt8]) {
        for line in String(decoding: body, as: UTF8.self).split(separator: "\n") where line.hasPrefix("data:") {
            guard let event = try? JSONReader.value(String(line.dropFirst(5))) else { continue }
            container =
                [event["message"], event["delta"]].compactMap { $0?["container"]?.object }.first
                .map { .object($0) } ?? container
            blocks += (event["message"]?["content"]?.array ?? []).compactMap(\.object)
            if let block = event["content_block"]?.object, let index = event["index"]?.int {
                places[index] = blocks.count
                blocks.append(block)
            } else if let delta = event["delta"]?.object, let place = event["index"]?.int.flatMap({ places[$0] }) {
                add(delta, to: place)
            }
        }
    }

    private mutating func add(_ delta: JSONObject, to place: Int) {
        if let piece = delta["partial_json"]?.string { return json[place, default: ""] += piece }
        if let citation = delta["citation"] {
            return blocks[place]["citations"] = .array((blocks[place]["citations"]?.array ?? []) + [citation])
        }
        for member in delta where member.key != "type" {
            let earlier = blocks[place][member.key]?.string ?? ""
            blocks[place][member.key] = .string(earlier + (member.value.string ?? ""))
        }
    }
}
