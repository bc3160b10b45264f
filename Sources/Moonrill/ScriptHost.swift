// Running scripts from Swift: the face of the library for whoever embeds it.

internal import Base
internal import Engine
public import JSON
public import Logging
public import Providers
internal import Script

/// Runs Lua scripts that stream language models.
///
/// ```swift
/// var host = ScriptHost()
/// host.register("lookup") { arguments in [.string("found " + (arguments.first?.string ?? ""))] }
/// let result = try host.run(source: "print(require('host').lookup('x'))")
/// print(result.output)
/// ```
///
/// A host is a value: its settings are copied into each run. `run` blocks the calling thread until the script is over;
/// see <doc:Threading>.
public struct ScriptHost {
    /// Takes bytes that a script writes; false when nobody reads them any more, which ends the script quietly.
    public typealias Sink = ([UInt8]) -> Bool

    /// Where a script's output goes.
    public enum Output {
        /// Into ``ScriptResult/output`` and ``ScriptResult/errorOutput``.
        case captured
        /// To these, as it is written.
        case streamed(standard: Sink, error: Sink)
    }

    /// Seconds that a run may take; nil for no limit.
    public var timeLimit: Double?
    /// Bytes that a script may hold; nil for no limit.
    public var memoryLimit: Int?
    /// Whether scripts may load C modules (`require "cjson"`, `package.loadlib`). They run in this process, with all its
    /// rights, and neither the time limit nor the memory limit binds them.
    public var allowsNativeModules = false
    /// Where output goes.
    public var output = Output.captured
    /// Whether each line of output goes out as it ends, as on a terminal. Otherwise output goes out in large pieces, and
    /// before the script waits.
    public var isLineBuffered = false
    /// The provider of clients that name none.
    public var provider: String?
    /// The dialect of clients that name neither it nor a provider ("anthropic"); nil for the provider's own.
    public var dialect: String?
    /// The model of clients that name none.
    public var model: String?
    /// Providers beside the presets, or in their place; ``ConfigurationFile`` reads those of the user's.
    public var providers: [Provider] = []
    /// The base URL of clients that name neither it nor a provider.
    public var baseURL: String?
    /// A base URL to which every client goes that names none itself: that of an offline provider.
    public var offlineBaseURL: String?
    /// Headers that every client sends.
    public var headers: [(name: String, value: String)] = []
    /// Seconds that each request may take in all, where its client sets no total; nil for no limit.
    public var requestTimeout: Double?
    /// The key in the variable of that name. The default reads this process's environment. The answer goes into a
    /// header, and into no log, error or Lua value.
    public var credentials: (String) -> String? = ProcessEnvironment.value
    /// Whether the variable of that name holds a key; called as soon as a script names it. Nil asks ``credentials``. A
    /// program that starts other programs, or lets scripts do so (`os.execute`, `io.popen`), can take the variable out
    /// of its environment here; the library itself leaves the environment as it is, and children inherit all of it.
    public var isKeySet: ((String) -> Bool)?
    /// Variables that scripts may read with `os.getenv` though they hold keys.
    public var visibleVariables: Set<String> = []
    /// The value of a variable for `os.getenv`; variables that hold keys are withheld from scripts.
    public var environment: (String) -> String? = ProcessEnvironment.value
    /// Where scripts and the engine log.
    public var logger: Logger
    /// A file of certificates to trust (PEM), in place of the system's; nil for the system's. The default is the file
    /// that `SSL_CERT_FILE` names, if it names one.
    public var caFile: String? = ProcessEnvironment.trustedCertificates
    /// Called while a script waits for the first output of a request, with the seconds waited, and with nil before
    /// anything else is written.
    public var waitingIndicator: ((Double?) -> Void)?
    /// Called with the error and the seconds of the delay when a request that has no `on_retry` will be tried again.
    public var retryNotice: ((String, Double) -> Void)?
    /// Records what comes over the wire, for ``WireRecorder/report(outcome:)``.
    public var recorder: WireRecorder?
    /// Called with the reason and the seconds of a wait of more than a second at the rate limiter when a request has no
    /// `on_wait`.
    public var waitNotice: ((String, Double) -> Void)?
    /// Signals that stop the script; for a program that has the script in its foreground. See ``ScriptResult/Ending``.
    public var stopSignals: [Int32] = []
    /// Makes the nth allocation of the script fail: for tests of running out of memory.
    public var failingAllocation = 0

    private var functions: [(name: String, body: ([JSONValue]) throws -> [JSONValue])] = []

    /// A host with default settings.
    public init(logger: Logger = Logger(label: "moonrill")) { self.logger = logger }

