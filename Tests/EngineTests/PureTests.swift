// Smaller values of the engine: timers, scrubber, overlap trimmer, token estimate.

import Base
import Chat
import Testing

@testable import Engine

@Suite struct TimerHeapTests {
    @Test func comesOutInOrder() {
        var random = SystemRandomNumberGenerator()
        var heap = TimerHeap<Int>()
        let deadlines = (0..<2000).map { _ in Double(Int.random(in: 0..<500, using: &random)) }
        for (index, deadline) in deadlines.enumerated() { heap.push(index, at: deadline) }
        heap.removeAll { $1 % 7 == 0 }
        let expected = deadlines.indices.filter { $0 % 7 != 0 }.sorted { (deadlines[$0], $0) < (deadlines[$1], $1) }
        #expect(heap.count == expected.count)
        var got: [Int] = []
        while let (deadline, payload) = heap.popDue(now: .infinity) {
            #expect(deadline == deadlines[payload])
            got.append(payload)
        }
        #expect(got == expected)
        #expect(heap.isEmpty)
    }

    @Test func onlyWhatIsDue() {
        var heap = TimerHeap<String>()
        #expect(heap.nextDeadline == nil)
        heap.push("late", at: 2)
        heap.push("early", at: 1)
        #expect(heap.popDue(now: 0.5) == nil)
        #expect(heap.nextDeadline == 1)
        #expect(heap.next?.payload == "early")
        #expect(heap.popDue(now: 1)?.payload == "early")
        #expect(heap.popDue(now: 1) == nil)
        heap.push("nonsense", at: .nan)
        #expect(heap.popDue(now: 0)?.payload == "nonsense")
        #expect(heap.count == 1)
    }
}

@Suite struct KeyScrubberTests {
    static let key = "sk-test/\"quote\"+ü1234567890"

    static let carriers: [String] = {
        let data = Array(key.utf8)
        func base64(_ bytes: [UInt8]) -> String { encode(bytes) }
        return [
            key, "Bearer \(key)", "x\(key)y\(key)",
            "sk-test/\\\"quote\\\"+ü1234567890", "sk-test\\/\\\"quote\\\"+ü1234567890",
            "sk-test%2F%22quote%22%2B%C3%BC1234567890", "sk-test%2f%22quote%22%2b%c3%bc1234567890",
            base64(data), base64(Array("u:".utf8) + data), base64(Array("us:".utf8) + data),
            base64(Array("user:".utf8) + data + Array(":more".utf8)),
        ]
    }()

    /// A base64 implementation apart from the code under test.
    static func encode(_ bytes: [UInt8]) -> String {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
        var text = ""
        var index = 0
        while index < bytes.count {
            let group = (0..<3).map { index + $0 < bytes.count ? Int(bytes[index + $0]) : 0 }
            let value = group[0] << 16 | group[1] << 8 | group[2]
            for position in 0..<4 {
                text.append(index + position <= bytes.count ? alphabet[value >> (18 - 6 * position) & 63] : "=")
            }
            index += 3
        }
        return text
    }

    @Test(arguments: carriers) func removes(_ carrier: String) {
        var scrubber = KeyScrubber()
        #expect(scrubber.scrub(carrier) == carrier)
        scrubber.add("another-key-altogether")
        scrubber.add(Self.key)
        for text in [carrier, "before " + carrier + " after"] {
            let clean = scrubber.scrub(text)
            #expect(clean.contains("[key]"), "\(clean)")
            #expect(!clean.contains("1234567890"), "\(clean)")
            #expect(!clean.contains("test/"), "\(clean)")
            // No run of a base64 form that is long enough to decode may remain.
            #expect(!clean.contains(Self.encode(Array(Self.key.utf8)).dropFirst(8).prefix(8)), "\(clean)")
            #expect(String(decoding: scrubber.scrub(Array(text.utf8)), as: UTF8.self) == clean)
        }
    }

    @Test func leavesTheRest() {
        var scrubber = KeyScrubber()
        scrubber.add(Self.key)
        scrubber.add("abc")
        let text = "sk-test, abc, 量子力学, sk-test/\"quote\"+ü123456789, and more"
        #expect(scrubber.scrub(text) == text)
        #expect(scrubber.scrub("") == "")
    }

    /// A text that was shortened before: only a few bytes of the key may remain, wherever the cut was.
    @Test(arguments: carriers, ["", "...", "…", "...) (gave up)"]) func removesBeginnings(
        _ carrier: String, _ end: String
    ) {
        var scrubber = KeyScrubber()
        scrubber.add(Self.key)
        let bytes = Array(("says " + carrier).utf8)
        for cut in 5...bytes.count {
            let clean = scrubber.scrub(Array(bytes[..<cut]) + Array(end.utf8))
            #expect(clean.count <= 5 + "Bearer xxy".utf8.count + "[key][key]".utf8.count + 8 + end.utf8.count)
            #expect(!String(decoding: clean, as: UTF8.self).contains("quote"))
        }
    }

