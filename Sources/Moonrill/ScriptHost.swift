// Running scripts from Swift: the API for embedding programs.

internal import Base
internal import Chat
internal import Engine
public import JSON
internal import Journal
public import Logging
public import Providers
internal import Recording
internal import Script
internal import Server

/// Runs Lua scripts that stream language models.
///
/// ```swift
/// var host = ScriptHost()
/// host.register("lookup") { arguments in [.string("found " + (arguments.first?.string ?? ""))] }
/// let result = try host.run(source: "print(require('host').lookup('x'))")
/// print(result.output)
/// ```
///
/// A host is a value: each run copies its settings. `run` blocks the calling thread until the script is over; see
/// <doc:Threading>.
public struct ScriptHost {
    /// Takes bytes that a script writes. Returns false if the output is closed, which ends the script without an error.
    public typealias Sink = ([UInt8]) -> Bool

    /// The destination of output.
    public enum Output {
        /// Captured in ``ScriptResult/output`` and ``ScriptResult/errorOutput``.
        case captured
        /// Passed to these functions as it is written.
        case streamed(standard: Sink, error: Sink)
    }

    /// The time limit of a run in seconds; nil for none.
    public var timeLimit: Double?
    /// The memory limit of a script in bytes; nil for none.
    public var memoryLimit: Int?
    /// Whether scripts may load C modules (`require "cjson"`, `package.loadlib`). They run in this process with all its rights,
    /// without time and memory limits.
    public var allowsNativeModules = false
    /// The destination of output.
    public var output = Output.captured
    /// Whether output is flushed after each line, as on a terminal. Otherwise it is flushed when its buffer is full and before
    /// the script waits.
    public var isLineBuffered = false
    /// The default provider of clients.
    public var provider: String?
    /// The default dialect ("anthropic") of clients without a provider; nil for that of the provider.
    public var dialect: String?
    /// The default model of clients.
    public var model: String?
    /// Providers that extend or replace the built-in ones; ``ConfigurationFile`` reads those of the user.
    public var providers: [Provider] = []
    /// The default base URL of clients without a provider.
    public var baseURL: String?
    /// The base URL of an offline provider: used by every client that names no base URL.
    public var offlineBaseURL: String?
    /// Headers of every request.
    public var headers: [(name: String, value: String)] = []
    /// The default total timeout of a request in seconds; nil for none.
    public var requestTimeout: Double?
    /// Returns the key for a variable name. The default reads the environment of this process. Keys go into request headers
    /// only, never into a log, an error or a Lua value.
    public var credentials: (String) -> String? = ProcessEnvironment.value
    /// Whether the variable of that name holds a key; called as soon as a script names it. Nil: ``credentials`` is asked. A
    /// program that starts other programs, or lets scripts do so (`os.execute`, `io.popen`), can remove the variable from its
    /// environment here. The library does not change the environment, and children inherit all of it.
    public var isKeySet: ((String) -> Bool)?
    /// Variables that scripts may read with `os.getenv` although they hold keys.
    public var visibleVariables: Set<String> = []
    /// Returns the value of a variable for `os.getenv`. Variables with keys are hidden from scripts.
    public var environment: (String) -> String? = ProcessEnvironment.value
    /// The log of scripts and the engine.
    public var logger: Logger
    /// A file of trusted certificates (PEM); nil for those of the system. The default is the file named by `SSL_CERT_FILE`.
    public var caFile: String? = ProcessEnvironment.trustedCertificates
    /// A folder of trusted certificates by hash (openssl-rehash(1)); nil for those of the system. The default is the folder
    /// named by `SSL_CERT_DIR`. File and folder together replace the system's.
    public var caFolder: String? = ProcessEnvironment.trustedFolder
    /// Called with the seconds waited while a script waits for the first output of a request, and with nil before anything
    /// else is written.
    public var waitingIndicator: ((Double?) -> Void)?
    /// Called with the error and the delay in seconds before a retry of a request without `on_retry`.
    public var retryNotice: ((String, Double) -> Void)?
    /// Records what comes over the wire, for ``WireRecorder/report(dialect:reply:)``.
    public var recorder: WireRecorder?
    /// Called with the reason and the seconds of a wait at the rate limiter of more than a second, for a request without
    /// `on_wait`.
    public var waitNotice: ((String, Double) -> Void)?
    /// Signals that stop the script, for a program that runs it in the foreground. See ``ScriptResult/Ending``.
    public var stopSignals: [Int32] = []
    /// What the program decides about the server of `llm.serve`.
    public var server = ServerSettings()
    /// Whether the server of `llm.serve` opens a socket.
    var listens = true
    /// The store for jobs, caches and the log. Nil: nothing is recorded, and the option `cache` has no effect.
    public var journal: JournalSettings?
    /// Records runs, or runs scripts against a recording. The store is then not used: ``journal`` must have no job.
    public var recording: RecordingSettings?
    /// Called on the script's thread once the server runs.
    var onServe: ((String, LocalDoor) -> Void)?
    /// Makes the nth allocation of the script fail; 0 for none. For tests.
    package var failingAllocation = 0

