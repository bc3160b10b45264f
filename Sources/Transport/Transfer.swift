// stub
/// One request on its way.
public final class Transfer {
    /// Counts up from 1 within one `Multi`.
    public let id: UInt64
    /// Whether the transfer waits for `Multi.resume`.
    public internal(set) var isPaused = false
    init(id: UInt64) { self.id = id }
}
@available(*, unavailable, message: "lives on the thread of its Multi")
extension Transfer: @unchecked Sendable {}
