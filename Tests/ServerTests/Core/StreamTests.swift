// Streams by value: what is kept, who reads, who is slow, and what is forgotten.

import Chat
import HTTP
import NIOCore
import Testing

@testable import Server

@Suite struct EventRingTests {
    @Test func numbersBeginAtOne() {
        var ring = EventRing(limit: 1_000)
        #expect((ring.first, ring.next, ring.bytes) == (1, 1, 0))
        ring.append(event("a"))
        #expect((ring.first, ring.next) == (1, 2))
        #expect(ring[1] == event("a"))
    }

    /// The oldest are dropped, numbers stay, and the bytes are within the limit, for whatever sizes.
    @Test(arguments: [100, 640, 1_000, 10_000]) func theOldestAreDropped(limit: Int) {
        var ring = EventRing(limit: limit)
        for number in 1...1_000 {
            ring.append(event("\(number)", size: number % 37))
            #expect(ring.next == number + 1)
            #expect(ring.bytes <= limit || ring.first == number)
            #expect(ring.first <= number)
            for kept in ring.first..<ring.next {
                #expect(ring[kept] == event("\(kept)", size: kept % 37))
            }
            #expect(ring.bytes(from: ring.first) == ring.bytes)
            #expect(ring.bytes(from: 1) == ring.bytes)
            #expect(ring.bytes(from: ring.next) == 0)
        }
    }

    /// The last event is kept however large it is: it may be the end.
    @Test func theLastIsKept() {
        var ring = EventRing(limit: 100)
        ring.append(event("a"))
        ring.append(event("b", size: 5_000))
        #expect((ring.first, ring.next) == (2, 3))
        #expect(ring[2].data.count == 5_001)
    }

    @Test func aSmallerLimitDropsAtOnce() {
        var ring = EventRing(limit: 10_000)
        for number in 1...20 { ring.append(event("\(number)")) }
        #expect(ring.first == 1)
        ring.limit = 200
        ring.trim()
        #expect(ring.first > 1)
        #expect(ring.bytes <= 200)
    }
}

@Suite struct LiveStreamTests {
    @Test func eventsAreSentAsTheyCome() {
        let stream = open()
        let client = Reader(stream)
        _ = stream.append([event("1"), event("2")], now: 0)
        #expect(client.writer.text == "id: s-1\ndata: 1\n\nid: s-2\ndata: 2\n\n")
        _ = stream.append([end("3")], now: 5)
        #expect(client.writer.frames.map(\.data) == ["1", "2", "3"])
        #expect(client.writer.frames.last?.event == "finish")
        #expect(client.writer.isEnded)
        #expect(stream.isOver && stream.endTime == 5 && !stream.hasReaders)
    }

    @Test func nothingFollowsTheEnd() {
        let stream = open()
        let client = Reader(stream)
        _ = stream.append([event("1"), end("2"), event("3")], now: 1)
        _ = stream.append([event("4")], now: 2)
        #expect(client.writer.frames.map(\.data) == ["1", "2"])
        #expect(stream.next == 3 && stream.endTime == 1)
    }

    /// From every number, while it runs and after its end: what follows, once, in order.
    @Test(arguments: 1...12) func lateReadersGetTheRest(joins: Int) {
        let stream = open()
        var clients: [(from: Int, reader: Reader)] = []
        for number in 1...12 {
            if number == joins { clients = (1...number).map { ($0, Reader(stream, from: $0)) } }
            _ = stream.append([number < 12 ? event("\(number)") : end("12")], now: 0)
        }
        clients += (1...12).map { ($0, Reader(stream, from: $0)) }
        for (from, client) in clients {
            #expect(client.writer.frames.map(\.number) == Array(from...12), "from \(from)")
            #expect(client.writer.frames.map(\.data) == (from...12).map(String.init))
            #expect(client.writer.isEnded)
        }
    }

    // MARK: Slow readers

