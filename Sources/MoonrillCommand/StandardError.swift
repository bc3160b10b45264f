// Standard error: messages of the run, reasoning, and the waiting indicator.

internal import Base
internal import CProcess
internal import Glibc
internal import Moonrill
internal import Synchronization

/// Standard error, unbuffered.
enum StandardError {
    static var isTerminal: Bool { isatty(STDERR_FILENO) == 1 }
    /// True if styles are shown: a terminal with escape sequences, not disabled by the user (no-color.org,
    /// bixense.com/clicolors).
    static var showsStyle: Bool {
        isTerminal && !isDumb && ProcessEnvironment.value("NO_COLOR") == nil
            && ProcessEnvironment.value("CLICOLOR") != "0"
    }
    /// True for a terminal without cursor movement.
    static var isDumb: Bool { ["dumb", nil].contains(ProcessEnvironment.value("TERM")) }

    private static let state = Mutex(State())

    private struct State {
        var format = LogFormat.text
        var indicator = WaitingIndicator()
        var isStyled = false
        /// True if the last line written has no newline yet.
        var isLineOpen = false

        /// Ends the waiting indicator, the style and an open line before a new line.
        mutating func beginLine() {
            indicator.show(nil)
            setStyled(false)
            if isLineOpen { write("\n") }
            isLineOpen = false
        }

        mutating func setStyled(_ wanted: Bool) {
            guard wanted != isStyled else { return }
            isStyled = wanted
            // Set before and after, so that the watchdog can reset the style; shells do not.
            if wanted { mp_set_styled(true) }
            write(wanted ? "\u{1B}[2m" : "\u{1B}[0m")
            if !wanted { mp_set_styled(false) }
        }
    }

    /// Writes text unchanged. A failure cannot be reported and is ignored.
    static func write(_ text: String) { _ = Descriptor.write(Array(text.utf8), to: STDERR_FILENO) }

    /// Sets the form of messages.
    static func setFormat(_ format: LogFormat) { state.withLock { $0.format = format } }

    /// Writes a message of the run in the form of ``line(_:detail:level:)``.
    static func say(_ message: String, detail: String = "", level: String = "error") {
        beginLine()
        write(line(message, detail: detail, level: level))
    }

    /// A message with control characters escaped: "moonrill: ..." with the detail below it, or one JSON object.
    static func line(_ message: String, detail: String = "", level: String = "error") -> String {
        switch state.withLock({ $0.format }) {
        case .text:
            "moonrill: \(ControlCharacters.escaped(message, lines: .indented))\n"
                + (detail.isEmpty ? "" : ControlCharacters.escaped(detail, lines: .kept) + "\n")
        case .json:
            StandardErrorLog.object(level: level, message, detail.isEmpty ? [:] : ["traceback": .string(detail)])
        }
    }

    /// Shows the seconds of waiting; nil removes them.
    static func showWaiting(_ seconds: Double?) { state.withLock { $0.indicator.show(seconds) } }

    /// Makes the waiting indicator count down a wait at the rate limiter.
    static func noteWait(reason: String, seconds: Double) {
        state.withLock { $0.indicator.note(reason, seconds) }
    }

    /// Ends the waiting indicator, the style and an open line before a new line.
    static func beginLine() { state.withLock { $0.beginLine() } }

    /// Writes a piece of reasoning, dimmed if styles are shown.
    static func showReasoning(_ text: String, escapesControls: Bool) {
        guard !text.isEmpty else { return }
        state.withLock {
            $0.indicator.show(nil)
            $0.setStyled(showsStyle)
            write(escapesControls ? ControlCharacters.escaped(text, lines: .kept) : text)
            $0.isLineOpen = !text.hasSuffix("\n")
        }
    }
}
