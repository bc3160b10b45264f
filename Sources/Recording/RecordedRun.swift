// Reads a recording.

internal import Base
package import Chat
internal import Glibc
internal import JSON

/// A recording that was read.
package struct RecordedRun: Sendable {
    /// What the script got in one step of its loop.
    struct Step: Sendable {
        var time: Double
        var readings: [TapeClock: [Double]] = [:]
        var stop: TapeStop?
        var stopInside: (stop: TapeStop, seconds: Double)?
    }

    /// A request with events, in the order in which the broker named them.
    struct Ready: Sendable {
        var step: Int
        var round: Int
        var id: RequestID
    }

    /// Events that were taken in one go.
    struct Take: Sendable {
        var step: Int
        var events: [ChatEvent]
    }

    /// A request that the script broke off after so many takes.
    struct BreakOff: Hashable, Sendable {
        var takes: Int
        var undelivered: Undelivered
        var isCancel: Bool
    }

    /// A request and everything that came of it.
    package struct Request: Sendable {
        package var id: RequestID
        /// As recorded: without keys.
        package var spec: RequestSpec
        /// The step in which it began.
        var step: Int
        var takes: [Take] = []
        var breakOffs: [BreakOff] = []

        /// All its events in order, the last one included if it has come.
        package var events: [ChatEvent] { takes.flatMap(\.events) }
    }

    /// What the recording says of the run as a whole.
    package var header: RecordingHeader
    /// The requests in the order in which they began.
    package private(set) var requests: [Request] = []
    /// How the run ended; nil if it was broken off.
    package private(set) var end: RecordedEnd?
    private(set) var steps: [Step] = []
    private(set) var ready: [Ready] = []
    private(set) var input: [[UInt8]] = []
    /// The results of calls to the outside, by name and arguments.
    private(set) var calls: [String: [JSONValue]] = [:]

    /// The key of a call to the outside.
    static func key(_ name: String, _ arguments: [JSONValue]) -> String {
        name + String(decoding: CanonicalJSON.bytes(.array(arguments)), as: UTF8.self)
    }

    /// Reads the recording at `path`. A last line without its end is ignored: the run was broken off while it was written.
    /// - Throws: ``RecordingError`` that names file and line.
    package init(path: String) throws(RecordingError) {
        try self.init(try Self.content(of: path), name: path)
    }

    /// Reads the content of a recording.
    /// - Parameter name: the path, for messages.
    package init(_ content: [UInt8], name: String) throws(RecordingError) {
        var lines = content.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        // Behind the last line end: nothing, or a torn line.
        lines.removeLast()
        guard let first = lines.first else { throw RecordingError("\(name) is no recording of moonrill") }
        header = try Self.header(Array(first), name)
        for (index, line) in lines.enumerated().dropFirst() {
            // Nil says that the line is damaged.
            guard let value = try? JSONReader.strictValue(Array(line)), let entry = TapeEntry(value), add(entry) else {
                throw RecordingError(
                    "the recording \(name) is damaged in line \(index + 1): the lines before it can be kept in a file "
                        + "of their own (head -n \(index))")
            }
        }
    }

    private static func header(_ line: [UInt8], _ name: String) throws(RecordingError) -> RecordingHeader {
        // Nil says that this is no recording.
        guard let value = try? JSONReader.strictValue(line), let version = RecordingHeader.version(of: value) else {
            throw RecordingError("\(name) is no recording of moonrill")
        }
        guard version <= RecordingHeader.version else {
            throw RecordingError(
                "the recording \(name) has format version \(version), made by moonrill "
                    + "\(value["moonrill"]?.string ?? "of unknown version"); this is moonrill \(Product.version), "
                    + "which reads versions up to \(RecordingHeader.version)")
        }
        guard let header = RecordingHeader(value) else {
            throw RecordingError("the recording \(name) is damaged in line 1")
        }
        return header
    }

    /// - Returns: false if the entry cannot follow those before it.
    private mutating func add(_ entry: TapeEntry) -> Bool {
        if case .step(let time) = entry {
            steps.append(Step(time: time))
            return end == nil
        }
        if case .end(let end) = entry {
            defer { self.end = end }
            return self.end == nil
        }
        guard !steps.isEmpty, end == nil else { return false }
        let step = steps.count - 1
        switch entry {
        case .step, .end: break
        case .stop(let stop): steps[step].stop = stop
        case .stopInside(let stop, let seconds): steps[step].stopInside = (stop, seconds)
        case .ready(let id, let round): ready.append(Ready(step: step, round: round, id: id))
        case .take(let id, let events):
            guard let index = index(of: id) else { return false }
            requests[index].takes.append(Take(step: step, events: events))
        case .start(let id, let spec):
            requests.append(Request(id: id, spec: spec, step: step))
            places[id] = requests.count - 1
        case .breakOff(let id, let undelivered, let isCancel):
            guard let index = index(of: id) else { return false }
            requests[index].breakOffs.append(
                BreakOff(takes: requests[index].takes.count, undelivered: undelivered, isCancel: isCancel))
        case .reading(let clock, let value): steps[step].readings[clock, default: []].append(value)
        case .outside(let name, let arguments, let result): calls[Self.key(name, arguments), default: []].append(result)
        case .input(let bytes): input.append(bytes)
        }
        return true
    }

    private var places: [RequestID: Int] = [:]

    private func index(of id: RequestID) -> Int? { places[id] }

    private static func content(of path: String) throws(RecordingError) -> [UInt8] {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        func error() -> RecordingError {
            let reason = strerror(errno).map { String(cString: $0) } ?? "error \(errno)"
            return RecordingError("the recording \(path) cannot be read: \(reason)")
        }
        guard file >= 0 else { throw error() }
        defer { close(file) }
        var state = stat()
        guard fstat(file, &state) == 0, [S_IFREG, S_IFIFO].contains(state.st_mode & S_IFMT) else {
            throw RecordingError("the recording \(path) is no file")
        }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = read(file, &buffer, buffer.count)
            if count > 0 {
                bytes += buffer[..<count]
            } else if count == 0 {
                return bytes
            } else if errno != EINTR {
                throw error()
            }
        }
    }
}
