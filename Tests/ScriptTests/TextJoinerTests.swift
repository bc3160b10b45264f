// Neighbouring pieces of text are joined to batches before they are delivered.

import Base
import Chat
import JSON
import Testing

@testable import Script

@Suite struct TextJoinerTests {
    private static let citation = ChatEvent.native(name: "citations", ["x"])

    private func text(_ pieces: String...) -> ChatEvent { .text(TextBatch(pieces: pieces)) }

    @Test func piecesOfOneKindAreOneBatch() {
        let events = [
            .start(StartInfo(attempt: 1)), text("a"), text("b", "ü"), .text(.reasoning("c")), .text(.reasoning("d")),
            .usage(Usage()), text("e"), text("f"),
        ]
        #expect(
            TextJoiner.join(events) == [
                .start(StartInfo(attempt: 1)), text("a", "b", "ü"), .text(TextBatch(pieces: ["c", "d"], .reasoning)),
                .usage(Usage()), text("e", "f"),
            ])
    }

    /// One that follows something else than text may be all that the script learns of the attempt.
    @Test func nativeEventsBehindTextAreLeftOut() {
        let reset = ChatEvent.start(StartInfo(attempt: 2))
        let events = [
            Self.citation, text("a"), Self.citation, Self.citation, text("b"), reset, Self.citation, text("c"),
        ]
        #expect(TextJoiner.join(events) == [Self.citation, text("a", "b"), reset, Self.citation, text("c")])
    }

    @Test func longBatchesAreNotCopied() {
        let long = text(String(repeating: "x", count: 5000), "y")
        #expect(TextJoiner.join([text("a"), text("b"), long, text("c")]) == [text("a", "b"), long, text("c")])
        let many = [ChatEvent](repeating: text(String(repeating: "x", count: 4000)), count: 100)
        let joined = TextJoiner.join(many)
        #expect(joined.count == 2)
        #expect(Undelivered(joined) == Undelivered(many))
    }

    @Test func fewEventsStayAsTheyAre() {
        let events = [text("a"), Self.citation, text("b")]
        #expect(TextJoiner.join(events) == events)
        #expect(TextJoiner.join([]).isEmpty)
    }
}
