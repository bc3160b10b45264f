// What a person at a terminal sees while nothing has arrived yet. On standard error, and gone without a trace before
// anything else is written.

final class WaitingIndicator {
    private var isShown = false
    private static let frames = ["🌑", "🌒", "🌓", "🌔", "🌕", "🌖", "🌗", "🌘"]
    /// Quick answers should not make the line flicker, in seconds.
    private static let patience = 0.3

    func show(_ seconds: Double?) {
        guard let seconds else {
            if isShown { StandardError.write("\r\u{1B}[K") }
            isShown = false
            return
        }
        guard seconds >= Self.patience else { return }
        isShown = true
        let frame = Self.frames[Int(seconds * 8) % Self.frames.count]
        StandardError.write("\r\(frame) waiting \(Int(seconds)) s\u{1B}[K")
    }
}
