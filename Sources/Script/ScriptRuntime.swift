// One run of one script: the state, the scheduler, the requests and the loop that turns them. Everything happens on the
// thread that calls `run`. Moonrill is its caller.

package import Base
package import Engine
package import JSON
internal import JSONSchema
package import LuaVM
package import Providers

/// What a script is run with.
package struct ScriptConfiguration {
    /// The script's Lua text.
    package var source: [UInt8]
    /// Its name in messages: the path of its file, or "stdin".
    package var name: String
    /// The folder in which `require` looks first; nil for the working directory.
    package var directory: String?
    /// Whether `require` and `package.loadlib` load C modules. They run in this process without any limit.
    package var allowsNativeModules = false
    /// The values of `arg[1]`, `arg[2]`, ... and of `...`.
    package var arguments: [String] = []
    /// `arg[0]`: the script's name as given.
    package var argumentZero: String?
    /// Seconds that the whole run may take.
    package var timeLimit: Double?
    /// Bytes that the script may hold.
    package var memoryLimit: Int?
    /// What clients without options get.
    package var defaults = ClientDefaults()
    /// The providers that scripts may name.
    package var providers = ProviderTable()
    /// Takes what the script writes to standard output.
    package var output: OutputSink = { _ in true }
    /// Whether each line goes out as it ends, as on a terminal, and not only before the script waits.
    package var isLineBuffered = false
    /// Takes what the script writes to standard error.
    package var errorOutput: OutputSink = { _ in true }
    /// Takes what the script logs.
    package var log: (LogLevel, String) -> Void = { _, _ in }
    /// The value of an environment variable, for `os.getenv`; variables that hold keys are withheld from it.
    package var environment: (String) -> String? = { _ in nil }
    /// Whether a key is set in the variable of that name; called as soon as a script names it.
    package var hasKey: (String) -> Bool = { _ in false }
    /// Key variables that `os.getenv` shows all the same.
    package var visibleVariables: Set<String> = []
    /// Called with the error and the seconds of the delay when a request that has no `on_retry` will be tried again.
    package var retryNotice: ((String, Double) -> Void)?
    /// Called with the reason and the seconds of a wait at the rate limiter when a request has no `on_wait`.
    package var waitNotice: ((String, Double) -> Void)?
    /// The version that `llm.version` shows.
    package var version = ""
    /// Called about every tenth of a second while the script waits for the first output of a request, with the seconds
    /// waited; and with nil before anything else is written.
    package var indicator: ((Double?) -> Void)?
    /// Makes the nth allocation of the script fail. For tests.
    package var failAllocation = 0

    /// A script with that text and name.
    package init(source: [UInt8], name: String) {
        self.source = source
        self.name = name
    }
}

/// How a run ended.
package enum ScriptOutcome: Sendable {
    /// The main function returned, and every task and request is over.
    case finished
    /// The script called `os.exit`.
    case exited(Int)
    /// The script could not be compiled, or raised.
    case failed(ScriptFailure)
    /// Its time ran out.
    case timedOut(seconds: Double)
    /// A signal stopped it: its number.
    case interrupted(Int)
    /// Nobody reads its output any more.
    case outputClosed
}

/// Why a script failed.
package struct ScriptFailure: Error, Sendable {
    /// The message, with "file:line:" where Lua gave it.
    package var message: String
    /// Lua's traceback; empty for a syntax error.
    package var traceback: String
    /// How many tasks and background requests failed while nobody waited for them, where the script did nothing else
    /// wrong. Each was logged; message and traceback are the first one's.
    package var unwatchedCount = 0
}