    /// A reader that never reads slows nobody: the other gets each event at once, and the handler is not stopped.
    @Test func aSlowReaderSlowsNobody() {
        let stream = open(limit: 100_000)
        let slow = Reader(stream, window: 1_000)
        let fast = Reader(stream)
        for number in 1...5_000 {
            let flow = stream.append([event("\(number)", size: 50)], now: 0)
            #expect(flow == .unchanged)
            if number % 500 == 0 { #expect(fast.writer.frames.count == number) }
        }
        #expect(fast.writer.frames.map(\.number) == Array(1...5_000))
        #expect(slow.writer.body.count < 2_000)
        #expect(stream.bytes <= 100_000)
    }

    /// A reader that falls behind what is kept is told so, once, and is done.
    @Test func aReaderThatFallsBehindIsToldLost() {
        let stream = open(limit: 2_000)
        let slow = Reader(stream, window: 100)
        let fast = Reader(stream)
        for number in 1...200 { _ = stream.append([event("\(number)")], now: 0) }
        #expect(!slow.writer.isEnded)
        let had = slow.writer.frames.count
        slow.writer.read()
        stream.pump(now: 1)
        #expect(slow.writer.isEnded)
        #expect(slow.writer.frames.count == had + 1)
        #expect(slow.writer.frames.last?.event == "lost")
        #expect(slow.writer.frames.last?.id == "lost-1")
        #expect(slow.writer.frames.dropLast().map(\.number) == Array(1...had))
        #expect(stream.readers.count == 1)
        _ = stream.append([end("end")], now: 2)
        #expect(fast.writer.frames.count == 201 && fast.writer.isEnded)
        #expect(slow.writer.frames.count == had + 1)
    }

    /// Slower than the stream, but within what is kept: it gets everything, in pieces of bounded size.
    @Test func aReaderThatCatchesUpGetsAll() {
        let stream = open(limit: 1 << 20)
        let slow = Reader(stream, window: 100)
        for number in 1...3_000 { _ = stream.append([event("\(number)", size: 40)], now: 0) }
        _ = stream.append([end("end")], now: 0)
        #expect(stream.hasReaders)
        var reads = 0
        while !slow.writer.isEnded, reads < 10_000 {
            slow.writer.read()
            stream.pump(now: 1)
            reads += 1
        }
        #expect(slow.writer.frames.map(\.number) == Array(1...3_001))
        #expect((slow.writer.pieces.max() ?? 0) < 40_000)
        #expect(!stream.hasReaders)
    }

    // MARK: Back-pressure

    /// The handler is stopped when the fastest reader is 64 KB behind, and goes on at the half of it.
    @Test func theFastestReaderSetsThePace() {
        let stream = open(limit: 1 << 20)
        let client = Reader(stream, window: 1)
        var flows: [LiveStream.Flow] = []
        var appended = 0
        while flows.last != .congested, appended < 1_000 {
            flows.append(stream.append([event("x", size: 1_000)], now: 0))
            appended += 1
        }
        #expect((60...70).contains(appended))
        // It is told once.
        #expect(stream.append([event("x")], now: 0) == .unchanged)
        var drained = 0
        client.writer.window = 20_000
        for _ in 0..<50 {
            client.writer.read()
            stream.pump(now: 1)
            if stream.flow() == .drained { drained += 1 }
        }
        #expect(drained == 1)
        #expect(client.writer.frames.count == appended + 1)
    }

    /// A second reader that reads well frees a handler that the first one has stopped.
    @Test func aFastReaderFreesTheHandler() {
        let stream = open(limit: 1 << 20)
        _ = Reader(stream, window: 1)
        var flow = LiveStream.Flow.unchanged
        while flow != .congested { flow = stream.append([event("x", size: 1_000)], now: 0) }
        _ = Reader(stream)
        #expect(stream.flow() == .drained)
    }

    /// Without readers a stream that may be resumed goes on to the half of what is kept, so that nothing is lost.
    @Test func withoutReadersItStopsBeforeAnythingIsLost() {
        let stream = open(limit: 100_000)
        let client = Reader(stream)
        for _ in 0..<20 { _ = stream.append([event("x", size: 1_000)], now: 0) }
        #expect(stream.remove(client.reader))
        var flow = LiveStream.Flow.unchanged
        var count = 0
        while flow != .congested, count < 1_000 {
            flow = stream.append([event("x", size: 1_000)], now: 0)
            count += 1
        }
        #expect((40...52).contains(count))
        let again = Reader(stream, from: 21)
        #expect(again.writer.frames.map(\.number) == Array(21...20 + count))
        #expect(stream.flow() == .drained)
    }

    // MARK: Leaving

    @Test func theLastReaderThatLeavesIsNoticed() {
        let stream = open()
        let (one, two) = (Reader(stream), Reader(stream))
        #expect(!stream.remove(one.reader))
        #expect(stream.remove(two.reader))
        #expect(!stream.remove(two.reader))
        #expect(stream.departures == 1)
        let three = Reader(stream)
        _ = stream.append([end("e")], now: 0)
        // It is over: nobody leaves it.
        #expect(!stream.remove(three.reader))
        #expect(stream.departures == 1)
    }

    @Test func heartbeatsFillSilence() {
        let stream = open()
        let client = Reader(stream)
        let blocked = Reader(stream, window: 0)
        _ = stream.append([event("1")], now: 10)
        stream.sendHeartbeats(after: 15, now: 24)
        #expect(!client.writer.text.hasSuffix(": \n\n"))
        stream.sendHeartbeats(after: 15, now: 25)
        #expect(client.writer.text.hasSuffix("\n\n: \n\n"))
        let size = client.writer.body.count
        stream.sendHeartbeats(after: 15, now: 39)
        #expect(client.writer.body.count == size)
        #expect(blocked.writer.body.isEmpty)
        #expect(client.writer.frames.count == 1)
    }
}

@Suite struct StreamTableTests {
    @Test func endedStreamsAreKeptForTheirTime() {
        var spec = StreamSpec()
        spec.keptSeconds = 300
        var table = StreamTable(spec)
        let (one, two) = (add("one", to: &table), add("two", to: &table))
        _ = one.append([end("e")], now: 100)
        #expect(table.running == 1)
        table.tick(now: 399)
        #expect(table["one"] != nil)
        table.tick(now: 400)
        #expect(table["one"] == nil)
        // A stream that runs is never forgotten.
        table.tick(now: 1_000_000)
        #expect(table["two"] === two && !table.isEmpty)
    }

