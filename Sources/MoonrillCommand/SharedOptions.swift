// Options of `run`, `ask` and `probe`, and the script host that they configure.

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

    /// `--timeout`.
    var limit: TimeLimit? { timeout.map { TimeLimit(seconds: $0) } }

    /// Removes keys from the environment and starts the watchdog. Call it first.
    func begin() throws(CommandFailure) -> KeyStore {
        StandardError.setFormat(logFormat)
        let keys = KeyStore(passing: passEnv)
        try Watchdog.start(limit)
        return keys
    }

    /// Seconds left of `--timeout`; nil without it.
    /// - Throws: ``CommandFailure`` once the time is up.
    func secondsLeft() throws(CommandFailure) -> Double? {
        guard let limit else { return nil }
        guard limit.left > 0 else { throw limit.failure }
        return limit.left
    }

    /// The host with these options, and the mock server, which must be kept until the run is over.
    /// - Parameters:
    ///   - logLevel: the level without `--log-level`.
    ///   - configuration: that of the user; nil: it is read.
    func host(
        _ output: StandardOutput, _ keys: KeyStore, logLevel: LogLevelOption = .warning,
        configuration: ConfigurationFile.Settings? = nil
    ) throws -> (host: ScriptHost, server: SimulatorServer?) {
        let level = (self.logLevel ?? logLevel).level
        var host = ScriptHost(logger: StandardErrorLog.logger(level: level, format: logFormat))
        host.provider = provider
        host.dialect = dialect
        host.model = model
        host.providers = try (configuration ?? ownConfiguration()).providers
        keys.hide(host.providers)
        host.credentials = keys.value
        host.isKeySet = keys.hide
        host.visibleVariables = Set(passEnv)
        host.baseURL = baseURL
        host.timeLimit = try secondsLeft()
        host.stopSignals = [SIGINT, SIGTERM]
        host.output = .streamed(
            standard: output.write, error: { Descriptor.write($0, to: STDERR_FILENO) == 0 })
        host.isLineBuffered = isatty(STDOUT_FILENO) == 1
        if StandardError.isTerminal, !StandardError.isDumb {
            host.waitingIndicator = StandardError.showWaiting
            host.waitNotice = StandardError.noteWait
        }
        guard mock || fault != nil else { return (host, nil) }
        let server = try startMock(fault: fault, rate: rate, port: 0)
        host.offlineBaseURL = server.baseURL
        return (host, server)
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

    /// The journal of a run; nil if no place for a store is known.
    /// - Parameter logs: whether requests are recorded if neither an option nor the switch of `moonrill logs` says otherwise.
    /// - Throws: ``CommandFailure`` if one is asked for.
    func journal(_ command: String, logs: Bool) throws(CommandFailure) -> JournalSettings? {
        guard let path = store ?? JournalSettings.defaultPath else {
            guard cache || refresh || logRequests else { return nil }
            throw CommandFailure(
                message: "no store is known: HOME is not set; name a file with --store", status: ExitStatus.usage)
        }
        var journal = JournalSettings(path: path)
        journal.command = command
        journal.isLogged = logRequests || (logs && !noLog && !StoreLocation.isLogOff)
        journal.caching = cache ? .on : refresh ? .refresh : noCache ? .never : .off
        return journal
    }
}
