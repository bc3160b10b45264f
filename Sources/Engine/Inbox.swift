// The queue of events of one request that wait to be taken.

internal import Base
internal import Chat

/// A queue of events with its size in events and bytes.
struct Inbox {
    private var events: [ChatEvent] = []
    /// UTF-8 bytes of the waiting texts.
    private(set) var bytes = 0
    /// Whether text or reasoning waits.
    private(set) var hasOutput = false
    /// Whether a `reset` waits.
    private(set) var hasReset = false

    /// Pieces of text beyond the first of each batch.
    private var extraPieces = 0

    var isEmpty: Bool { events.isEmpty }
    /// How much memory waits, texts aside, counted in events. A further piece of a batch takes 4 bytes, an event 24 and
    /// its String.
    var load: Int { events.count + extraPieces / 8 }

    mutating func push(_ event: ChatEvent) {
        switch event {
        case .text(let batch):
            bytes += batch.utf8Count
            extraPieces += batch.count - 1
            hasOutput = true
        case .chunk(let text): bytes += text.utf8.count
        case .reset: hasReset = true
        default: break
        }
        events.append(event)
    }

    /// Removes and returns all events.
    mutating func take() -> (events: [ChatEvent], hadOutput: Bool) {
        defer { self = Inbox() }
        return (events, hasOutput)
    }

    /// Removes everything.
    /// - Returns: how much output that was.
    mutating func removeAll() -> Undelivered {
        defer { self = Inbox() }
        return Undelivered(events)
    }

    /// Removes the output of an attempt that is repeated silently. Events about attempts stay.
    mutating func dropAttempt() {
        let kept = events.filter { event in
            switch event {
            case .retry, .wait, .reset, .chunk: true
            default: false
            }
        }
        self = Inbox()
        for event in kept { push(event) }
    }
}
