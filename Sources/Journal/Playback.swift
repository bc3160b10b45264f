// Delivers a recorded reply as a broker delivers a live one.

internal import Base
internal import Chat
internal import JSON

/// A recorded reply that is being delivered. A value without clock: times are passed in.
struct Playback {
    /// Events that are delivered in one go, as an engine's inbox holds.
    private static let portion = 512

    private var events: ArraySlice<TimedEvent>
    private var terminal: ChatEvent?
    private let reply: Reply
    /// How much faster than recorded; nil at once.
    private let pace: Double?
    private let startedAt: Double
    private(set) var isPaused = false
    /// What was taken, for a reply that the client stops.
    private var text = TextBuilder()
    private var reasoning = TextBuilder()

    /// A playback that begins at `now`.
    init(_ record: RecordedReply, pace: Double?, now: Double) {
        var reply = record.reply
        reply.isCached = record.isCached
        var events = record.events
        if case .start(let info)? = events.first?.event {
            events[0].event = Self.start(info, isCached: record.isCached)
        } else {
            let info = StartInfo(id: reply.id, model: reply.model, attempt: 1)
            events.insert(TimedEvent(time: 0, event: Self.start(info, isCached: record.isCached)), at: 0)
        }
        self.events = events[...]
        self.reply = reply
        self.pace = pace
        startedAt = now
        terminal = .finish(reply)
    }

    private static func start(_ info: StartInfo, isCached: Bool) -> ChatEvent {
        var info = info
        info.attempt = 1
        info.isCached = isCached
        return .start(info)
    }

    /// When the next event may be taken; nil while paused and after the end.
    var nextTime: Double? {
        guard !isPaused, terminal != nil else { return nil }
        guard let pace else { return startedAt }
        return startedAt + (events.first?.time ?? max(reply.totalTime, 0)) / pace
    }

    /// Whether the last event was taken.
    var isOver: Bool { terminal == nil }

    /// Removes and returns the events that are due; the last one alone.
    mutating func take(now: Double) -> [ChatEvent] {
        guard let nextTime, nextTime <= now else { return [] }
        guard !events.isEmpty else {
            defer { terminal = nil }
            return terminal.map { [$0] } ?? []
        }
        var taken: [ChatEvent] = []
        while taken.count < Self.portion, let next = events.first,
            pace.map({ startedAt + next.time / $0 <= now }) ?? true
        {
            events.removeFirst()
            note(next.event)
            taken.append(next.event)
        }
        return taken
    }

    private mutating func note(_ event: ChatEvent) {
        guard case .text(let batch) = event else { return }
        switch batch.kind {
        case .text: text.append(batch)
        case .reasoning: reasoning.append(batch)
        }
    }

    mutating func pause() { isPaused = true }

    mutating func resume() { isPaused = false }

    /// The client stops it, or cancels it: what was not taken is dropped.
    mutating func end(_ undelivered: Undelivered, isCancelled: Bool, provider: String, model: String) {
        guard terminal != nil else { return }
        var taken = reply
        taken.text = text.text
        taken.reasoning = reasoning.text
        events = []
        isPaused = false
        terminal = PartialEnd(taken, undelivered).event(isCancelled: isCancelled, provider: provider, model: model)
    }
}
