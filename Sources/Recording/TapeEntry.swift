// The lines of a recording after the first one.

internal import Base
internal import Chat
internal import JSON

/// One line. Lines are in the order in which things happened.
enum TapeEntry: Sendable {
    /// A step of the loop begins at this time (monotonic seconds).
    case step(Double)
    /// A stop is in effect from the beginning of the step on.
    case stop(TapeStop)
    /// A stop came while the script ran, so many seconds after the beginning of the step.
    case stopInside(TapeStop, seconds: Double)
    /// The broker named a request with events, after so many empty answers in the step.
    case ready(RequestID, round: Int)
    case take(RequestID, [ChatEvent])
    case start(RequestID, RequestSpec)
    /// The script has stopped the request, or cancelled it.
    case breakOff(RequestID, Undelivered, isCancel: Bool)
    case reading(TapeClock, Double)
    case outside(String, [JSONValue], JSONValue)
    /// Bytes of standard input; none at its end.
    case input([UInt8])
    case end(RecordedEnd)

    /// The line as JSON. The first member names the entry.
    func json() throws -> JSONValue {
        let encoder = JSONValueEncoder()
        switch self {
        case .step(let time): return ["step": .double(time)]
        case .stop(let stop): return .object(Self.line(stop))
        case .stopInside(let stop, let seconds):
            var line = Self.line(stop)
            line["after"] = .double(seconds)
            return .object(line)
        case .ready(let id, let round):
            return round == 0
                ? ["ready": .int(Int64(clamping: id.raw))]
                : ["ready": .int(Int64(clamping: id.raw)), "round": .int(Int64(round))]
        case .take(let id, let events):
            return ["take": .int(Int64(clamping: id.raw)), "events": try encoder.encode(events)]
        case .start(let id, let spec):
            return ["start": .int(Int64(clamping: id.raw)), "request": try encoder.encode(spec)]
        case .breakOff(let id, let undelivered, let isCancel):
            return [
                isCancel ? "cancel" : "end": .int(Int64(clamping: id.raw)),
                "undelivered": try encoder.encode(undelivered),
            ]
        case .reading(let clock, let value): return .object([clock.rawValue: .double(value)])
        case .outside(let name, let arguments, let result):
            return ["call": .string(name), "arguments": .array(arguments), "result": result]
        case .input(let bytes): return ["input": RecordedBytes.json(bytes)]
        case .end(let end):
            var line: JSONObject = ["outcome": .string(end.outcome.rawValue), "status": .int(Int64(end.status))]
            line["output_sha256"] = end.outputDigest.map(JSONValue.string)
            return .object(line)
        }
    }

    private static func line(_ stop: TapeStop) -> JSONObject {
        ["stop": .string(stop.reason), "signal": .int(Int64(stop.signal)), "kill": .bool(stop.isKill)]
    }

    /// Bound on seconds that are waited, and on rounds: a damaged number must not overflow later.
    private static let longest = 1e6

    /// Reads a line; nil if it is damaged.
    init?(_ line: JSONValue) {
        guard let first = line.object?.members.first else { return nil }
        func id() -> RequestID? { first.value.int.flatMap { UInt64(exactly: $0) }.map { RequestID($0) } }
        func decoded<Value: Decodable>(_ type: Value.Type, _ name: String) -> Value? {
            // Nil says that the line is damaged.
            line[name].flatMap { try? JSONValueDecoder().decode(type, from: $0) }
        }
        switch first.key {
        case "step":
            guard let time = first.value.double else { return nil }
            self = .step(time)
        case "stop":
            guard let reason = first.value.string, let signal = line["signal"]?.int, (0...64).contains(signal),
                let kill = line["kill"]?.bool
            else { return nil }
            let stop = TapeStop(reason: reason, signal: Int(signal), isKill: kill)
            self =
                line["after"]?.double.map { .stopInside(stop, seconds: min(max($0, 0), Self.longest)) } ?? .stop(stop)
        case "ready":
            guard let id = id() else { return nil }
            self = .ready(id, round: Int(min(line["round"]?.int ?? 0, Int64(Self.longest))))
        case "take":
            guard let id = id(), let events = decoded([ChatEvent].self, "events") else { return nil }
            self = .take(id, events)
        case "start":
            guard let id = id(), let spec = decoded(RequestSpec.self, "request") else { return nil }
            self = .start(id, spec)
        case "end", "cancel":
            guard let id = id(), let undelivered = decoded(Undelivered.self, "undelivered") else { return nil }
            self = .breakOff(id, undelivered, isCancel: first.key == "cancel")
        case "call":
            guard let name = first.value.string, let arguments = line["arguments"]?.array, let result = line["result"]
            else { return nil }
            self = .outside(name, arguments, result)
        case "input":
            guard let bytes = RecordedBytes.bytes(first.value) else { return nil }
            self = .input(bytes)
        case "outcome":
            guard let outcome = first.value.string.flatMap(RecordedEnd.Outcome.init), let status = line["status"]?.int,
                (0...255).contains(status)
            else { return nil }
            var end = RecordedEnd(outcome: outcome, status: Int(status))
            end.outputDigest = line["output_sha256"]?.string
            self = .end(end)
        default:
            guard let clock = TapeClock(rawValue: first.key), let value = first.value.double else { return nil }
            self = .reading(clock, value)
        }
    }
}
