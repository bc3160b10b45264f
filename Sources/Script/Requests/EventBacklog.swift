// Events that were taken from the engine and not delivered to the script.

internal import Base
internal import Chat

/// The events of one request between the engine and the script, oldest first.
struct EventBacklog {
    private var events: [ChatEvent] = []
    /// Index of the next event.
    private var next = 0
    /// Pieces of the batch at `next` that have been delivered.
    private var deliveredPieces = 0
    /// Keeps the first output back until it opens.
    private var hold: OutputHold?

    init(hold: OutputHold? = nil) { self.hold = hold }

    /// Nothing can be delivered.
    @inline(__always)
    var isEmpty: Bool { next >= events.count }

    /// The last event of the request is here.
    var hasLast: Bool { !isEmpty && events[events.count - 1].isTerminal }

    /// Appends events taken from the engine.
    /// - Parameter clock: monotonic seconds.
    /// - Returns: when a hold opens by time, if it is to be looked at again.
    mutating func append(_ taken: [ChatEvent], clock: () -> Double) -> Double? {
        guard hold != nil else {
            if isEmpty { replace(with: taken) } else if !taken.isEmpty { events += taken }
            return nil
        }
        switch hold?.add(taken, now: clock()) {
        case .open(let released)?:
            hold = nil
            replace(with: released)
            return nil
        case .keep(let opening)?: return opening
        case nil: return nil
        }
    }

    private mutating func replace(with taken: [ChatEvent]) {
        events = taken
        next = 0
        deliveredPieces = 0
    }

    /// The next event, without removing it.
    var first: ChatEvent? { isEmpty ? nil : events[next] }

    /// Removes the next event. A text batch gives its pieces one by one.
    mutating func popFirst() -> ChatEvent? {
        guard let event = first else { return nil }
        guard case .text(let batch) = event, batch.count > 1 else {
            next += 1
            return event
        }
        let piece = batch[deliveredPieces]
        advance(by: 1)
        return .text(TextBatch(piece, batch.kind))
    }

    /// Text is next.
    @inline(__always)
    var beginsWithBatch: Bool {
        if !isEmpty, case .text = events[next] { true } else { false }
    }

    /// The text batch that is next, and the pieces of it that have not been delivered.
    @inline(__always)
    var firstBatch: (batch: TextBatch, range: Range<Int>)? {
        guard !isEmpty, case .text(let batch) = events[next] else { return nil }
        return (batch, deliveredPieces..<batch.count)
    }

    /// Removes pieces of the text batch that is next.
    mutating func advance(by pieces: Int) {
        guard let (_, range) = firstBatch else { return }
        deliveredPieces += pieces
        guard pieces >= range.count else { return }
        deliveredPieces = 0
        next += 1
    }

    /// Drops everything but the last event of the request, if that has come: the engine has then forgotten the request.
    /// - Parameter inBatch: pieces delivered of the batch at hand that ``advance(by:)`` has not removed.
    /// - Returns: the output that was dropped.
    mutating func close(deliveredPieces inBatch: Int) -> Undelivered {
        var undelivered = Undelivered()
        if let held = hold?.events { undelivered = Undelivered(held) }
        hold = nil
        var rest = events[next...]
        if let (batch, range) = firstBatch {
            undelivered.count(batch, from: range.lowerBound + inBatch)
            rest = rest.dropFirst()
        }
        for event in rest { undelivered.count(event) }
        replace(with: rest.last.flatMap { $0.isTerminal ? [$0] : nil } ?? [])
        return undelivered
    }
}
