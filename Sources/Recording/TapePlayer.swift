// Runs a script against a recording: the tape that gives it what the recorded run got.

internal import Base
package import Chat
internal import Glibc
package import JSON

/// The tape of a replay. While the script does what the recorded one did, each step gets what that step got. A script that was
/// changed gets what is recorded as soon as it asks for it, and past the end of the recording time moves on by itself.
/// To be used on the script's thread.
package final class TapePlayer: ScriptTape {
    /// What a replay may do.
    package struct Options {
        /// Whether requests that are not recorded are sent.
        package var asksNew = false
        /// How much faster than recorded; nil: without waiting.
        package var speed: Double?
        /// The base URL of the offline provider of this run; nil without one.
        package var offlineBaseURL: String?
        /// The key of a variable, to compare requests as they are recorded.
        package var credentials: (String) -> String? = { _ in nil }
        /// Variables that may hold keys.
        package var keyVariables: [String] = []
        /// Takes one line for the user.
        package var notice: (String) -> Void = { _ in }

        package init() {}
    }

    /// The source of time.
    private enum Pace {
        /// The recorded steps.
        case recorded
        /// After a new request: the time of the system, counted from a moment of the recording.
        case live(recorded: Double, actual: Double)
    }

    /// Seconds by which time moves on at a reading that is not recorded, so that a loop that waits for a time ends.
    private static let tick = 0.001

    let run: RecordedRun
    let options: Options
    private let name: String
    private var pace = Pace.recorded
    /// The index of the present step; at or past the end of `run.steps` behind the recording.
    private(set) var step = -1
    private var virtualTime: Double
    private var readings: [TapeClock: ArraySlice<Double>] = [:]
    private var calls: [String: ArraySlice<JSONValue>] = [:]
    private var input: ArraySlice<[UInt8]>
    private var inputRest: ArraySlice<UInt8> = []
    /// Bytes of standard input that came from the recording, and whether its end did.
    private var inputCount = 0
    private var isInputOver = false
    private var output = SHA256.Stream()
    private(set) var scrubber = KeyScrubber()
    private var seenVariables: Set<String> = []
    private let startedAt = SystemClock.now()

    package var onVerdict: (() -> Void)?
    package var isStopping: (() -> Bool)?
    package private(set) var verdict: TapeVerdict?

    /// A tape that plays `run`.
    /// - Parameter name: the path of the recording, for messages.
    package init(_ run: RecordedRun, name: String, options: Options) {
        self.run = run
        self.name = name
        self.options = options
        virtualTime = run.header.startedAt.monotonic
        calls = run.calls.mapValues { $0[...] }
        input = run.input[...]
        for variable in options.keyVariables { hide(variable) }
    }

    func hide(_ variable: String) {
        guard seenVariables.insert(variable).inserted else { return }
        options.credentials(variable).map { scrubber.add($0) }
    }

    // MARK: The end

    /// Ends the run, unless it is ending.
    func end(_ verdict: TapeVerdict) {
        guard self.verdict == nil else { return }
        self.verdict = verdict
        onVerdict?()
    }

    /// Ends the run because it differs from the recording `name`.
    func fail(_ message: String) { end(.failed("\(name): \(message)")) }

    /// What the user should know of a replay that has ended like this; nil if it ended as recorded.
    package func difference(from end: RecordedEnd) -> String? {
        guard verdict == nil, let recorded = run.end else { return nil }
        if recorded.outcome != end.outcome || recorded.status != end.status {
            return "the run ended otherwise than the recorded one: \(end.outcome.rawValue) with status \(end.status), "
                + "recorded: \(recorded.outcome.rawValue) with status \(recorded.status)"
        }
        guard let digest = recorded.outputDigest, digest != output.hex else { return nil }
        return "the output differs from that of the recorded run"
    }

    // MARK: Time

    package var time: Double {
        guard case .live(let recorded, let actual) = pace else { return virtualTime }
        return recorded + SystemClock.now() - actual
    }

    var isLive: Bool { if case .live = pace { true } else { false } }

    /// Whether every recorded step has been taken.
    var isExhausted: Bool { step + 1 >= run.steps.count }

    /// From here on time is that of the system.
    func goLive() {
        guard !isLive else { return }
        pace = .live(recorded: virtualTime, actual: SystemClock.now())
        readings = [:]
    }

    /// Moves time on behind the recording.
    func wait(_ seconds: Double) { if !isLive { virtualTime += seconds } }

    /// When the next step is due at the pace that the user wants, in monotonic seconds of the system.
    var nextDue: Double? {
        guard let speed = options.speed, let first = run.steps.first, !isExhausted else { return nil }
        return startedAt + (run.steps[step + 1].time - first.time) / speed
    }

    package func beginStep() -> Double {
        if isLive { return time }
        step += 1
        readings = [:]
        guard step < run.steps.count else { return virtualTime }
        // A changed script may have moved time on by its own readings.
        virtualTime = max(virtualTime, run.steps[step].time)
        readings = run.steps[step].readings.mapValues { $0[...] }
        return run.steps[step].time
    }

    package func reading(_ clock: TapeClock) -> Double {
        if let recorded = readings[clock]?.popFirst() {
            if clock == .monotonic { virtualTime = max(virtualTime, recorded) }
            return recorded
        }
        if !isLive { virtualTime += Self.tick }
        switch clock {
        case .monotonic: return time
        case .unix: return run.header.startedAt.unix + time - run.header.startedAt.monotonic
        case .processor: return time - run.header.startedAt.monotonic
        }
    }

    // MARK: The outside

    package func recorded(_ name: String, _ arguments: [JSONValue]) -> JSONValue? {
        let key = RecordedRun.key(name, arguments)
        guard let results = calls[key], let first = results.first else { return nil }
        // What was asked once more gets the last answer.
        if results.count > 1 { calls[key]?.removeFirst() }
        return first
    }

    package func record(_ name: String, _ arguments: [JSONValue], result: JSONValue) {}

    package func input(upTo count: Int, _ read: (Int) -> [UInt8]?) -> [UInt8]? {
        if inputRest.isEmpty, !isInputOver {
            guard let next = input.popFirst() else { return inputBehindTheRecording(upTo: count, read) }
            inputRest = next[...]
            inputCount += next.count
            isInputOver = next.isEmpty
        }
        let part = inputRest.prefix(count)
        inputRest = inputRest.dropFirst(count)
        return Array(part)
    }

    /// The recorded run has read no further.
    private func inputBehindTheRecording(upTo count: Int, _ read: (Int) -> [UInt8]?) -> [UInt8]? {
        guard options.asksNew else {
            fail("the recording ends here: what the script reads now of standard input is not recorded")
            return []
        }
        // What is recorded is the beginning of the same input.
        while inputCount > 0 {
            guard let skipped = read(min(inputCount, 1 << 16)), !skipped.isEmpty else { break }
            inputCount -= skipped.count
        }
        inputCount = 0
        return read(count)
    }

    package func noteOutput(_ bytes: [UInt8]) { output.add(bytes) }

    // MARK: Stops

    private var presentStep: RecordedRun.Step? {
        !isLive && run.steps.indices.contains(step) ? run.steps[step] : nil
    }

    package func stop(atBeginning actual: TapeStop?) -> TapeStop? {
        guard let recorded = presentStep?.stop else { return actual }
        // A kill cannot be taken back.
        return actual?.isKill == true ? actual : recorded
    }

    package func noteStop(inside actual: TapeStop) {}

    package var stopInside: (stop: TapeStop, seconds: Double)? { presentStep?.stopInside }
}

@available(*, unavailable)
extension TapePlayer: Sendable {}
