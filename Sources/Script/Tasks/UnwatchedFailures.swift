// Failures of tasks and background requests that nobody waited for. Scheduler and CallRegistry add them. ScriptRuntime
// logs them shortly after, and counts them at the end of the script.

internal import Base
internal import LuaVM

/// Failures that nobody waited for.
struct UnwatchedFailures {
    /// One failure. A later wait takes it.
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

    /// Delay of the log line in seconds. A script that begins several tasks and then waits for each takes the failure first.
    private static let grace = 0.2

    private var pending: [Failure] = []
    private var reported: [Failure] = []

    /// Adds a failure.
    /// - Parameters:
    ///   - what: what failed, for the log.
    ///   - now: monotonic seconds.
    mutating func add(_ what: String, _ error: LuaError, now: Double) -> Failure {
        let failure = Failure(what, error, due: now + Self.grace)
        pending.append(failure)
        return failure
    }

    /// When the next failure is to be logged.
    var nextDeadline: Double? { pending.first?.due }

    /// Takes the lines that are due at `now`, for the log.
    mutating func takeDue(now: Double) -> [String] {
        let due = pending.prefix { $0.due <= now }
        guard !due.isEmpty else { return [] }
        pending.removeFirst(due.count)
        let lost = due.filter { !$0.isTaken }
        reported += lost
        return lost.map { "\($0.what): \($0.error.inOneLine)" }
    }

    /// The errors that were logged and not taken afterwards.
    var lost: [LuaError] { reported.filter { !$0.isTaken }.map(\.error) }
}

extension LuaError {
    /// Message and traceback in one line: the script's own frames.
    var inOneLine: String {
        let frames = traceback.split(separator: "\n").dropFirst().filter { $0.hasPrefix("\t") && !$0.hasPrefix("\t[") }
        let places = frames.map { $0.dropFirst() }.joined(separator: "; ")
        return places.isEmpty ? message : "\(message) (\(places))"
    }
}
