// Standard error: messages of the run, a model's reasoning, and what a terminal shows meanwhile.

internal import Base
internal import CProcess
internal import Glibc
internal import Moonrill
internal import Synchronization

/// Standard error, unbuffered.
enum StandardError {
    static var isTerminal: Bool { isatty(STDERR_FILENO) == 1 }
    /// True where a style can be shown: a terminal that knows escape sequences, of a user who wants them (no-color.org,
    /// bixense.com/clicolors).
    static var showsStyle: Bool {
        isTerminal && !isDumb && ProcessEnvironment.value("NO_COLOR") == nil
            && ProcessEnvironment.value("CLICOLOR") != "0"
    }
    /// True for a terminal that moves no cursor.
    static var isDumb: Bool { ["dumb", nil].contains(ProcessEnvironment.value("TERM")) }

    private static let state = Mutex(State())

    private struct State {
        var format = LogFormat.text
        var indicator = WaitingIndicator()
        var isStyled = false
        /// True while the last line written has no end.
        var isLineOpen = false

        /// Ends what was shown before a line of its own: the waiting indicator, a style, an open line.
        mutating func beginLine() {
            indicator.show(nil)
            setStyled(false)
            if isLineOpen { write("\n") }
            isLineOpen = false
        }

        mutating func setStyled(_ wanted: Bool) {
            guard wanted != isStyled else { return }
            isStyled = wanted
            // Told before and after: whatever ends the process in between resets the terminal, which no shell does.
            if wanted { mp_set_styled(true) }
            write(wanted ? "\u{1B}[2m" : "\u{1B}[0m")
            if !wanted { mp_set_styled(false) }
        }
    }

    /// Writes text as it is. Where even this fails there is nobody left to tell.
    static func write(_ text: String) { _ = Descriptor.write(Array(text.utf8), to: STDERR_FILENO) }

    /// Sets how messages are written.
    static func setFormat(_ format: LogFormat) { state.withLock { $0.format = format } }

    /// Writes a message about the run, as ``line(_:detail:level:)`` makes it.
    static func say(_ message: String, detail: String = "", level: String = "error") {
        beginLine()
        write(line(message, detail: detail, level: level))
    }

    /// A message with its controls escaped: "moonrill: ..." and the detail below it, or one JSON object.
    static func line(_ message: String, detail: String = "", level: String = "error") -> String {
        switch state.withLock({ $0.format }) {
        case .text:
            "moonrill: \(ControlCharacters.escaped(message, lines: .indented))\n"
                + (detail.isEmpty ? "" : ControlCharacters.escaped(detail, lines: .kept) + "\n")
        case .json:
            StandardErrorLog.object(level: level, message, detail.isEmpty ? [:] : ["traceback": .string(detail)])
        }
    }

    /// Shows seconds of waiting; nil takes them away.
    static func showWaiting(_ seconds: Double?) { state.withLock { $0.indicator.show(seconds) } }

    /// Lets the waiting indicator count down a wait at the rate limiter.
    static func noteWait(reason: String, seconds: Double) {
        state.withLock { $0.indicator.note(reason, seconds) }
    }

    /// Ends what was shown before a line of its own.
    static func beginLine() { state.withLock { $0.beginLine() } }

    /// Writes a piece of a model's reasoning, dimmed where that can be shown.
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
