// What the options of `run`, `ask`, `serve` and `probe` say: the script host and its store. Plain values with the defaults of
// the options, so that a command without options needs no parser.

internal import Base
internal import Glibc
internal import Moonrill
internal import ProviderSimulator
internal import Providers

/// The values of ``SharedOptions``.
struct HostSettings {
    var provider: String?
    var dialect: String?
    var model: String?
    var baseURL: String?
    var timeout: Double?
    var mock = false
    var fault: String?
    var rate: Double?
    var passEnv: [String] = []
    var logLevel: LogLevelOption?
    var logFormat = LogFormat.text

    /// The time limit of `--timeout`.
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

/// The values of ``StoreOptions``.
struct StoreSettings {
    var store: String?
    var cache = false
    var refresh = false
    var noCache = false
    var logRequests = false
    var noLog = false

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
