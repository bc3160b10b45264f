// The waiting indicator on a terminal: a line on standard error that is erased before anything else is written.

internal import Base
internal import Glibc

struct WaitingIndicator {
    private var isShown = false
    private static let frames = ["🌑", "🌒", "🌓", "🌔", "🌕", "🌖", "🌗", "🌘"]
    /// Seconds without the line, so that it does not flicker with quick answers.
    private static let patience = 0.3

    /// The width of the last line in columns.
    private var width = 0

    /// The reason of a wait at the rate limiter, and its end.
    private var limit: (reason: String, end: Double)?
    /// Maximum characters of a reason.
    private static let longestReason = 60

    /// Counts down a wait at the rate limiter from now on.
    mutating func note(_ reason: String, _ seconds: Double) {
        limit = (
            ControlCharacters.escaped(String(reason.prefix(Self.longestReason)), lines: .indented),
            SystemClock.now() + min(seconds, 1e6)
        )
    }

    mutating func show(_ seconds: Double?) {
        guard let seconds else {
            // Blanks instead of an escape sequence, because of NO_COLOR.
            if isShown { StandardError.write("\r" + String(repeating: " ", count: width) + "\r") }
            isShown = false
            width = 0
            return
        }
        guard seconds >= Self.patience else { return }
        isShown = true
        let frame = Self.frames[Int(seconds * 8) % Self.frames.count]
        var text = "waiting \(Int(seconds)) s"
        let left = limit.map { ($0.end - SystemClock.now()).rounded(.up) } ?? 0
        if left > 0, let limit { text = "waiting \(Int(left)) s for a limit (\(limit.reason))" } else { limit = nil }
        // Blanks erase the rest of a longer line. The moon takes two columns.
        let blanks = String(repeating: " ", count: max(0, width - text.count - 3))
        width = max(width, text.count + 3)
        StandardError.write("\r\(frame) \(text)\(blanks)")
    }
}
