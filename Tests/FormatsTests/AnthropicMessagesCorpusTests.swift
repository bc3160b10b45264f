// What CorpusTests do not look at in recorded Messages streams: the blocks that go back, the counts of cached tokens.

import Chat
import Formats
import JSON
import Testing

@Suite struct AnthropicCorpusTests {
    static let recordings = Corpus.recordings { $0 == "anthropic" }

    /// The provider wants its own blocks back, each byte of them.
    @Test(arguments: recordings) func blocks(_ recording: Recording) {
        let outcome = StreamHarness.run(sse: recording.body, size: 64, dialect: WireFormat.anthropicMessages)
        let blocks = WrittenBlocks(recording.body)
        #expect(outcome.message["native"]?["content"]?.array ?? [] == blocks.values)
        #expect(outcome.message["native"]?["container"] == blocks.container)
        #expect(outcome.message["content"]?.string ?? "" == outcome.text)
        #expect(outcome.isDone)
    }

    @Test(arguments: recordings) func cachedTokens(_ recording: Recording) {
        let outcome = StreamHarness.run(sse: recording.body, dialect: WireFormat.anthropicMessages)
        let expected = recording.expected["usage"]?["cache_read_input_tokens"]?.int ?? 0
        #expect(Int64(outcome.summary.usage?.cachedTokens ?? 0) == expected)
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
