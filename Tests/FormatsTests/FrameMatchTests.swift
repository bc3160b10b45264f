// Frames that repeat each other, read in their chunk: which are taken, what they say, and where the last one ends.

import Base
import HTTP
import JSON
import Testing

@testable import Formats

@Suite struct FrameMatchTests {
    private static func frame(_ text: String, _ number: Int? = nil) -> String {
        "event: x\ndata: {\(number.map { "\"n\":\($0)," } ?? "")\"t\":\"\(text)\"}\n\n"
    }

    /// Reads what stands behind the first frame of a chunk.
    private func read(
        _ chunk: String, isSequence: Bool = false, limit: Int = 1 << 20
    ) throws -> (texts: [String], count: Int64?, end: Int) {
        let bytes = Array(chunk.utf8)
        let head = "event: x\ndata: ".utf8.count
        let lineEnd = try #require(bytes[head...].firstIndex(of: 0x0A))
        let number = JSONPath("n")
        let paths = isSequence ? TemplatePaths(sequence: number) : TemplatePaths(counters: [number])
        let made = TextTemplate.Trial(Array(bytes[head..<lineEnd]).span, textAt: JSONPath("t"), open: paths)
        let trial = try #require(made)
        let start = lineEnd + 2
        let shape = FrameShape(of: 0..<start, payload: head..<lineEnd, in: bytes.span, name: "x", limit: limit)
        let template = trial.template
        guard let run = template.read(bytes.span, from: start, shape, trial.counters) else {
            return ([], trial.counters[0], 0)
        }
        return (Array(try #require(run.batch)), run.counters[0], run.end - start)
    }

    /// What follows the first frame, and how many of those frames are taken.
    @Test(
        arguments: [
            ([], 0), ([frame("b")], 1), ([frame("b"), frame("c"), frame("d")], 3),
            ([frame("b"), frame("c").replacing("event: x", with: "event: y"), frame("d")], 1),
            ([frame("b"), frame("c").replacing("event: x\n", with: ""), frame("d")], 1),
            ([frame("b"), ": ping\n\n", frame("d")], 1), ([frame("b"), "id: 1\n" + frame("c")], 1),
            ([frame("b"), String(frame("c").dropLast())], 1), ([frame("b"), String(frame("c").dropLast(5))], 1),
            ([frame("b"), frame("c").replacing("\n\n", with: "\r\n\r\n")], 1),
            ([frame("b"), frame("c").replacing("}\n", with: "} \n")], 2),
            ([frame("b"), frame("c").replacing("}\n", with: " \t}\t\n"), frame("d")], 3),
            ([frame("b"), frame("c").replacing("}\n", with: "}\ndata: \n"), frame("d")], 1),
            ([frame("b"), frame("c").replacing("\"}", with: "\"\n}"), frame("d")], 1),
            ([frame("b"), frame("c").replacing("}\n", with: "}}\n"), frame("d")], 1),
            ([frame("b"), frame("c").replacing("}\n", with: "\n"), frame("d")], 1),
            ([frame("b"), frame("c").replacing("{", with: "{ "), frame("d")], 1),
            ([frame(""), frame("c")], 0), ([frame("b"), frame("a\u{1}b")], 1), ([frame("b"), frame("a\nb")], 1),
            ([frame("b"), frame("\\x"), frame("d")], 1), ([frame("b"), frame("\\u12"), frame("d")], 1),
            ([frame("b"), frame("\\ud83d\\ude00"), frame("d")], 1), ([frame("b"), frame("\\"), frame("d")], 1),
            ([frame("\\n"), frame("\\\"}\\\\"), frame("\\u00e9\\u6708\\u0041")], 3),
            ([frame("x\",\"t\":\"y"), frame("d")], 0), ([frame("b"), frame("月"), frame("😀 é")], 3),
        ] as [([String], Int)]) func taken(frames: [String], count: Int) throws
    {
        let found = try read(Self.frame("a") + frames.joined())
        let expected = try frames.prefix(count).map { frame in
            let payload = frame.dropFirst("event: x\ndata: ".count).prefix { $0 != "\n" }
            return try #require(try JSONReader.value(Array(payload.utf8))["t"]?.string)
        }
        #expect(found.texts == expected)
        #expect(found.end == frames.prefix(count).joined().utf8.count)
    }

    /// Which numbers go on from 7, and which end the run.
    @Test(arguments: [
        ([8, 9, 10], 3), ([8, 9, 11], 2), ([9], 0), ([7], 0), ([6], 0), ([8, 8], 1), ([0], 0),
    ]) func counted(numbers: [Int], count: Int) throws {
        let chunk = Self.frame("a", 7) + numbers.map { Self.frame("b", $0) }.joined()
        #expect(try read(chunk, isSequence: true).texts.count == count)
        #expect(try read(chunk, isSequence: true).count == (count > 0 ? Int64(numbers[count - 1]) : 7))
        // Where nothing must count, every number will do.
        #expect(try read(chunk).texts.count == numbers.count)
        #expect(try read(chunk).count == Int64(numbers.last ?? 0))
    }

    @Test func framesWithoutNumbersNeedNotCount() throws {
        #expect(try read(Self.frame("a") + Self.frame("b"), isSequence: true).texts == ["b"])
    }

    @Test func whatPassesTheBoundIsLeft() throws {
        let long = Self.frame("as long as this")
        let chunk = Self.frame("a") + Self.frame("b") + long + Self.frame("c")
        #expect(try read(chunk, limit: long.utf8.count).texts == ["b", "as long as this", "c"])
        #expect(try read(chunk, limit: long.utf8.count - 1).texts == ["b"])
    }

    /// A run has room for some thousands of pieces; those behind it are read in the next one.
    @Test(arguments: [("b", 20_000), (String(repeating: "long ", count: 300), 100)]) func room(text: String, count: Int)
        throws
    {
        let chunk = String(repeating: Self.frame(text), count: count)
        let found = try read(chunk)
        #expect(found.texts.count > 10 && found.texts.count < count)
        #expect(found.texts.allSatisfy { $0 == text })
        #expect(found.end == found.texts.count * Self.frame(text).utf8.count)
    }

    /// A text that begins inside a character is no text, whatever stands before it.
    @Test func aCharacterIsNotPutTogetherFromTwoTexts() throws {
        let bytes =
            Array("{\"t\":\"a\"}\n{\"t\":\"".utf8) + [0xE6, 0x9C] + Array("\"}\n{\"t\":\"".utf8) + [0x88]
            + Array("\"}\n".utf8)
        let made = TextTemplate.Trial(Array(bytes[..<9]).span, textAt: JSONPath("t"), open: TemplatePaths())
        let trial = try #require(made)
        let template = trial.template
        let run = template.read(bytes.span, from: 10, FrameShape(after: [0x0A], limit: 100), trial.counters)
        #expect(run?.batch?.count == 1)
    }
}

extension TextTemplate.Trial {
    /// With the text at the end of that path.
    init?(_ document: Span<UInt8>, textAt path: JSONPath, open paths: TemplatePaths) {
        guard let range = path.place(in: document), range.count >= 2,
            document[range.lowerBound] == UInt8(ascii: "\"")
        else { return nil }
        let literal = range.lowerBound + 1..<range.upperBound - 1
        let piece = TextBatch(String(decoding: document.extracting(literal)))
        self.init(document, piece, at: literal, open: paths)
    }
}