    /// Any character of the key may be escaped.
    @Test(
        arguments: [
            { "\\u00\(String($0, radix: 16))" }, { "\\\\u00\(String($0, radix: 16))" },
            { "%\(String($0, radix: 16))" }, { "%25\(String($0, radix: 16))" },
            { "&#\($0);" }, { "&#x\(String($0, radix: 16));" },
        ] as [@Sendable (UInt8) -> String]) func removesEscapes(escape: @Sendable (UInt8) -> String)
    {
        var scrubber = KeyScrubber()
        let key = "sk-canary-0123456789"
        scrubber.add(key)
        for spacing in [1, 2, 7] {
            let text = key.utf8.enumerated().map { $0 % spacing == 0 ? escape($1) : String(UnicodeScalar($1)) }.joined()
            #expect(scrubber.scrub("a\(text)b") == "a[key]b")
            let whole = Array(text.utf8)
            for cut in 0..<whole.count {
                let clean = String(decoding: scrubber.scrub(Array(whole[..<cut])), as: UTF8.self)
                #expect(!clean.contains("012") && clean.utf8.count <= 8 * 9, "\(clean)")
            }
        }
        #expect(scrubber.scrub("SK-CANARY-0123456789") == "[key]")
    }

    @Test func removesAPasswordWithBlanks() {
        var scrubber = KeyScrubber()
        scrubber.add("open  sesame 8")
        for text in ["open  sesame 8", "open sesame 8", "open\nsesame\t8", "open%20sesame+8", "open++sesame%208"] {
            #expect(scrubber.scrub("<\(text)>") == "<[key]>" || text.contains("%20sesame+8"), "\(text)")
        }
    }

    @Test func excerptsAreScrubbedBeforeTheyAreCut() {
        let secrets = Secrets()
        secrets.add("sk-canary-0123456789abcdefghij")
        for offset in 0..<60 {
            let text =
                String(repeating: "a", count: offset) + String(repeating: "sk-canary-0123456789abcdefghij", count: 9)
            let excerpt = secrets.excerpt(text.utf8, limit: 40)
            #expect(!excerpt.contains("sk-") && excerpt.utf8.count <= 43, "\(excerpt)")
        }
        #expect(secrets.excerpt("aü".utf8, limit: 2) == "a...")
        #expect(secrets.excerpt("aü".utf8, limit: 3) == "aü")
    }
}

@Suite struct SeamTrimmerTests {
    static let before = "The quick brown fox jumps over the lazy dog. 量子力学"

    @Test(arguments: [
        ("", ""), (" goes on", " goes on"),
        ("the lazy dog. 量子力学 is next", " is next"),
        (before, ""), (before + " and on", " and on"),
        ("力学 twice is speech", "力学 twice is speech"),
        ("the lazy cat", "the lazy cat"), ("The quick brown bear", "The quick brown bear"),
    ]) func trims(_ row: (String, String)) {
        for size in [1, 2, 3, 7, 1000] {
            var overlapTrimmer = OverlapTrimmer(after: Self.before, sent: Self.before)
            var text = ""
            var rest = row.0[...]
            while !rest.isEmpty {
                text += overlapTrimmer.push(String(rest.prefix(size)))
                rest = rest.dropFirst(size)
            }
            text += overlapTrimmer.finish()
            #expect(text == row.1, "pieces of \(size)")
        }
    }

    /// The provider received the text without its trailing white space.
    @Test(arguments: [
        (" ", " world", "world"), (" ", "world", "world"), ("\n\n", "\n\nNext", "Next"),
        ("\n\n", "\n\n\nNext", "\nNext"),
        ("\n\n", "\nNext", "Next"), ("\n", " Next", " Next"), ("\n\n", "\n", ""), (" ", "", ""),
        ("", " world", " world"), ("\n", "the lazy dog. 量子力学\nis next", "is next"),
    ]) func dropsWhatWasNotSent(_ unsent: String, _ continuation: String, _ expected: String) {
        for size in [1, 2, 3, 1000] {
            var overlapTrimmer = OverlapTrimmer(after: Self.before + unsent, sent: Self.before)
            var text = ""
            var rest = continuation[...]
            while !rest.isEmpty {
                text += overlapTrimmer.push(String(rest.prefix(size)))
                rest = rest.dropFirst(size)
            }
            #expect(text + overlapTrimmer.finish() == expected, "pieces of \(size)")
        }
    }

    @Test func estimates() {
        #expect(estimatedTokens(in: Array("".utf8)) == 0)
        #expect(estimatedTokens(in: Array("four".utf8)) == 1)
        #expect(estimatedTokens(in: Array("量子力学".utf8)) == 4)
        #expect(estimatedTokens(in: Array("да".utf8)) == 1)
        #expect(estimatedTokens(in: Array("👍".utf8)) == 1)
    }

    @Test(arguments: [
        (0.0, "0"), (7, "7"), (0.25, "0.25"), (1.5, "1.5"), (-2, "-2"), (86400, "86400"), (0.0004, "0"),
        (.infinity, "inf"),
    ]) func secondsForPeople(_ row: (Double, String)) { #expect(formatted(row.0) == row.1) }

    @Test func eventsStaySmall() { #expect(MemoryLayout<ChatEvent>.size <= 17) }
}
