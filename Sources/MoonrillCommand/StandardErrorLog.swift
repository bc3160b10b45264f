// Log lines on standard error, as text or as one JSON object per line.

internal import Base
internal import Glibc
internal import JSON
internal import Logging

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
        StandardError.beginLine()
        switch format {
        // One line per message, so that a message cannot forge another.
        case .text:
            let message = ControlCharacters.escaped("\(event.message)", lines: .escaped)
            StandardError.write("moonrill: \(event.level): \(message)\n")
        case .json: StandardError.write(Self.object(level: event.level.rawValue, "\(event.message)"))
        }
    }

    /// A message as one line of JSON.
    static func object(level: String, _ message: String, _ rest: JSONObject = [:]) -> String {
        var line: JSONObject = [
            "time": .double((SystemClock.unixTime() * 1e3).rounded() / 1e3),
            "level": .string(level), "message": .string(message),
        ]
        for member in rest { line[member.key] = member.value }
        // JSON does not escape control characters above U+007F, but terminals interpret them.
        var text = ""
        for scalar in JSONWriter.text(.object(line)).unicodeScalars {
            if ControlCharacters.isSpecial(scalar) {
                let digits = String(scalar.value, radix: 16)
                text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            } else {
                text.unicodeScalars.append(scalar)
            }
        }
        return text + "\n"
    }
}
