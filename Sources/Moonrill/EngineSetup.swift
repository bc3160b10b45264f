// The configuration of engines: credentials, formats, and logging to swift-log.

internal import Base
internal import Engine
internal import Formats
internal import Logging

extension EngineConfiguration {
    init(credentials: @escaping (String) -> String?, logger: Logger, caFile: String?, caFolder: String?) {
        self.init(credentials: credentials, format: FormatCatalog.named)
        self.caFile = caFile
        self.caFolder = caFolder
        logLevel = LogLevel(logger.logLevel)
        log = { level, message in logger.log(level: level.loggingLevel, "\(message)") }
    }
}

extension LogLevel {
    init(_ level: Logger.Level) {
        self =
            switch level {
            case .trace: .trace
            case .debug: .debug
            case .info, .notice: .info
            case .warning: .warning
            case .error, .critical: .error
            }
    }

    var loggingLevel: Logger.Level {
        switch self {
        case .trace: .trace
        case .debug: .debug
        case .info: .info
        case .warning: .warning
        case .error: .error
        case .off: .critical
        }
    }
}
