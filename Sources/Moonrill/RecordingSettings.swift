// Recordings of runs: what a program chooses.

internal import Recording

/// A recording of a run: one file with everything from outside that decided what the script did.
public struct RecordingSettings {
    /// What is done with the file.
    public enum Mode: Sendable {
        /// The run is written to it.
        case record
        /// The script is run against it: without network and without waiting.
        case replay
    }

    /// What is done with the file.
    public var mode: Mode
    /// The path of the recording.
    public var path: String
    /// How much faster than recorded a replay is; nil: it does not wait.
    public var speed: Double?
    /// Whether a replay sends requests that are not recorded. Otherwise the first one ends the run.
    public var asksNew = false
    /// The time limit in seconds that a recording names, for messages of its replays; nil: that of the host. A program that
    /// counts from its start leaves less to the script.
    public var timeLimit: Double?
    /// Called with one line for the user: the recording cannot be written, a request is sent, the run ended otherwise than the
    /// recorded one.
    public var notice: ((String) -> Void)?

    /// A recording in a file.
    public init(_ mode: Mode, path: String) {
        self.mode = mode
        self.path = path
    }

    func read() throws(ScriptHostError) -> RecordedRun {
        do throws(RecordingError) { return try RecordedRun(path: path) } catch {
            throw ScriptHostError(message: error.message)
        }
    }
}
