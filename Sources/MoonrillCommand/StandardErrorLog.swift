// Log lines on standard error: for people as text, for machines as one JSON object a line.

internal import Glibc
internal import Logging
internal import Wire

/// A swift-log handler that writes to standard error.
struct StandardErrorLog: LogHandler {
    var logLevel: Logger.Level
    var metadata: Logger.Metadata = [:]
    let format: LogFormat

    static func logger(level: Logger.Level, format: LogFormat) -> Logger {
        Logger(label: "moonrill") { _ in StandardErrorLog(logLevel: level, format: format) }
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        switch format {
        case .text: StandardError.write("moonrill: \(event.level): \(event.message)\n")
        case .json:
            var now = timespec()
            clock_gettime(CLOCK_REALTIME, &now)
            let line: JSONValue = [
                "time": .double(Double(now.tv_sec) + (Double(now.tv_nsec) / 1e6).rounded() / 1e3),
                "level": .string(event.level.rawValue), "message": .string("\(event.message)"),
            ]
            StandardError.write(JSONWriter.text(line) + "\n")
        }
    }
}
