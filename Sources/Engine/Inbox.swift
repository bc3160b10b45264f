// Events of one request that wait to be taken. Filled by the request, emptied by the engine's `take`.

internal import Base
internal import Chat

/// A queue of events that knows how much it holds and whether the caller must be told of output in it.
struct Inbox {
    private var events: [ChatEvent] = []
    /// UTF-8 bytes of the texts that wait.
    private(set) var bytes = 0
    /// Tokens or reasoning wait, or have waited since the inbox was last empty.
    private(set) var hasOutput = false
    /// A `reset` waits.
    private(set) var hasReset = false

    /// Pieces of text beyond the first of each batch.
    private var furtherPieces = 0

    var isEmpty: Bool { events.isEmpty }
    /// How much memory waits, texts aside, counted in events. A further piece of a batch takes 4 bytes, an event 24 and
    /// its String.
    var load: Int { events.count + furtherPieces / 8 }

    mutating func push(_ event: ChatEvent) {
        switch event {
        case .text(let batch):
            bytes += batch.utf8Count
            furtherPieces += batch.count - 1
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
    mutating func dropAll() -> Undelivered {
        defer { self = Inbox() }
        return Undelivered(events)
    }

    /// Forgets what an attempt has said, for an attempt that is to be repeated unseen. What tells of attempts stays.
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
