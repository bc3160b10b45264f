// Whether output of a reply has arrived, for decoders.

/// What a decoder has seen of output.
struct OutputProgress: Equatable {
    /// Whether text, reasoning, a refusal or a piece of a call has arrived.
    private(set) var hasOutput = false
    /// Changes with each piece of output that is not text or reasoning.
    private(set) var count = 0

    /// Text or reasoning has arrived, which is an event of its own.
    mutating func noteText() { hasOutput = true }

    /// Other output has arrived.
    mutating func note() {
        hasOutput = true
        count &+= 1
    }
}
