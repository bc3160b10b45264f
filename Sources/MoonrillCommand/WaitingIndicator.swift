// What a person at a terminal sees while nothing has arrived yet. On standard error, and gone without a trace before
// anything else is written.

struct WaitingIndicator {
    private var isShown = false
    private static let frames = ["🌑", "🌒", "🌓", "🌔", "🌕", "🌖", "🌗", "🌘"]
    /// Quick answers should not make the line flicker, in seconds.
    private static let patience = 0.3

    /// Characters that the last line took, at least.
    private var width = 0

    mutating func show(_ seconds: Double?) {
        guard let seconds else {
            // Blanks, not an escape sequence: NO_COLOR's users get none.
            if isShown { StandardError.write("\r" + String(repeating: " ", count: width) + "\r") }
            isShown = false
            return
        }
        guard seconds >= Self.patience else { return }
        isShown = true
        let frame = Self.frames[Int(seconds * 8) % Self.frames.count]
        let text = "waiting \(Int(seconds)) s"
        // The moon takes two columns.
        width = text.count + 3
        StandardError.write("\r\(frame) \(text)")
    }
}
