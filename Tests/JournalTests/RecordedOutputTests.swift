// Output in rows, and back.

import Base
import Chat
import Support
import Testing

@testable import Journal

@Suite struct RecordedOutputTests {
    @Test(arguments: 0..<50) func rowsKeepPiecesAndTimes(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        var recorder = OutputRecorder()
        var (time, pieces, kinds): (Double, [String], [TextBatch.Kind]) = (0, [], [])
        for _ in 0..<Int.random(in: 1...60, using: &generator) {
            let kind: TextBatch.Kind = Bool.random(using: &generator) ? .text : .reasoning
            let batch = (0..<Int.random(in: 1...4, using: &generator)).map { _ in
                String(repeating: "aé漢", count: Int.random(in: 1...40, using: &generator))
            }
            time += Double(Int.random(in: 0...3, using: &generator)) / 64
            recorder.add(.text(TextBatch(pieces: batch, kind)), at: time)
            pieces += batch
            kinds += Array(repeating: kind, count: batch.count)
        }
        var (found, foundKinds, last): ([String], [TextBatch.Kind], Double) = ([], [], 0)
        for row in recorder.take() {
            for event in try #require(row.events) {
                guard case .text(let batch) = event.event else { continue }
                found += Array(batch)
                foundKinds += Array(repeating: batch.kind, count: batch.count)
                #expect(event.time >= last - 1e-9)
                last = event.time
            }
        }
        #expect(found == pieces && foundKinds == kinds)
        #expect(abs(last - time) < 0.1)
    }

    @Test func damagedRowsAreNoEvents() throws {
        var recorder = OutputRecorder()
        recorder.add(.text(TextBatch(pieces: ["one", "two"])), at: 0)
        let row = try #require(recorder.take().first)
        for index in row.pieces.indices {
            var damaged = row
            damaged.pieces[index] ^= 0x80
            #expect(damaged.seal(request: 1) != row.seal(request: 1))
            if let events = damaged.events { #expect(events.count <= 2) }
        }
        var short = row
        short.text.removeLast()
        #expect(short.events == nil)
    }

    /// Text and reasoning may come in turn, each with a piece of the same key.
    @Test func keysInTextBetweenReasoningAreRemoved() {
        var scrubber = KeyScrubber()
        scrubber.add("sk-moonrill-0123456789")
        var tail = OutputTail()
        var written = ""
        for (number, piece) in ["sk-moo", "nrill-", "012345", "6789, and that is all"].enumerated() {
            for kind in [OutputRow.Kind.text, .reasoning] {
                let text = kind == .text ? piece : "hm"
                let row = OutputRow(number: number, attempt: 1, kind: kind, time: 0, text: Array(text.utf8), pieces: [])
                let clean = tail.scrub(row, scrubber)
                if kind == .text { written += String(decoding: clean, as: UTF8.self) }
            }
        }
        #expect(!written.contains("nrill-0123456789") && !written.contains("0123456789"), "\(written)")
        #expect(written.hasSuffix(", and that is all"))
    }

    /// A key in the text, with the rows cut at every two places.
    @Test(arguments: ["sk-moonrill-0123456789", "c2stbW9vbnJpbGwtMDEyMzQ1Njc4OQ"])
    func keysAcrossRowsAreRemoved(form: String) {
        var scrubber = KeyScrubber()
        scrubber.add("sk-moonrill-0123456789")
        let text = Array("the key is \(form), and that is all".utf8)
        for first in 0...text.count {
            for second in first...text.count {
                var tail = OutputTail()
                let parts = [text[..<first], text[first..<second], text[second...]].enumerated().map { number, part in
                    tail.scrub(
                        OutputRow(number: number, attempt: 1, kind: .text, time: 0, text: Array(part), pieces: []),
                        scrubber)
                }
                let written = String(decoding: parts.joined(), as: UTF8.self)
                // What is left of it is a beginning that says nothing.
                #expect(!written.contains(form.suffix(form.count - 8)), "\(first) \(second): \(written)")
                #expect(!written.contains(form.dropFirst(8).prefix(8)), "\(first) \(second): \(written)")
                #expect(written.hasPrefix("the key is "))
                if second > first + 1 || first == text.count { #expect(written.hasSuffix(", and that is all")) }
            }
        }
    }
}
