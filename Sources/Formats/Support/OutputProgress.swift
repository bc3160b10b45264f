// Tracks for a decoder whether output of a reply has arrived.

/// The output that a decoder has seen.
struct OutputProgress: Equatable {
    /// Whether text, reasoning, a refusal or a piece of a call has arrived.
    private(set) var hasOutput = false
    /// Changes with each piece of output that is not text or reasoning.
    private(set) var count = 0

    /// Notes text or reasoning, which also has an event of its own.
    mutating func noteText() { hasOutput = true }

    /// Notes other output.
    mutating func note() {
        hasOutput = true
        count &+= 1
    }
}
