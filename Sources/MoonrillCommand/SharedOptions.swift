// Options of `run`, `ask`, `serve` and `probe`.

internal import ArgumentParser
internal import Base
internal import Formats
internal import Glibc
internal import Logging
internal import Moonrill
internal import ProviderSimulator
internal import Providers

struct SharedOptions: ParsableArguments {
    @Option(name: .shortAndLong, help: "Default provider of clients; see moonrill providers.")
    var provider: String?

    @Option(help: "Default wire format of clients without a provider, if the provider has several.")
    var dialect: String?

    @Option(name: .shortAndLong, help: "Default model of clients.")
    var model: String?

    @Option(help: "Default base URL of clients without a provider.")
    var baseURL: String?

    @Option(help: "Time limit of the run in seconds, reading standard input included.")
    var timeout: Double?

    @Flag(help: "Start the offline provider in this process and use it: no key, no network.")
    var mock = false

    @Option(
        help: ArgumentHelp(
            "Faults of the offline provider (implies --mock); see moonrill mock --help.", valueName: "spec"))
    var fault: String?

    @Option(
        help: ArgumentHelp("Tokens per second of the offline provider; 0: as fast as they are read.", valueName: "n"))
    var rate: Double?

    @Option(
        help: ArgumentHelp(
            "Let scripts and their commands see this variable although it holds a key (repeatable).", valueName: "name")
    )
    var passEnv: [String] = []

    @Option(help: "The lowest level that is logged (warning; for serve: info).")
    var logLevel: LogLevelOption?

    @Option(help: "The form of log lines.")
    var logFormat = LogFormat.text

    func validate() throws {
        if let timeout, !(timeout > 0) { throw ValidationError("--timeout takes a number of seconds above 0.") }
        if let dialect, FormatCatalog.named(dialect) == nil {
            let near = NearestName.suggestion(for: dialect, among: FormatCatalog.names)
            throw ValidationError(
                "Unknown dialect '\(dialect)'\(near.map { " (did you mean '\($0)'?)" } ?? ""). Known: "
                    + FormatCatalog.names.joined(separator: ", ") + ".")
        }
        if let rate, !(rate >= 0) { throw ValidationError("--rate takes a number of 0 or more.") }
        if rate != nil, !mock, fault == nil { throw ValidationError("--rate is for the offline provider: add --mock.") }
    }

    /// The values of the options.
    var settings: HostSettings {
        HostSettings(
            provider: provider, dialect: dialect, model: model, baseURL: baseURL, timeout: timeout, mock: mock,
            fault: fault, rate: rate, passEnv: passEnv, logLevel: logLevel, logFormat: logFormat)
    }
}

/// The providers of the user's configuration file.
/// - Throws: ``CommandFailure`` with file, line and problem.
func ownProviders() throws -> [Provider] { try ownConfiguration().providers }

/// The user's configuration file.
/// - Throws: ``CommandFailure`` with file, line and problem.
func ownConfiguration() throws(CommandFailure) -> ConfigurationFile.Settings {
    do throws(ScriptHostError) {
        return try ConfigurationFile.settings(at: ConfigurationFile.defaultPath)
    } catch {
        throw CommandFailure(message: error.message, status: ExitStatus.failure)
    }
}

/// Starts the offline provider.
/// - Throws: ``CommandFailure`` for an invalid fault or a port in use.
func startMock(
    fault: String?, rate: Double?, limit: Double? = nil, port: Int, recording: String? = nil
) throws -> SimulatorServer {
    var options = SimulatorOptions()
    options.port = port
    options.limit = limit
    if let rate { options.rate = rate }
    do throws(FaultPlanError) {
        if let fault { options.faults = try FaultPlan.parse(fault) }
    } catch {
        throw CommandFailure(message: "--fault: \(error)", status: ExitStatus.usage)
    }
    do throws(SimulatorError) {
        if let recording { options.recorded = try RecordedAnswers(path: recording) }
        return try SimulatorServer.start(options)
    } catch {
        let status = if case .badRecording = error { ExitStatus.noInput } else { ExitStatus.unavailable }
        throw CommandFailure(message: "\(error)", status: status)
    }
}

/// `--log-level`.
enum LogLevelOption: String, ExpressibleByArgument, CaseIterable {
    case trace, debug, info, warning, error

    var level: Logger.Level {
        switch self {
        case .trace: .trace
        case .debug: .debug
        case .info: .info
        case .warning: .warning
        case .error: .error
        }
    }
}

/// `--log-format`.
enum LogFormat: String, ExpressibleByArgument, CaseIterable {
    case text, json
}

/// Options of `run` and `ask` for the store of recorded requests.
struct StoreOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The store of recorded requests (MOONRILL_STORE, else moonrill/moonrill.db in XDG_STATE_HOME).",
            valueName: "file"))
    var store: String?

    @Flag(help: "Answer requests from recorded replies, as with the option cache of clients.")
    var cache = false

    @Flag(help: "Ask although replies are recorded, and record the new ones.")
    var refresh = false

    @Flag(help: "Use no recorded replies, whatever the script says.")
    var noCache = false

    @Flag(help: "Record all requests in the log; see moonrill logs. The default of ask.")
    var logRequests = false

    @Flag(help: "Record nothing in the log.")
    var noLog = false

    func validate() throws {
        if logRequests, noLog { throw ValidationError("Give one of --log-requests and --no-log.") }
        if [cache, refresh, noCache].filter({ $0 }).count > 1 {
            throw ValidationError("Give one of --cache, --refresh and --no-cache.")
        }
    }

    /// The values of the options.
    var settings: StoreSettings {
        StoreSettings(
            store: store, cache: cache, refresh: refresh, noCache: noCache, logRequests: logRequests, noLog: noLog)
    }
}