/// Runs one script.
package final class ScriptRuntime {
    let configuration: ScriptConfiguration
    let vm: LuaVM
    let engine: Engine
    let scheduler: Scheduler
    var coder: LuaCoder
    var center: CallRegistry?
    var replyMetatable: LuaReference?
    var errorMetatable: LuaReference?
    /// What the configuration knew, and what the script has defined since.
    var providers: ProviderTable
    private var hiddenVariables: Set<String> = []
    /// Set by `os.exit`.
    var exitCode: Int?
    var functions: [(name: String, body: HostBody)] = []
    var isOutputClosed = false
    private var waitingSince: Double?

    /// A runtime for one script.
    /// - Throws: ``LuaError`` when there is no memory for a state.
    package init(_ configuration: ScriptConfiguration, engine: Engine) throws(LuaError) {
        self.configuration = configuration
        providers = configuration.providers
        self.engine = engine
        vm = try LuaVM(memoryLimit: configuration.memoryLimit)
        scheduler = Scheduler(vm: vm)
        coder = LuaCoder.make(in: vm)
        vm.setWake(descriptor: engine.wakeDescriptor)
    }

    /// Lets the signals (SIGINT, SIGTERM) stop the run: tasks and requests are cancelled, `__close` handlers run, for two
    /// seconds at most, output is flushed. A second one ends the process at once. To be called on the thread that runs the
    /// script, once a process.
    package func stop(onSignals signals: [Int32]) { vm.catchSignals(signals) }

    /// Makes a Swift function available to the script as `require("host").name`. Arguments and results are JSON values;
    /// what it throws is raised in the script.
    package func register(_ name: String, _ body: @escaping ([JSONValue]) throws -> [JSONValue]) {
        let coder = self.coder
        functions.append(
            (
                name,
                { call throws(LuaError) in
                    var arguments: [JSONValue] = []
                    for index in 0..<call.argumentCount {
                        arguments.append(
                            try coder.value(at: index + 1, of: call.stack, place: "\(name): argument \(index + 1)"))
                    }
                    let results: [JSONValue]
                    do { results = try body(arguments) } catch { throw .misuse("\(name): \(error)") }
                    for result in results { coder.push(result, to: call.stack) }
                    return .returned(results.count)
                }
            ))
    }

    // MARK: Keys

    /// Withholds a variable that holds a key from `os.getenv`, and lets the host take it out of the environment.
    func hideVariable(_ name: String) {
        guard !configuration.visibleVariables.contains(name), hiddenVariables.insert(name).inserted else { return }
        _ = configuration.hasKey(name)
    }

    /// True for a variable that `os.getenv` does not show.
    func isHidden(_ name: String) -> Bool { hiddenVariables.contains(name) }

    // MARK: The run

    /// Runs the script to its end, whatever that is. To be called once.
    package func run() -> ScriptOutcome {
        defer {
            engine.turn(waitingUpTo: 0)
            vm.stopDeadline()
            vm.close()
            scheduler.breakCycles()
            center?.breakCycles()
        }
        do throws(LuaError) {
            try open()
            let main = scheduler.makeTask(.main)
            try loadMain(into: main)
            vm.failAllocation(configuration.failAllocation)
            loop(main)
            return outcome(of: main)
        } catch {
            return ended(by: error)
        }
    }

    private func loadMain(into main: ScriptTask) throws(LuaError) {
        let stack = main.coroutine.stack
        try stack.load(configuration.source, name: "@" + configuration.name)
        for argument in configuration.arguments { stack.push(argument) }
        scheduler.begin(main, arguments: configuration.arguments.count)
        guard let seconds = configuration.timeLimit else { return }
        try vm.startDeadline(seconds: seconds, reason: "out of time")
    }

    private func loop(_ main: ScriptTask) {
        guard let center else { return }
        var isWindingUp = false
        while !vm.isKilled {
            runArrived(center)
            if vm.isKilled { break }
            if vm.isStopping, !scheduler.isStopped {
                scheduler.stopAll()
                center.cancelAll()
            } else if main.state == .failed, !isWindingUp {
                isWindingUp = true
                scheduler.cancelAll()
                center.cancelAll()
            }
            let now = Engine.now()
            scheduler.fireTimers(now: now)
            center.fireGathering(now: now)
            reportUnwatched(now: now)
            if isOver(main, center) { break }
            turn(center)
        }
        reportUnwatched(now: .infinity)
        vm.flushOutput()
        if vm.isKilled { center.cancelAll() }
    }

    /// Delivers what has arrived and runs what can run. A process that was stopped wakes to both events and overdue timers:
    /// the events then take effect first, as far as they reach.
    private func runArrived(_ center: CallRegistry) {
        var rounds = 32
        repeat {
            center.deliverAll()
            scheduler.runReady()
            rounds -= 1
        } while rounds > 0 && (scheduler.hasReady || !center.queue.isEmpty) && !vm.isStopping && isLate
    }

    /// A timer is overdue by more than the machine's load explains.
    private var isLate: Bool { scheduler.nextDeadline.map { Engine.now() - $0 > 0.1 } ?? false }

    private func reportUnwatched(now: Double) {
        for line in scheduler.unwatched.takeDue(now: now) { configuration.log(.warning, line) }
    }

    private func isOver(_ main: ScriptTask, _ center: CallRegistry) -> Bool {
        guard !scheduler.hasReady, center.queue.isEmpty else { return false }
        if scheduler.aliveCount == 0 {
            if center.liveCount == 0 { return true }
            center.cancelStranded()
        }
        let isStuck = center.queue.isEmpty && scheduler.nextDeadline == nil && !center.canProgress
        guard isStuck else { return false }
        let task = main.isOver ? scheduler.firstWaiting ?? center.firstWaitingCallback : main
        task.map { scheduler.interrupt($0, Self.deadlock) }
        return false
    }

    private static let deadlock = LuaError("nothing can go on: every task waits for a paused request or another task")

    private func turn(_ center: CallRegistry) {
        vm.flushOutput()
        center.freePlaces(now: Engine.now())
        guard !scheduler.hasReady, center.queue.isEmpty else { return engine.turn(waitingUpTo: 0) }
        let nextLook = engine.hasRequestsInLine ? Engine.now() + CallRegistry.lookInterval : nil
        let deadlines = [
            scheduler.nextDeadline, center.gathering.nextDeadline, scheduler.unwatched.nextDeadline, nextLook,
        ].compactMap { $0 }
        var wait = deadlines.min().map { max(0, $0 - Engine.now()) }
        if let indicator = configuration.indicator, center.isWaitingForOutput {
            let now = Engine.now()
            let since = waitingSince ?? now
            waitingSince = since
            indicator(now - since)
            wait = min(wait ?? 0.1, 0.1)
        } else if waitingSince != nil {
            waitingSince = nil
            configuration.indicator?(nil)
        }
        engine.turn(waitingUpTo: wait)
    }

    // MARK: How it ended

    private func outcome(of main: ScriptTask) -> ScriptOutcome {
        if let error = main.error { return ended(by: error) }
        if vm.isStopping { return ended(by: LuaError("stopped")) }
        let lost = scheduler.unwatched.lost
        guard let first = lost.first else { return .finished }
        return .failed(
            ScriptFailure(message: first.message, traceback: first.traceback, unwatchedCount: lost.count))
    }

    private func ended(by error: LuaError) -> ScriptOutcome {
        if let exitCode { return .exited(exitCode) }
        if isOutputClosed { return .outputClosed }
        if vm.isStopping {
            guard vm.stopReason == "out of time" else { return .interrupted(vm.caughtSignal) }
            return .timedOut(seconds: configuration.timeLimit ?? 0)
        }
        return .failed(ScriptFailure(message: error.message, traceback: error.traceback))
    }
}

// The state, the engine and the loop belong to one thread.
@available(*, unavailable)
extension ScriptRuntime: Sendable {}
