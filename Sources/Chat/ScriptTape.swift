// The protocol between a script and the recording of its run: everything from outside that decides what the script does.

package import JSON

/// A script's view of what records its run, or of the record that it is run against. Requests pass through a
/// ``RequestBroker`` of the same recording. All calls are made on the script's thread.
package protocol ScriptTape: AnyObject {
    /// Begins a step of the script's loop. Returns its time in monotonic seconds: everything that the loop decides in
    /// the step is decided at this time.
    func beginStep() -> Double

    /// A reading of a clock that the script sees, or from which it counts.
    func reading(_ clock: TapeClock) -> Double

    /// The time for waits, in monotonic seconds. It is not recorded.
    var time: Double { get }

    /// The recorded result of a call to the outside; nil if the call is to be made, and its result passed to
    /// ``record(_:_:result:)``.
    func recorded(_ name: String, _ arguments: [JSONValue]) -> JSONValue?

    /// Records the result of a call to the outside.
    func record(_ name: String, _ arguments: [JSONValue], result: JSONValue)

    /// The next bytes of standard input; empty at its end. At most `count` bytes.
    /// - Parameter read: reads them; nil for an error, which is not recorded.
    func input(upTo count: Int, _ read: (Int) -> [UInt8]?) -> [UInt8]?

    /// Notes what the script has written to standard output.
    func noteOutput(_ bytes: [UInt8])

    /// Called at the beginning of each step.
    /// - Parameter actual: the stop that is in effect; nil for none.
    /// - Returns: the stop that must be in effect.
    func stop(atBeginning actual: TapeStop?) -> TapeStop?

    /// Called at the end of each step in which the script was stopped while it ran: by a signal or its time limit.
    func noteStop(inside actual: TapeStop)

    /// The stop that came while the script ran in the present step, and seconds since the beginning of the step; nil for
    /// none, and while the run is being recorded.
    var stopInside: (stop: TapeStop, seconds: Double)? { get }

    /// Why the run cannot go on; nil while it can.
    var verdict: TapeVerdict? { get }

    /// Called when there is a verdict. Set by the runtime, which then ends the script.
    var onVerdict: (() -> Void)? { get set }

    /// Whether the script is being stopped, or is over. Set by the runtime; a tape that waits asks it.
    var isStopping: (() -> Bool)? { get set }
}

/// A clock that a script reads.
package enum TapeClock: String, CaseIterable, Sendable {
    /// Monotonic seconds.
    case monotonic = "now"
    /// Seconds since 1970.
    case unix = "time"
    /// Seconds of processor time.
    case processor = "cpu"
}

/// A stop of a script: by a signal, the time limit, or because the time of its `__close` handlers is over.
package struct TapeStop: Hashable, Sendable {
    /// The reason: "out of time", "interrupted".
    package var reason: String
    /// The number of the signal; 0 for none.
    package var signal: Int
    /// Whether nothing runs any more, not even `__close` handlers.
    package var isKill: Bool

    /// A stop of the given kind.
    package init(reason: String, signal: Int, isKill: Bool) {
        self.reason = reason
        self.signal = signal
        self.isKill = isKill
    }
}

/// Why a run against a record cannot go on.
package enum TapeVerdict: Hashable, Sendable {
    /// The run differs from the record, or the record ends too early; the message.
    case failed(String)
    /// The recorded run ended here because its output was closed.
    case outputClosed
    /// The recorded run ended here by a signal.
    case interrupted(Int)
    /// The recorded run ended here by its time limit.
    case timedOut
}

/// Bytes as JSON in a record: a string, or, if they are not UTF-8, an array of strings and arrays of single bytes. Keys in
/// them are then found as in any other text.
package enum RecordedBytes {
    /// The bytes as JSON.
    package static func json(_ bytes: [UInt8]) -> JSONValue {
        if let text = String(validating: bytes, as: UTF8.self) { return .string(text) }
        var parts: [JSONValue] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            let text = validPrefix(rest)
            if !text.isEmpty { parts.append(.string(String(decoding: text, as: UTF8.self))) }
            rest = rest.dropFirst(text.count)
            var odd: [JSONValue] = []
            while let byte = rest.first, validPrefix(rest.prefix(4)).isEmpty {
                odd.append(.int(Int64(byte)))
                rest = rest.dropFirst()
            }
            if !odd.isEmpty { parts.append(.array(odd)) }
        }
        return .array(parts)
    }

    /// The bytes of that form; nil if the value is none.
    package static func bytes(_ json: JSONValue) -> [UInt8]? {
        switch json {
        case .string(let text): return Array(text.utf8)
        case .array(let parts):
            var bytes: [UInt8] = []
            for part in parts {
                if let text = part.string {
                    bytes += text.utf8
                } else if let odd = part.array {
                    for value in odd {
                        guard let byte = value.int.flatMap({ UInt8(exactly: $0) }) else { return nil }
                        bytes.append(byte)
                    }
                } else {
                    return nil
                }
            }
            return bytes
        default: return nil
        }
    }

    /// The longest beginning that is UTF-8.
    private static func validPrefix(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        var iterator = bytes.makeIterator()
        var decoder = UTF8()
        var count = 0
        while case .scalarValue(let scalar) = decoder.decode(&iterator) { count += UTF8.width(scalar) }
        return bytes.prefix(count)
    }
}
