// The clocks of a script. Without a recording they are those of the system.

internal import Base
internal import Chat

/// Every reading of a clock in this module. A run that is recorded, or run against a record, decides everything in a step
/// at the time of that step, and its other readings are recorded.
final class ScriptClock {
    private let tape: (any ScriptTape)?
    private var stepTime = 0.0

    init(tape: (any ScriptTape)? = nil) { self.tape = tape }

    /// Begins a step of the loop.
    func beginStep() { if let tape { stepTime = tape.beginStep() } }

    /// Monotonic seconds at which the loop decides what is due.
    func decisionTime() -> Double { tape == nil ? SystemClock.now() : stepTime }

    /// Monotonic seconds for the script, and for what it sets off.
    func now() -> Double { tape?.reading(.monotonic) ?? SystemClock.now() }

    /// Seconds since 1970.
    func unixTime() -> Double { tape?.reading(.unix) ?? SystemClock.unixTime() }

    /// Monotonic seconds for the length of a wait.
    func waitTime() -> Double { tape?.time ?? SystemClock.now() }
}
