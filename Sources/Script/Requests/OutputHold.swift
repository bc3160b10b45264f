// The hold-back window: what a stream brings at first is kept from the script, so that a fallback can still take its place
// unseen. Set by a scope (flow.fallback); it opens after so many characters, or seconds, or at the end.

internal import Base
internal import Chat
internal import Engine

/// How long a stream is kept from the script.
struct OutputHold {
    /// Characters (Unicode scalars) after which it opens.
    var characters: Int
    /// Seconds after the first output.
    var seconds: Double
    /// What has come.
    fileprivate(set) var held: [ChatEvent] = []
    private var count = 0
    private var openAt: Double?

    init(characters: Int, seconds: Double) {
        self.characters = characters
        self.seconds = seconds
    }

    /// What to do with what came.
    enum Verdict {
        /// Show this.
        case open([ChatEvent])
        /// Keep it, and look again at this moment, if one is given.
        case keep(until: Double?)
    }

    /// Takes new events.
    mutating func take(_ events: [ChatEvent], now: Double) -> Verdict {
        for event in events {
            switch event {
            case .text(let batch):
                count += batch.text.unicodeScalars.count
                openAt = openAt ?? now + seconds
            case .finish: return .open(held + events)
            // Nobody has seen what it said.
            case .failed: return .open([event])
            default: break
            }
        }
        held += events
        if count >= characters || openAt.map({ $0 <= now }) == true { return .open(held) }
        return .keep(until: openAt)
    }
}

extension CallRegistry {
    /// Puts the events just taken behind the window; what may be shown becomes pending.
    func hold(_ call: Call) {
        guard var window = call.holdBack else { return }
        let events = Array(call.pending[call.next...])
        call.next = 0
        switch window.take(events, now: Engine.now()) {
        case .open(let events):
            call.holdBack = nil
            call.pending = events
        case .keep(let moment):
            call.holdBack = window
            call.pending = []
            if let moment { gathering.push(call, at: moment) }
        }
    }

    /// The request is being closed: what is held counts among what was not shown.
    func giveUpHold(_ call: Call) {
        guard let window = call.holdBack else { return }
        call.pending = window.held + call.pending[call.next...]
        call.next = 0
        call.holdBack = nil
    }
}