    private var functions: [(name: String, body: ([JSONValue]) throws -> [JSONValue])] = []

    /// A host with default settings.
    public init(logger: Logger = Logger(label: "moonrill")) { self.logger = logger }

    /// Makes a Swift function available to scripts as `require("host").name`. It runs on the script's thread and blocks the
    /// whole script. Errors that it throws are raised in the script.
    public mutating func register(_ name: String, _ body: @escaping ([JSONValue]) throws -> [JSONValue]) {
        functions.append((name, body))
    }

    /// Runs Lua text.
    /// - Parameters:
    ///   - source: the Lua text.
    ///   - name: its name in messages.
    ///   - arguments: the values of `arg` and `...`.
    /// - Throws: ``ScriptHostError`` if the run cannot start. Errors of the script are in the result.
    public func run(source: String, name: String = "script", arguments: [String] = []) throws(ScriptHostError)
        -> ScriptResult
    {
        try run(source: Array(source.utf8), name: name, arguments: arguments)
    }

    /// Runs Lua text, given as bytes.
    /// - Throws: ``ScriptHostError`` if the run cannot start. Errors of the script are in the result.
    public func run(source: [UInt8], name: String = "script", arguments: [String] = []) throws(ScriptHostError)
        -> ScriptResult
    {
        var configuration = ScriptConfiguration(source: source, name: name)
        configuration.arguments = arguments
        return try run(configuration)
    }

    /// Runs the script in a file. `require` searches its folder first.
    /// - Throws: ``ScriptHostError`` if the file cannot be read or the run cannot start.
    public func run(file path: String, arguments: [String] = []) throws(ScriptHostError) -> ScriptResult {
        var configuration = ScriptConfiguration(source: try ScriptFile.read(path), name: path)
        configuration.arguments = arguments
        configuration.directory = ScriptFile.directory(of: path)
        return try run(configuration)
    }

    /// Runs the script in the recording that ``recording`` names, against that recording.
    /// - Throws: ``ScriptHostError`` if it cannot be read, or the run cannot start.
    public func replay() throws(ScriptHostError) -> ScriptResult {
        guard let recording, recording.mode == .replay else {
            throw ScriptHostError(message: "replay() needs a recording to replay: set `recording`")
        }
        let recorded = try recording.read()
        var configuration = ScriptConfiguration(source: recorded.header.source, name: recorded.header.name)
        configuration.argumentZero = recorded.header.argumentZero
        configuration.directory = RecordingSession.directory(recorded.header)
        return try run(configuration, against: recorded)
    }

