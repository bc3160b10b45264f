// The hold-back window of a stream: its first output is kept from the script, so that a fallback can take its place unseen.

internal import Base
internal import Chat

/// Keeps the events of a stream until enough characters have come, or enough time has passed, or the stream ends.
struct OutputHold {
    /// Characters (Unicode scalars) after which it opens.
    private let characters: Int
    /// Seconds after the first output.
    private let seconds: Double
    /// What has come.
    private(set) var events: [ChatEvent] = []
    private var count = 0
    private var opening: Double?

    init(characters: Int, seconds: Double) {
        self.characters = characters
        self.seconds = seconds
    }

    /// What to do with the events.
    enum Decision {
        /// Deliver these.
        case open([ChatEvent])
        /// Keep them until this time, or until more has come.
        case keep(until: Double?)
    }

    /// Takes new events; none to look at the time alone.
    mutating func add(_ new: [ChatEvent], now: Double) -> Decision {
        for event in new {
            switch event {
            case .text(let batch):
                count += batch.text.unicodeScalars.count
                opening = opening ?? now + seconds
            case .finish: return .open(events + new)
            // The script has seen nothing of it.
            case .failed: return .open([event])
            default: break
            }
        }
        events += new
        if count >= characters || opening.map({ $0 <= now }) == true { return .open(events) }
        return .keep(until: opening)
    }
}
