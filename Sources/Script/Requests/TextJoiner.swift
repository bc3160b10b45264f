// Joins the text of events that are taken from the engine together.

internal import Base
internal import Chat

/// Joins events of a request whose text goes to its callbacks alone, so that one resume of the callback's coroutine
/// delivers many pieces.
struct TextJoiner {
    /// Longer batches are passed on as they are: a resume for each of them costs little.
    private static let longestBatch = 4096
    /// Maximum bytes of a joined batch.
    private static let limit = 256 << 10
    /// Fewer events are not worth a buffer.
    private static let minEvents = 4

    private var joined: [ChatEvent] = []
    private var bytes: [UInt8] = []
    private var ends: [UInt32] = []
    private var kind = TextBatch.Kind.text
    /// The last event is text.
    private var followsText = false

    /// The events with neighbouring text of one kind in one batch. Native events behind text are left out: no callback
    /// sees them, and they count only as first output, which the text before them was.
    static func join(_ events: [ChatEvent]) -> [ChatEvent] {
        guard events.count >= minEvents else { return events }
        var joiner = TextJoiner()
        for event in events { joiner.add(event) }
        joiner.close()
        return joiner.joined
    }

    private mutating func add(_ event: ChatEvent) {
        switch event {
        case .text(let batch):
            followsText = true
            let count = batch.utf8Count
            if batch.kind != kind || count > Self.longestBatch || bytes.count + count > Self.limit { close() }
            guard count <= Self.longestBatch else { return joined.append(event) }
            kind = batch.kind
            batch.append(to: &bytes, ends: &ends)
        case .native where followsText: break
        default:
            close()
            followsText = false
            joined.append(event)
        }
    }

    private mutating func close() {
        guard !ends.isEmpty else { return }
        joined.append(.text(TextBatch(bytes: bytes, ends: ends, kind)))
        bytes = []
        ends = []
    }
}
