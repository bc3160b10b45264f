// The store that the commands logs and jobs read, and what they print.

internal import ArgumentParser
internal import Base
internal import Journal
internal import Moonrill

/// `--store` of the commands that read a store.
struct StoreLocation: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The store of recorded requests (MOONRILL_STORE, else moonrill/moonrill.db in XDG_STATE_HOME).",
            valueName: "file"))
    var store: String?

    /// The path of the store.
    /// - Throws: ``CommandFailure`` if no place for one is known.
    func path() throws(CommandFailure) -> String {
        guard let path = store ?? JournalSettings.defaultPath else { throw Self.unknown }
        return path
    }

    /// Calls `body` with the log; with nil if there is no store.
    /// - Throws: ``CommandFailure``.
    func read<Answer>(_ body: (RequestLog?) throws -> Answer) throws -> Answer {
        do {
            let log = try RequestLog.open(path())
            defer { log?.close() }
            return try body(log)
        } catch let error as StoreError {
            throw CommandFailure(error)
        }
    }

    /// Whether the user has turned the log off.
    static var isLogOff: Bool { logSwitch?.isOff ?? false }

    /// The switch beside the default store; nil if no place for one is known.
    static var logSwitch: LogSwitch? { JournalSettings.defaultPath.map { LogSwitch(store: $0) } }

    static let unknown = CommandFailure(
        message: "no store is known: HOME is not set; name a file with --store", status: ExitStatus.usage)
}

extension CommandFailure {
    init(_ error: StoreError) {
        self.init(
            message: error.message, status: error.kind == .jobRunning ? ExitStatus.tryAgain : ExitStatus.failure)
    }
}

/// Writes lines until the output is closed.
struct LineWriter {
    private let output = StandardOutput(escapesControls: StandardOutput.isTerminal)

    /// Writes a line.
    /// - Returns: false if the reader has closed the output.
    @discardableResult func write(_ line: String) throws(CommandFailure) -> Bool {
        let isOpen = output.write(Array((line + "\n").utf8))
        if let loss = output.loss { throw CommandFailure(message: loss, status: ExitStatus.failure) }
        // Nothing is open that needs an end: the store is only read.
        if !isOpen { ProcessSetup.end(ExitStatus.outputClosed) }
        return isOpen
    }
}

/// Text from the store, for a terminal or a file.
enum ShownText {
    /// The text; without controls on a terminal.
    static func whole(_ text: String) -> String {
        StandardOutput.isTerminal ? ControlCharacters.escaped(text, lines: .kept) : text
    }

    /// The text as one line without controls, for a cell of a table. White space is one space.
    static func line(_ text: String) -> String {
        ControlCharacters.escaped(text.split(whereSeparator: \.isWhitespace).joined(separator: " "), lines: .escaped)
    }
}