    /// Makes a Swift function available to scripts as `require("host").name`. It runs on the script's thread and must
    /// not block for long: nothing else of the script runs meanwhile. What it throws is raised in the script.
    public mutating func register(_ name: String, _ body: @escaping ([JSONValue]) throws -> [JSONValue]) {
        functions.append((name, body))
    }

    /// Runs Lua text to its end.
    /// - Parameters:
    ///   - source: the text.
    ///   - name: its name in messages.
    ///   - arguments: the values of `arg` and `...`.
    /// - Throws: ``ScriptHostError`` when the run cannot begin. What the script does wrong is in the result.
    public func run(source: String, name: String = "script", arguments: [String] = []) throws(ScriptHostError)
        -> ScriptResult
    {
        try run(source: Array(source.utf8), name: name, arguments: arguments)
    }

    /// Runs Lua text, as bytes, to its end.
    /// - Throws: ``ScriptHostError`` when the run cannot begin. What the script does wrong is in the result.
    public func run(source: [UInt8], name: String = "script", arguments: [String] = []) throws(ScriptHostError)
        -> ScriptResult
    {
        var configuration = ScriptConfiguration(source: source, name: name)
        configuration.arguments = arguments
        return try run(configuration)
    }

    /// Runs the script in a file to its end; `require` looks in its folder first.
    /// - Throws: ``ScriptHostError`` when the file cannot be read or the run cannot begin.
    public func run(file path: String, arguments: [String] = []) throws(ScriptHostError) -> ScriptResult {
        var configuration = ScriptConfiguration(source: try ScriptFile.read(path), name: path)
        configuration.arguments = arguments
        configuration.directory = ScriptFile.directory(of: path)
        return try run(configuration)
    }

    private func run(_ base: ScriptConfiguration) throws(ScriptHostError) -> ScriptResult {
        var configuration = base
        let capture = Capture()
        configure(&configuration, capture)
        let start = Engine.now()
        do {
            let engine = try Engine(engineConfiguration())
            let runtime = try ScriptRuntime(configuration, engine: engine)
            for function in functions { runtime.register(function.name, function.body) }
            runtime.stop(onSignals: stopSignals)
            let outcome = runtime.run()
            return ScriptResult(
                ending: ScriptResult.Ending(outcome, source: configuration.source),
                unwatchedCount: outcome.unwatchedCount,
                output: capture.text(capture.standard),
                errorOutput: capture.text(capture.error), seconds: Engine.now() - start)
        } catch let error as EngineError {
            throw ScriptHostError(message: error.message)
        } catch {
            throw ScriptHostError(message: "\(error)")
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
        var engine = EngineConfiguration(credentials: credentials, logger: logger, caFile: caFile)
        engine.ownServer = offlineBaseURL
        if let recorder { engine.observer = recorder.take }
        return engine
    }
}

/// What a run was cut short by before it began.
public struct ScriptHostError: Error, Sendable, CustomStringConvertible {
    /// What happened, and the way out.
    public var message: String
    /// True when there is no script at the path given, or it cannot be read.
    public var isMissingScript = false
    /// The message.
    public var description: String { message }
}

/// What came of a run.
public struct ScriptResult: Sendable {
    /// How a run ended.
    public enum Ending: Sendable, Equatable {
        /// The main function returned, and every task and request was over.
        case finished
        /// The script called `os.exit`.
        case exited(Int)
        /// The script could not be compiled, or raised: the message (with "file:line:") and Lua's traceback.
        case failed(message: String, traceback: String)
        /// Its time ran out.
        case timedOut(seconds: Double)
        /// A signal stopped it.
        case interrupted(signal: Int)
        /// Nobody reads its output any more.
        case outputClosed
    }

    /// How it ended.
    public var ending: Ending
    /// How many tasks and background requests failed while nobody waited for them, where this is why the script failed.
    /// Each was logged; the ending reports the first.
    public var unwatchedCount: Int
    /// What it wrote to standard output, if captured; invalid UTF-8 repaired.
    public var output: String
    /// What it wrote to standard error, if captured.
    public var errorOutput: String
    /// Seconds that it took.
    public var seconds: Double

    /// True when it finished, or exited with 0.
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
                    message: failure.traceback.isEmpty
                        ? SyntaxErrorSnippet.add(to: failure.message, source: source) : failure.message,
                    traceback: failure.traceback)
            case .timedOut(let seconds): .timedOut(seconds: seconds)
            case .interrupted(let signal): .interrupted(signal: signal)
            case .outputClosed: .outputClosed
            }
    }
}

/// Gathers a run's output.
private final class Capture {
    var standard: [UInt8] = []
    var error: [UInt8] = []

    func add(_ bytes: [UInt8], to stream: ReferenceWritableKeyPath<Capture, [UInt8]>) -> Bool {
        self[keyPath: stream] += bytes
        return true
    }

    func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
}
