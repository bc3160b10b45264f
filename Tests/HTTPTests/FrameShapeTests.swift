// Fast-forwarding: where the parsers offer it, and the shape of frames that they offer.

import Base
import HTTP
import Testing

@Suite struct FrameShapeTests {
    /// What a parser offers behind each frame: the shape, and the rest of the chunk.
    private struct Offer: Equatable, CustomStringConvertible {
        var name = ""
        var before = ""
        var after: String
        var rest: String

        var description: String {
            "\(name) \(before.debugDescription)-\(after.debugDescription) \(rest.debugDescription)"
        }

        init(name: String = "", before: String = "", after: String, rest: String) {
            (self.name, self.before, self.after, self.rest) = (name, before, after, rest)
        }

        init(_ chunk: Span<UInt8>, _ start: Int, _ shape: FrameShape) {
            self.init(
                name: shape.name, before: String(decoding: shape.before, as: UTF8.self),
                after: String(decoding: shape.after, as: UTF8.self),
                rest: String(decoding: chunk.extracting(start..<chunk.count)))
        }
    }

    private func offers(_ chunks: String...) throws -> [Offer] {
        var parser = SSEParser()
        var offers: [Offer] = []
        for chunk in chunks {
            try parser.feed(Array(chunk.utf8).span) { (_, _) throws(Never) in
            } fastForward: { bytes, start, shape in
                offers.append(Offer(bytes, start, shape))
                return start
            }
        }
        return offers
    }

    @Test func behindAnEventInOneChunk() throws {
        #expect(
            try offers("data: a\n\ndata:b\n\n", "event: x\ndata: c\n\n: d\n\n") == [
                Offer(before: "data: ", after: "\n\n", rest: "data:b\n\n"),
                Offer(name: "x", before: "event: x\ndata: ", after: "\n\n", rest: ": d\n\n"),
            ])
    }

    @Test func noneIsOfferedToAConsumerThatCannotUseIt() throws {
        var parser = SSEParser()
        var asked = 0
        try parser.feed(Array("data: a\n\ndata: b\n\ndata: c\n\n".utf8).span) { (_, _) throws(Never) in
        } canFastForward: {
            asked += 1
            return false
        } fastForward: { _, start, _ in
            Issue.record("the consumer cannot use it")
            return start
        }
        #expect(asked == 2)
    }

    /// An event that begins in one chunk and ends in the next has no shape of its own; the last one of its name counts.
    @Test(
        arguments: [
            (["data: a\n\ndata: b", "c\n\ndata: d\n\n"], 2), (["data: a\n\ndata: b\n", "\ndata: d\n\n"], 2),
            (["data: a\n\nda", "ta: b\n\ndata: d\n\n"], 2), (["data: b", "c\n\ndata: d\n\n"], 0),
            (["data: a\n\nevent: x\ndata: b", "c\n\ndata: d\n\n"], 1),
            (["data: a\n\nid: 1\ndata: b", "c\n\ndata: d\n\n"], 1),
            (["data: a\n\nretry: 9\ndata: b", "c\n\ndata: d\n\n"], 1),
            (["id: 1\ndata: a\n\nid: 2\ndata: b", "c\n\nid: 1\ndata: d\n\n"], 1),
            (["data: a\n\ndata: b", "c\r\n\r\ndata: d\n\n"], 1), (["data: a\n\ndata: b", "c\n\ndata: d\r\n\r\n"], 1),
            (["data: a\n\ndata: b", "c\n\n"], 1),
        ]) func behindAnEventOfTwoChunks(chunks: [String], count: Int) throws
    {
        let offers = try offers(chunks[0], chunks[1])
        #expect(offers.count == count)
        guard count == 2 else { return }
        #expect(offers[1] == Offer(before: "data: ", after: "\n\n", rest: "data: d\n\n"))
    }

    /// What was read is not read again, in either case.
    @Test func framesThatWereReadAreLeftOut() throws {
        var parser = SSEParser()
        var events: [String] = []
        for chunk in ["data: a\n\ndata: 1\n\ndata: b", "c\n\ndata: 2\n\ndata: d\n\n"] {
            try parser.feed(Array(chunk.utf8).span) { (_, payload) throws(Never) in
                events.append(String(decoding: payload))
            } fastForward: { _, start, _ in
                start + "data: 1\n\n".utf8.count
            }
        }
        #expect(events == ["a", "bc", "d"])
    }

    @Test func behindLines() throws {
        var parser = NDJSONParser()
        var offers: [Offer] = []
        for chunk in ["{}\n[]\r\n1\n", "2", "3\n4\n"] {
            try parser.feed(Array(chunk.utf8).span) { _ throws(Never) in
            } fastForward: { bytes, start, shape in
                offers.append(Offer(bytes, start, shape))
                return start
            }
        }
        #expect(
            offers == [
                Offer(after: "\n", rest: "[]\r\n1\n"), Offer(after: "\r\n", rest: "1\n"),
                Offer(after: "\n", rest: "4\n"),
            ])
    }
}
