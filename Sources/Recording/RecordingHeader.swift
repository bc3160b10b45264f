// The first line of a recording: the format's version, the script and how it was started.

internal import Base
internal import Chat
package import JSON

/// What a recording says of its run as a whole.
package struct RecordingHeader: Hashable, Sendable {
    /// The version of the format. A reader refuses later ones.
    package static let version: Int64 = 1

    /// The script's name in messages.
    package var name: String
    /// The script's text.
    package var source: [UInt8]
    /// The script's arguments.
    package var arguments: [String]
    /// `arg[0]`, if it is not the name.
    package var argumentZero: String?
    /// The time limit in seconds.
    package var timeLimit: Double?
    /// The base URL of the offline provider of the run; nil without one.
    package var offlineBaseURL: String?
    /// What the host needs to make the same requests: defaults and providers. Without keys.
    package var settings: JSONValue = .object([:])
    /// The version of the program.
    package var program = Product.version
    /// Both clocks at the start: monotonic seconds, and seconds since 1970.
    package var startedAt: (monotonic: Double, unix: Double) = (0, 0)

    /// The header of a script without arguments.
    package init(name: String, source: [UInt8], arguments: [String] = []) {
        self.name = name
        self.source = source
        self.arguments = arguments
    }

    package static func == (a: RecordingHeader, b: RecordingHeader) -> Bool { a.json == b.json }

    package func hash(into hasher: inout Hasher) { hasher.combine(json) }

    /// The line.
    var json: JSONValue {
        var line: JSONObject = [
            "moonrill_recording": .int(Self.version), "moonrill": .string(program), "name": .string(name),
            "arguments": .array(arguments.map(JSONValue.string)), "now": .double(startedAt.monotonic),
            "time": .double(startedAt.unix),
        ]
        line["argument_zero"] = argumentZero.map(JSONValue.string)
        line["time_limit"] = timeLimit.map(JSONValue.double)
        line["offline"] = offlineBaseURL.map(JSONValue.string)
        line["settings"] = settings
        line["source"] = RecordedBytes.json(source)
        return .object(line)
    }

    /// Whether the line is the header of a recording, of whatever version.
    static func version(of line: JSONValue) -> Int64? { line["moonrill_recording"]?.int }

    /// Reads the line; nil if it is damaged.
    init?(_ line: JSONValue) {
        guard let name = line["name"]?.string, let source = line["source"].flatMap(RecordedBytes.bytes),
            let arguments = line["arguments"]?.array?.map(\.string), !arguments.contains(nil),
            let now = line["now"]?.double, let time = line["time"]?.double
        else { return nil }
        self.init(name: name, source: source, arguments: arguments.compactMap(\.self))
        argumentZero = line["argument_zero"]?.string
        timeLimit = line["time_limit"]?.double
        offlineBaseURL = line["offline"]?.string
        settings = line["settings"] ?? .object([:])
        program = line["moonrill"]?.string ?? ""
        startedAt = (now, time)
    }
}

/// How a recorded run has ended.
package struct RecordedEnd: Hashable, Sendable {
    /// The kinds of ends.
    package enum Outcome: String, Hashable, Sendable {
        case finished, exited, failed
        case timedOut = "timed_out"
        case interrupted
        case outputClosed = "output_closed"
    }

    /// The kind of end.
    package var outcome: Outcome
    /// The exit status of the command.
    package var status: Int
    /// SHA-256 of standard output in hexadecimal; nil if the end was not recorded by a tape.
    package var outputDigest: String?

    /// An end of that kind.
    package init(outcome: Outcome, status: Int) {
        self.outcome = outcome
        self.status = status
    }
}
