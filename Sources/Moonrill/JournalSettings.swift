// What a run records in a store, and what it takes from one.

internal import Base
internal import Chat
internal import Journal
internal import Script

/// The store of a script's requests: a SQLite file.
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
    var recordsAll: Bool { job != nil || caching == .on || caching == .refresh }

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

    /// The journal of a run, in front of `broker`.
    /// - Throws: ``StoreError`` if its job cannot begin.
    func begin(
        _ script: ScriptConfiguration, in broker: any RequestBroker, wake: @escaping @Sendable () -> Void,
        _ credentials: @escaping (String) -> String?, _ warn: @escaping @Sendable (String) -> Void
    ) throws(StoreError) -> JournalBroker {
        let store = Store(path: path) { warn("requests are not recorded: \($0.message)") }
        var options = JournalBroker.Options(
            run: RunRecord(command: command, script: script.name, arguments: script.arguments), isLogged: false,
            credentials: credentials, warn: warn)
        options.keyVariables = script.providers.all.compactMap(\.keyVariable)
        options.offlineBaseURL = script.defaults.offlineBaseURL
        if let job {
            let begun = try store.beginJob(
                Journal.Job.Request(
                    name: job.name, script: script.name, scriptDigest: SHA256.hex(script.source),
                    arguments: script.arguments, again: job.again))
            tell(begun)
            options.job = begun
        }
        return JournalBroker(broker, options: options, makeStore: { store }, wake: wake)
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