    /// An ended stream that somebody reads is kept.
    @Test func aReadStreamIsKept() {
        var table = StreamTable(StreamSpec())
        let stream = add("s", to: &table)
        let slow = Reader(stream, window: 0)
        _ = stream.append([event("1"), end("e")], now: 0)
        table.tick(now: 10_000)
        #expect(table["s"] != nil)
        slow.writer.window = nil
        stream.pump(now: 10_000)
        table.tick(now: 10_001)
        #expect(table.isEmpty)
    }

    /// Too many bytes: the streams that ended first go first, those that run stay.
    @Test func bytesAreBounded() {
        var spec = StreamSpec()
        spec.totalBytes = 50_000
        var table = StreamTable(spec)
        let running = add("running", to: &table)
        _ = running.append((0..<20).map { _ in event("x", size: 1_000) }, now: 0)
        for number in 1...5 {
            let stream = add("s\(number)", to: &table)
            _ = stream.append((0..<9).map { _ in event("x", size: 1_000) } + [end("e")], now: Double(number))
        }
        table.tick(now: 10)
        #expect(table["running"] != nil)
        #expect(table["s1"] == nil && table["s2"] == nil)
        #expect(table["s3"] != nil && table["s4"] != nil && table["s5"] != nil)
        #expect(["running", "s3", "s4", "s5"].reduce(0) { $0 + (table[$1]?.bytes ?? 0) } <= 50_000)
    }

    /// Many streams share the bytes; each may keep 16 KB all the same.
    @Test func streamsShareTheBytes() {
        var spec = StreamSpec()
        (spec.totalBytes, spec.keptBytes) = (1 << 20, 1 << 20)
        var table = StreamTable(spec)
        let streams = (1...64).map { add("s\($0)", to: &table) }
        // What no reader has had is kept beyond the limit.
        let readers = streams.map { Reader($0) }
        for stream in streams { _ = stream.append((0..<2_000).map { _ in event("x", size: 1_000) }, now: 0) }
        #expect(streams[0].bytes <= (1 << 20) + 2_000 && streams[0].bytes > 900_000)
        #expect(streams[63].bytes <= (16 << 10) + 2_000 && streams[63].bytes > 14_000)
        // Those that were alone at first give their share back.
        table.tick(now: 0)
        #expect(streams[0].bytes <= 16 << 10)
        #expect(readers.count == 64)
    }

    private func add(_ id: String, to table: inout StreamTable) -> LiveStream {
        table.open(id: id, exchange: ExchangeID(1), linger: 0)
    }
}

/// A reader of a stream and its client.
private struct Reader {
    let writer: RecordingWriter
    let reader: StreamReader

    init(_ stream: LiveStream, from number: Int = 1, window: Int? = nil) {
        writer = RecordingWriter(window: window)
        writer.begin(status: 200, headers: [:])
        reader = StreamReader(.events(writer, SSEWriter(stream: stream.id)), from: number, now: 0)
        stream.add(reader, now: 0)
    }
}

private func open(limit: Int = 1 << 20) -> LiveStream {
    LiveStream(id: "s", exchange: ExchangeID(1), linger: 0, limit: limit)
}

/// An event whose data is a text and `size` further bytes.
private func event(_ text: String, size: Int = 0) -> StreamEvent {
    StreamEvent(data: Array(text.utf8) + [UInt8](repeating: UInt8(ascii: "."), count: size))
}

private func end(_ text: String) -> StreamEvent {
    StreamEvent(name: "finish", data: Array(text.utf8), isTerminal: true)
}
