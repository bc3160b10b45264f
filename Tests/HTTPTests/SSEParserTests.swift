// The event parser on fixtures of our own: WHATWG's examples, frames beside events, what is left at the end, bounds.

import Base
import HTTP
import Support
import Testing

@Suite struct SSEParserTests {
    /// Feeds the text whole, byte by byte, and cut once and twice at every place; all must agree.
    private func outcome(_ text: String) throws -> SSEOutcome {
        let bytes = Array(text.utf8)
        let whole = try SSEOutcome(bytes).withoutTimes
        #expect(try SSEOutcome(bytes, cuts: Array(1..<max(bytes.count, 1))).withoutTimes == whole)
        for first in 0...bytes.count {
            for second in first...min(first + 4, bytes.count) {
                #expect(
                    try SSEOutcome(bytes, cuts: [first, second]).withoutTimes == whole, "cut at \(first), \(second)")
            }
        }
        return whole
    }

    private func data(_ text: String) throws -> [String] { try outcome(text).events.map(\.data) }

    @Test(
        arguments: [
            // The examples of WHATWG HTML section 9.2.6.
            ("data: YHOO\ndata: +2\ndata: 10\n\n", ["YHOO\n+2\n10"]),
            (
                ": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n",
                ["first event", "second event", " third event"]
            ),
            ("data\n\ndata\ndata\n\ndata:", ["", "\n"]),
            ("data:test\n\ndata: test\n\n", ["test", "test"]),
            // Line ends.
            ("data: a\r\n\r\ndata: b\r\rdata: c\n\n", ["a", "b", "c"]), ("data: a\r\n\r", ["a"]),
            ("data: a\r\r", ["a"]),
            ("data: a\n\r\ndata: b\r\n\n", ["a", "b"]), ("\r\n\r\n\ndata: a\r\n\r\n\r\n", ["a"]),
            ("data: a\u{2028}\u{85}\u{0B}b\r\n\r\n", ["a\u{2028}\u{85}\u{0B}b"]),
            // Byte order marks.
            ("\u{FEFF}data: a\n\n", ["a"]), ("\u{FEFF}\u{FEFF}data: a\n\n", []), ("data: \u{FEFF}a\n\n", ["\u{FEFF}a"]),
            // Names are exact.
            ("Data: a\n\n data: b\n\ndata : c\n\ndatas: d\n\ndat: e\n\n", []), ("data: e\u{301}\n\n", ["e\u{301}"]),
        ])
    func events(text: String, expected: [String]) throws {
        let actual = try data(text)
        #expect(actual.elementsEqual(expected, by: sameBytes), "\(actual)")
    }

    @Test func namesIDsAndRetry() throws {
        let outcome = try outcome(
            """
            event: content_block_delta
            id: 1
            data: a

            event: content_block_delta
            data: b

            retry: 1500
            event: gone

            data: c
            id: 2
            retry: 15x

            id: 3
            data: cut

            """)
        #expect(outcome.events.map(\.name) == ["content_block_delta", "content_block_delta", ""])
        #expect(outcome.events.map(\.id) == ["1", "1", "2"])
        // The id of a block that was cut does not count, a retry does from its line on.
        #expect(outcome.id == "2")
        #expect(outcome.retry == 1500)
        #expect(outcome.pendingData == "cut")
    }

    @Test func framesBesideEvents() throws {
        let outcome = try outcome(
            ": ping\n:no space\n:\ndata: a\n: inside\nerror: {\"code\":1}\ndata: b\n\n{\"bare\": true}\nwords\n :x\n")
        #expect(outcome.events.map(\.data) == ["a\nb"])
        #expect(outcome.comments == ["ping", "no space", "", "inside"])
        #expect(outcome.strays == ["error: {\"code\":1}", "{\"bare\": true}", "words", " :x"])
    }

    @Test(
        arguments: [
            ("data: a\n\n", nil, nil, nil), ("data: a\n", "", "a", nil), ("data: a", "", "a", nil),
            ("event: e\ndata: a\ndata: b", "e", "a\nb", nil), ("data: a\ndat", "", "a", "dat"),
            ("dat", nil, nil, "dat"),
            ("data", "", "", nil), ("data: a\nevent: e", "", "a", nil), (": comment", nil, nil, nil),
            ("{\"error\":{}}", nil, nil, "{\"error\":{}}"), ("data: a\n\ndata: [DONE]\n", "", "[DONE]", nil),
            ("data: a\r", "", "a", nil), ("", nil, nil, nil),
        ] as [(String, String?, String?, String?)])
    func leftAtTheEnd(text: String, name: String?, data: String?, stray: String?) throws {
        let outcome = try outcome(text)
        #expect(outcome.pendingName == name)
        #expect(outcome.pendingData == data)
        #expect(outcome.pendingStray == stray)
    }

    @Test(
        arguments: [
            // Fits: a line of 16 bytes, data that join to 16.
            ("data: 0123456789\n\n", nil), ("data: 01234\ndata: 0123456789\n\n", nil),
            ("\u{FEFF}data: 0123456789\n\n", nil),
            (": 0123456789abcd\n", nil), ("data: 012345678\ndata:\ndata: abcde\n\ndata: 0123456789\n\n", nil),
            // One too many: in the line of an event, a comment, an unknown field; in the joined data.
            ("data: 0123456789a\n\n", 0), ("data: x\n\ndata: 0123456789a", 9), (": 0123456789abcde\n", 0),
            ("zzzzzzzzzzzzzzzzz", 0), ("data: 012345\ndata: 0123456789\n\n", 13),
            ("data: x\r\n\r\ndata: 0123456789a\r\n", 11),
            ("data: 01234\ndata: 01234\ndata: 0123\ndata: 0\n\n", 35), ("\u{FEFF}data: 0123456789a\n", 3),
        ] as [(String, Int?)])
    func bounds(text: String, position: Int?) throws {
        let bytes = Array(text.utf8)
        let cuttings = (0...bytes.count).map { [$0] } + [Array(1..<bytes.count), []]
        for cuts in cuttings {
            guard let position else {
                #expect(throws: Never.self, "cut at \(cuts)") { try SSEOutcome(bytes, cuts: cuts, limit: 16) }
                continue
            }
            let error = #expect(throws: FramingError<Never>.self, "cut at \(cuts)") {
                try SSEOutcome(bytes, cuts: cuts, limit: 16)
            }
            #expect(error == .tooLong(FrameTooLong(limit: 16, position: position)), "cut at \(cuts)")
        }
        let message = FrameTooLong(limit: 16, position: 9).description
        #expect(message.contains("16") && message.contains("9"))
    }

    @Test func consumerErrorsComeThrough() throws {
        struct Stop: Error, Equatable { var at: String }
        for text in ["data: a\n\ndata: b\n\n", ": b\n", "b\n", "data: a\n\ndata:\ndata: b\n\n"] {
            for cut in 0...text.utf8.count {
                let bytes = Array(text.utf8)
                var parser = SSEParser()
                let error = #expect(throws: FramingError<Stop>.self) {
                    for part in [bytes[..<cut], bytes[cut...]] {
                        try parser.feed(part.span) { (_, payload) throws(Stop) in
                            let text = String(decoding: payload)
                            if text.contains("b") { throw Stop(at: text) }
                        }
                    }
                }
                guard case .consumer(let stop) = error else { return #expect(Bool(false), "\(text)") }
                #expect(stop.at.contains("b"))
            }
        }
    }

    @Test func randomStreams() throws {
        let pieces = [
            "data: ", "data:", "data", "event: e", "event", "id: 7", "id", "retry: 9", ": c", ":", "x", "é", "\u{FEFF}",
            " ",
            "\n", "\n", "\n\n", "\r", "\r\n", "\r\n\r\n", "\0", "{\"a\":1}",
        ]
        var random = SeededGenerator(seed: 0x5EED)
        for _ in 0..<2000 {
            let bytes = (0..<Int.random(in: 0...14, using: &random))
                .flatMap { _ in Array(pieces.randomElement(using: &random)!.utf8) }
            let whole = try SSEOutcome(bytes).withoutTimes
            let cuts = (0...bytes.count).filter { _ in Int.random(in: 0..<3, using: &random) == 0 }
            #expect(try SSEOutcome(bytes, cuts: cuts).withoutTimes == whole, "\(bytes) cut at \(cuts)")
            #expect(try SSEOutcome(bytes, cuts: Array(0...bytes.count)).withoutTimes == whole, "\(bytes)")
            #expect(whole.events.map(\.data) == referenceEvents(bytes), "\(bytes)")
        }
    }

    /// The standard's rules once more, written for plainness: whole input, line after line.
    private func referenceEvents(_ bytes: [UInt8]) -> [String] {
        let text = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? Array(bytes.dropFirst(3)) : bytes
        var lines: [[UInt8]] = [[]]
        var previous: UInt8 = 0
        for byte in text {
            switch (previous, byte) {
            case (0x0D, 0x0A): break
            case (_, 0x0A), (_, 0x0D): lines.append([])
            default: lines[lines.count - 1].append(byte)
            }
            previous = byte
        }
        var events: [String] = []
        var buffer: [UInt8] = []
        for line in lines.dropLast() {
            if line.isEmpty {
                if !buffer.isEmpty { events.append(String(decoding: buffer.dropLast(), as: UTF8.self)) }
                buffer = []
                continue
            }
            let colon = line.firstIndex(of: 0x3A) ?? line.endIndex
            var value = line[min(colon + 1, line.endIndex)...]
            if value.first == 0x20 { value = value.dropFirst() }
            if Array(line[..<colon]) == Array("data".utf8) { buffer += value + [0x0A] }
        }
        return events
    }
}
