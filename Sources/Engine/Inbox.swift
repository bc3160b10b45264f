// Events of one request that wait to be taken. Filled by the request, emptied by the engine's `take`.

internal import Base
internal import Chat

/// A queue of events that knows how much it holds and whether the caller must be told of output in it.
struct Inbox {
    private var events: [ChatEvent] = []
    /// How many of `events` have been taken.
    private var head = 0
    /// UTF-8 bytes of the texts that wait.
    private(set) var bytes = 0
    /// Tokens or reasoning wait, or have waited since the inbox was last empty.
    private(set) var hasOutput = false
    /// A `reset` waits.
    private(set) var hasReset = false

    /// Pieces of text that wait joined, beyond one for each event that holds them.
    private var joined = 0

    var isEmpty: Bool { events.isEmpty }
    /// How many events wait, each piece of text being one.
    var count: Int { events.count - head + joined }
    /// How many events by themselves take the memory of what waits, texts aside: a joined piece is a number, and an event
    /// is a string and where it lies.
    var load: Int { events.count - head + joined / 8 }

    mutating func push(_ event: ChatEvent) {
        switch event {
        case .run(let run):
            bytes += run.bytes.count
            joined += run.count - 1
            hasOutput = true
        case .token(let text), .reasoning(let text):
            bytes += text.utf8.count
            hasOutput = true
        case .chunk(let text): bytes += text.utf8.count
        case .reset: hasReset = true
        default: break
        }
        events.append(event)
    }

    /// Removes and returns the oldest events, at most `limit`; `hadOutput` tells whether output was among them.
    /// - Parameter isJoined: whether pieces of text that came together stay so. All events are taken then.
    mutating func take(upTo limit: Int, isJoined: Bool) -> (events: [ChatEvent], hadOutput: Bool) {
        if joined > 0, !isJoined { part() }
        if head == 0, limit >= events.count {
            defer { self = Inbox() }
            return (events, hasOutput)
        }
        let end = limit < count ? head + max(0, limit) : events.count
        let taken = Array(events[head..<end])
        let rest = events.count - end
        if rest == 0 {
            self = Inbox()
        } else {
            head = end
            for event in taken { forget(event) }
            if head >= rest { compact() }
        }
        return (taken, taken.contains { $0.isOutput })
    }

    /// Makes an event of each piece of text.
    private mutating func part() {
        events = events[head...].flatMap { $0.parted }
        head = 0
        joined = 0
    }

    private mutating func forget(_ event: ChatEvent) {
        switch event {
        case .token(let text), .reasoning(let text), .chunk(let text): bytes -= text.utf8.count
        case .reset: hasReset = false
        default: break
        }
    }

    private mutating func compact() {
        events.removeFirst(head)
        head = 0
    }

    /// Forgets everything and tells how much output that was.
    mutating func dropAll() -> Undelivered {
        defer { self = Inbox() }
        return Undelivered(events[head...])
    }

    /// Forgets what an attempt has said, for an attempt that is to be repeated unseen. What tells of attempts stays.
    mutating func dropAttempt() {
        let kept = events[head...].filter { event in
            switch event {
            case .retry, .wait, .reset, .chunk: true
            default: false
            }
        }
        self = Inbox()
        for event in kept { push(event) }
    }
}

extension ChatEvent {
    /// True for tokens and reasoning.
    var isOutput: Bool {
        switch self {
        case .token, .reasoning, .run: true
        default: false
        }
    }

    /// The event, or one for each piece of text in it.
    fileprivate var parted: [ChatEvent] {
        guard case .run(let run) = self else { return [self] }
        return (0..<run.count).map { run.isReasoning ? .reasoning(run[$0]) : .token(run[$0]) }
    }
}
