// Failures of tasks and background requests that nobody waited for: logged shortly after they happen, counted at the end
// of the script. Data only; Scheduler and CallRegistry add to it, ScriptRuntime logs it.

internal import Engine
internal import LuaVM

/// What failed unwatched.
struct UnwatchedFailures {
    /// One failure. Whoever waits later takes it.
    final class Failure {
        fileprivate let what: String
        fileprivate let error: LuaError
        fileprivate let due: Double
        var isTaken = false

        fileprivate init(_ what: String, _ error: LuaError, due: Double) {
            self.what = what
            self.error = error
            self.due = due
        }
    }

    /// Delay of the log line in seconds: a script that begins several tasks and then waits for each takes the failure first.
    private static let grace = 0.2

    private var unreported: [Failure] = []
    private var reported: [Failure] = []

    /// Adds a failure.
    /// - Parameter what: what failed, for the log.
    mutating func add(_ what: String, _ error: LuaError) -> Failure {
        let failure = Failure(what, error, due: Engine.now() + Self.grace)
        unreported.append(failure)
        return failure
    }

    /// When the next one is due to be logged.
    var nextDeadline: Double? { unreported.first?.due }

    /// Takes the lines that are due at `now`, for the log.
    mutating func takeDue(now: Double) -> [String] {
        let due = unreported.prefix { $0.due <= now }
        guard !due.isEmpty else { return [] }
        unreported.removeFirst(due.count)
        let lost = due.filter { !$0.isTaken }
        reported += lost
        return lost.map { "\($0.what): \($0.error.inOneLine)" }
    }

    /// The errors that were logged and not taken since.
    var lost: [LuaError] { reported.filter { !$0.isTaken }.map(\.error) }
}

extension LuaError {
    /// Message and traceback as one line of a log: the script's own frames.
    var inOneLine: String {
        let frames = traceback.split(separator: "\n").dropFirst().filter { $0.hasPrefix("\t") && !$0.hasPrefix("\t[") }
        let places = frames.map { $0.dropFirst() }.joined(separator: "; ")
        return places.isEmpty ? message : "\(message) (\(places))"
    }
}