    private func run(
        _ base: ScriptConfiguration, against recorded: RecordedRun? = nil
    ) throws(ScriptHostError) -> ScriptResult {
        var configuration = base
        let capture = Capture()
        configure(&configuration, capture)
        let start = SystemClock.now()
        do {
            let engine = try Engine(engineConfiguration())
            serve(&configuration, wake: engine.waker)
            let client = engine.attach()
            let session = try recordingSession(&configuration, against: recorded, client)
            let journal =
                session != nil
                ? nil
                : try journal?.open(JournaledSource(configuration), credentials) { [logger] message in
                    logger.warning("\(message)")
                }.broker(in: client, wake: engine.waker, credentials)
            configuration.steps = journal
            configuration.recordsCosts = session == nil && self.journal?.recordsAll ?? false
            let front: (any RequestBroker)? = session?.broker ?? journal
            let broker: any RequestBroker = front ?? client
            let runtime = try ScriptRuntime(configuration, broker: broker, wakeDescriptor: engine.wakeDescriptor)
            for function in functions { runtime.register(function.name, function.body) }
            runtime.stop(onSignals: stopSignals)
            let reactor: (any Reactor)? =
                session?.reactor(engine) ?? journal.map { JournalReactor(engine, journal: $0) }
            let outcome = runtime.run(turning: reactor ?? engine)
            journal?.end(RunEnd(outcome))
            session?.end(outcome)
            return ScriptResult(
                ending: ScriptResult.Ending(outcome, source: configuration.source),
                unwatchedCount: outcome.unwatchedCount,
                output: capture.text(capture.standard),
                errorOutput: capture.text(capture.error), seconds: SystemClock.now() - start,
                recordingFailure: session?.failure)
        } catch let error as RecordingError {
            throw ScriptHostError(message: error.message)
        } catch let error as EngineError {
            throw ScriptHostError(message: error.message)
        } catch let error as StoreError {
            throw ScriptHostError(error)
        } catch {
            throw ScriptHostError(message: "\(error)")
        }
    }

    private func recordingSession(
        _ configuration: inout ScriptConfiguration, against recorded: RecordedRun?, _ client: any RequestBroker
    ) throws -> RecordingSession? {
        guard let recording else { return nil }
        guard journal?.job == nil else {
            throw ScriptHostError(message: "a job cannot be recorded or replayed: it has its own record")
        }
        let keys = RecordingSession.Keys(
            credentials: credentials, variables: configuration.providers.all.compactMap(\.keyVariable))
        configuration.defaults.cache = nil
        switch recording.mode {
        case .record:
            return try RecordingSession(recording: recording, &configuration, providers, keys, client)
        case .replay:
            let run = try recorded ?? recording.read()
            return try RecordingSession(replaying: run, recording, &configuration, keys, client)
        }
    }

    /// Lets the script serve.
    private func serve(_ configuration: inout ScriptConfiguration, wake: @escaping @Sendable () -> Void) {
        configuration.serverOverrides = server.overrides
        weak var started: HTTPServer?
        configuration.makeServer = { [listens, logger, credentials] in
            let server = HTTPServer(hasSocket: listens, logger: logger, credentials: credentials, wake: wake)
            started = server
            return server
        }
        configuration.serverFailureNotice = { [onFailure = server.onFailure] failure in
            onFailure?(failure.message, failure.isAddressInUse)
        }
        configuration.serverNotice = { [onStart = server.onStart, onServe] address in
            onStart?(address.url)
            if let door = started?.door { onServe?(address.url, door) }
        }
    }

