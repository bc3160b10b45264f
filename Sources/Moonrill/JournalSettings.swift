// What a run records in a store, and what it takes from one.

internal import Base
internal import Chat
internal import Journal
internal import Script

/// The store of the requests of a script or a ``ChatClient``: a SQLite file.
public struct JournalSettings {
    /// A named run that goes on where an earlier one was broken off.
    public struct Job: Sendable {
        /// The name.
        public var name: String
        /// Whether it replaces an existing job of that name.
        public var again: Bool

        /// A job of that name.
        public init(name: String, again: Bool = false) {
            self.name = name
            self.again = again
        }
    }

    /// What clients without the option `cache` do.
    public enum Caching: Sendable {
        /// Requests are sent.
        case off
        /// Recorded replies answer.
        case on
        /// Recorded replies are ignored, also with the option; new ones are recorded.
        case refresh
        /// Requests are sent, even if a client sets the option `cache`.
        case never
    }

    /// The path of the store. It is made when the first request is recorded.
    public var path: String
    /// The job of this run; nil without one.
    public var job: Job?
    /// What clients without the option `cache` do.
    public var caching = Caching.off
    /// Whether all requests are recorded, and not only those of a job or with a cache.
    public var isLogged = false
    /// What makes the requests, for the table `runs`: "run", "ask".
    public var command = "run"
    /// Called with one line for the user: a job is resumed, its script has changed.
    public var notice: ((String) -> Void)?

    /// A store in a file.
    public init(path: String) { self.path = path }

    /// The default store: `MOONRILL_STORE`, else `moonrill/moonrill.db` in `$XDG_STATE_HOME`, else in `~/.local/state` (XDG
    /// Base Directory Specification). Nil if none of these variables is set.
    public static var defaultPath: String? {
        if let path = ProcessEnvironment.value("MOONRILL_STORE") { return path }
        let folder =
            ProcessEnvironment.value("XDG_STATE_HOME") ?? ProcessEnvironment.value("HOME").map { $0 + "/.local/state" }
        return folder.map { $0 + "/moonrill/moonrill.db" }
    }

    /// Whether the run records its requests, so that their costs are wanted.
    var recordsAll: Bool { isLogged || job != nil || caching == .on || caching == .refresh }

    /// The cache policy of requests that set none.
    var cachePolicy: CachePolicy? {
        switch caching {
        case .off, .never: nil
        case .on: CachePolicy()
        case .refresh: CachePolicy(isRefreshed: true)
        }
    }

    func setDefaults(_ defaults: inout ClientDefaults) {
        switch caching {
        case .off: break
        case .on: defaults.cache = CachePolicy()
        case .refresh:
            defaults.cache = CachePolicy()
            defaults.refreshesCache = true
        case .never: defaults.ignoresCache = true
        }
    }

    /// Opens the store and begins the job.
    /// - Parameter warn: called on any thread with what the user should know.
    /// - Throws: ``StoreError`` if the job cannot begin.
    func open(
        _ source: JournaledSource, _ credentials: (String) -> String?, warn: @escaping @Sendable (String) -> Void
    ) throws(StoreError) -> OpenJournal {
        let store = Store(path: path) { warn("requests are not recorded: \($0.message)") }
        var begun: Journal.Job?
        if let job {
            var scrubber = KeyScrubber()
            for variable in source.keyVariables { credentials(variable).map { scrubber.add($0) } }
            guard scrubber.scrub(job.name) == job.name else {
                throw StoreError(.unusable, "the name of the job holds a key: choose another one, which is recorded")
            }
            let found = try store.beginJob(
                Journal.Job.Request(
                    name: job.name, script: scrubber.scrub(source.name), scriptDigest: SHA256.hex(source.text),
                    arguments: source.arguments, again: job.again))
            tell(found)
            begun = found
        }
        return OpenJournal(
            store: store, job: begun, isLogged: isLogged,
            run: RunRecord(command: command, script: source.name, arguments: source.arguments), source: source,
            warn: warn)
    }

    private func tell(_ job: Journal.Job) {
        guard job.isResumed else { return }
        let count = job.answeredCount
        notice?(
            "the job '\(job.name)' goes on: \(count) \(count == 1 ? "request or step is" : "requests and steps are") recorded"
        )
        if job.hasNewScript { notice?("the script of the job '\(job.name)' has changed since its last run") }
        if job.hasNewArguments { notice?("the arguments of the job '\(job.name)' differ from those of its last run") }
    }
}

/// What makes the requests of a run.
struct JournaledSource: Sendable {
    /// The script's name; empty without one.
    var name = ""
    /// Its Lua text.
    var text: [UInt8] = []
    /// Its arguments.
    var arguments: [String] = []
    /// Variables that may hold keys.
    var keyVariables: [String] = []
    /// The base URL of the offline provider of this process; nil without one.
    var offlineBaseURL: String?
}

extension JournaledSource {
    init(_ script: ScriptConfiguration) {
        self.init(
            name: script.name, text: script.source, arguments: script.arguments,
            keyVariables: script.providers.all.compactMap(\.keyVariable), offlineBaseURL: script.defaults.offlineBaseURL
        )
    }
}

/// An open store, on its way to the thread of its run.
struct OpenJournal: Sendable {
    let store: Store
    let job: Journal.Job?
    let isLogged: Bool
    let run: RunRecord
    let source: JournaledSource
    let warn: @Sendable (String) -> Void

    /// The journal in front of `broker`, for the thread that calls.
    func broker(
        in broker: any RequestBroker, wake: @escaping @Sendable () -> Void, _ credentials: @escaping (String) -> String?
    ) -> JournalBroker {
        var options = JournalBroker.Options(
            run: run, job: job, isLogged: isLogged, credentials: credentials, warn: warn)
        options.keyVariables = source.keyVariables
        options.offlineBaseURL = source.offlineBaseURL
        return JournalBroker(broker, options: options, makeStore: { store }, wake: wake)
    }
}

extension RunEnd {
    init(_ outcome: ScriptOutcome) {
        switch outcome {
        case .finished: self.init(outcome: "finished", status: 0, isSuccess: true)
        case .exited(let code): self.init(outcome: "exited", status: code, isSuccess: code == 0)
        case .failed: self.init(outcome: "failed", status: 1, isSuccess: false)
        case .timedOut: self.init(outcome: "timed out", status: 124, isSuccess: false)
        case .interrupted(let signal): self.init(outcome: "interrupted", status: 128 + signal, isSuccess: false)
        case .outputClosed: self.init(outcome: "output closed", status: 141, isSuccess: false)
        }
    }
}

extension ScriptHostError {
    init(_ error: StoreError) {
        self.init(message: error.message)
        isJobFinished = error.kind == .jobFinished
        isJobRunning = error.kind == .jobRunning
    }
}