    private func configure(_ configuration: inout ScriptConfiguration, _ capture: Capture) {
        let hasKey = isKeySet ?? { [credentials] in credentials($0) != nil }
        configuration.timeLimit = timeLimit
        configuration.memoryLimit = memoryLimit
        configuration.allowsNativeModules = allowsNativeModules
        configuration.isLineBuffered = isLineBuffered
        configuration.providers = ProviderTable(defining: providers)
        configuration.defaults.provider =
            provider
            ?? (offlineBaseURL == nil
                ? ProcessEnvironment.defaultProvider(among: configuration.providers.all, hasKey: hasKey) : "mock")
        configuration.defaults.dialect = dialect
        configuration.defaults.model = model
        configuration.defaults.baseURL = baseURL
        configuration.defaults.offlineBaseURL = offlineBaseURL
        configuration.defaults.headers = headers
        configuration.defaults.totalTimeout = requestTimeout
        journal?.setDefaults(&configuration.defaults)
        configuration.environment = environment
        configuration.hasKey = hasKey
        configuration.visibleVariables = visibleVariables
        configuration.retryNotice = retryNotice
        configuration.waitNotice = waitNotice
        configuration.version = Product.version
        configuration.indicator = waitingIndicator
        configuration.failAllocation = failingAllocation
        let logger = self.logger
        configuration.log = { level, message in logger.log(level: level.loggingLevel, "\(message)") }
        switch output {
        case .captured:
            configuration.output = { capture.add($0, to: \.standard) }
            configuration.errorOutput = { capture.add($0, to: \.error) }
        case .streamed(let standard, let error):
            configuration.output = standard
            configuration.errorOutput = error
        }
    }

    private func engineConfiguration() -> EngineConfiguration {
        var engine = EngineConfiguration(credentials: credentials, logger: logger, caFile: caFile, caFolder: caFolder)
        engine.ownServer = offlineBaseURL
        if let recorder { engine.observer = recorder.take }
        return engine
    }
}

/// An error before a run started.
public struct ScriptHostError: Error, Sendable, CustomStringConvertible {
    /// The problem and its fix.
    public var message: String
    /// True if there is no readable script at the path.
    public var isMissingScript = false
    /// True if the job has been finished by an earlier run.
    public var isJobFinished = false
    /// True if another process runs the job.
    public var isJobRunning = false
    /// The message.
    public var description: String { message }
}

/// The result of a run.
public struct ScriptResult: Sendable {
    /// How a run ended.
    public enum Ending: Sendable, Equatable {
        /// The main function returned, and every task and request was over.
        case finished
        /// The script called `os.exit`.
        case exited(Int)
        /// The script could not be compiled or raised an error: the message (with "file:line:") and Lua's traceback.
        case failed(message: String, traceback: String)
        /// The time limit was reached.
        case timedOut(seconds: Double)
        /// A signal stopped it.
        case interrupted(signal: Int)
        /// Its output was closed.
        case outputClosed
    }

    /// How it ended.
    public var ending: Ending
    /// The number of tasks and background requests that failed while nothing waited for them, if the script failed for this
    /// reason. Each was logged; the ending has the first.
    public var unwatchedCount: Int
    /// Captured standard output, with invalid UTF-8 repaired.
    public var output: String
    /// Captured standard error.
    public var errorOutput: String
    /// The duration in seconds.
    public var seconds: Double
    /// Why the recording of the run is not whole; nil if it is, or if there is none.
    public var recordingFailure: String?

    /// True if it finished or exited with 0.
    public var isSuccess: Bool { ending == .finished || ending == .exited(0) }
}

extension ScriptOutcome {
    fileprivate var unwatchedCount: Int { if case .failed(let failure) = self { failure.unwatchedCount } else { 0 } }
}

extension ScriptResult.Ending {
    init(_ outcome: ScriptOutcome, source: [UInt8]) {
        self =
            switch outcome {
            case .finished: .finished
            case .exited(let code): .exited(code)
            case .failed(let failure):
                .failed(
                    message: failure.traceback.isEmpty && failure.namesSource
                        ? SyntaxErrorSnippet.add(to: failure.message, source: source) : failure.message,
                    traceback: failure.traceback)
            case .timedOut(let seconds): .timedOut(seconds: seconds)
            case .interrupted(let signal): .interrupted(signal: signal)
            case .outputClosed: .outputClosed
            }
    }
}

/// Collects the output of a run.
private final class Capture {
    var standard: [UInt8] = []
    var error: [UInt8] = []

    func add(_ bytes: [UInt8], to stream: ReferenceWritableKeyPath<Capture, [UInt8]>) -> Bool {
        self[keyPath: stream] += bytes
        return true
    }

    func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
}
