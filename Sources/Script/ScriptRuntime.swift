// One run of one script: the Lua state, the scheduler, the requests and the loop. Everything happens on the thread that
// calls `run`.

package import Base
package import Chat
internal import Glibc
package import JSON
package import LuaVM
package import Providers

/// A script and its environment.
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
    /// Time limit of the run in seconds.
    package var timeLimit: Double?
    /// Memory limit of the script in bytes.
    package var memoryLimit: Int?
    /// The options of clients that set none.
    package var defaults = ClientDefaults()
    /// The providers that scripts may name.
    package var providers = ProviderTable()
    /// Takes what the script writes to standard output.
    package var output: OutputSink = { _ in true }
    /// Output is flushed after each line, as on a terminal, and not only before the script waits.
    package var isLineBuffered = false
    /// Takes what the script writes to standard error.
    package var errorOutput: OutputSink = { _ in true }
    /// Takes what the script logs.
    package var log: (LogLevel, String) -> Void = { _, _ in }
    /// The value of an environment variable, for `os.getenv`. Variables that hold keys are hidden.
    package var environment: (String) -> String? = { _ in nil }
    /// Whether the variable of that name holds a key. Called when a script names the variable.
    package var hasKey: (String) -> Bool = { _ in false }
    /// Key variables that `os.getenv` does not hide.
    package var visibleVariables: Set<String> = []
    /// Called with the error and the delay in seconds when a request without `on_retry` will be tried again.
    package var retryNotice: ((String, Double) -> Void)?
    /// Called with the reason and the seconds when a request without `on_wait` waits at the rate limiter.
    package var waitNotice: ((String, Double) -> Void)?
    /// The version that `llm.version` shows.
    package var version = ""
    /// Called about every 0.1 s while the script waits for the first output of a request, with the seconds so far, and
    /// with nil before anything else is written.
    package var indicator: ((Double?) -> Void)?
    /// Makes the server of `llm.serve`; nil if the script may not serve.
    package var makeServer: (() -> any ServerBroker)?
    /// What the command line says of the server.
    package var serverOverrides = ServerOverrides()
    /// Called with the server's address once it listens.
    package var serverNotice: ((ServerAddress) -> Void)?
    /// Called when it cannot listen. The script gets the error, too, and may ignore it.
    package var serverFailureNotice: ((ServerFailure) -> Void)?
    /// The journal of the script's job, for `llm.step`; nil without a job.
    package var steps: (any StepJournal)?
    /// Whether costs of requests are recorded: requests then carry the price of their model.
    package var recordsCosts = false
    /// Records the run, or is what it is run against; nil for a run that is neither.
    package var tape: (any ScriptTape)?
    /// The time limit of the recorded run, for the message of a run against its record.
    package var tapeTimeLimit: Double?
    /// Whether modules are taken from the record even if their files are there.
    package var prefersRecordedModules = true
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
    /// The time limit ended it.
    case timedOut(seconds: Double)
    /// A signal stopped it; the signal's number.
    case interrupted(Int)
    /// Its standard output was closed.
    case outputClosed
}

/// What a step of a run leaves to the owner of the thread.
package enum ScriptStep: Sendable {
    /// Turn the reactor, which may sleep for this many seconds; nil for no bound. Then take the next step.
    case waits(upTo: Double?)
    /// The run is over.
    case ended(ScriptOutcome)
}

/// Why a script failed.
package struct ScriptFailure: Error, Sendable, CustomStringConvertible {
    /// The message.
    package var description: String { message }

    /// The message, with "file:line:" if Lua gave it.
    package var message: String
    /// Lua's traceback; empty for a syntax error.
    package var traceback: String
    /// Number of tasks and background requests that failed while nobody waited for them, if the script itself did not
    /// fail. Each was logged. Message and traceback are those of the first.
    package var unwatchedCount = 0
    /// Whether the message may name a line of the script.
    package var namesSource = true
}

/// Runs one script. All calls are made on one thread.
package final class ScriptRuntime {
    let configuration: ScriptConfiguration
    let vm: LuaVM
    private enum Lifecycle {
        case ready
        /// The main task. Once it has failed, all others are cancelled, which is begun once.
        case running(ScriptTask, isWindingUp: Bool)
        case over(ScriptOutcome)
    }

    let broker: any RequestBroker
    let clock: ScriptClock
    let scheduler: Scheduler
    var coder: LuaCoder
    var dispatcher: CallDispatcher?
    /// The server that the script has started.
    var server: RunningServer?
    /// The steps of the script, once it has called `llm.step`.
    var steps: JournalSteps?
    var replyMetatable: LuaReference?
    var errorMetatable: LuaReference?
    /// The configuration's providers, and those that the script has defined.
    var providers: ProviderTable
    private var hiddenVariables: Set<String> = []
    /// Set by `os.exit`.
    var exitCode: Int?
    var functions: [(name: String, body: HostBody)] = []
    var isOutputClosed = false
    private var waitingSince: Double?
    private var catchesSignals = false
    private var isServerEnding = false
    private var lifecycle = Lifecycle.ready
    /// The stop that was in effect when the step began, and the signal of a recorded stop.
    private var stopAtBeginning: TapeStop?
    private var tapeSignal: Int?

    /// A runtime for one script.
    /// - Parameters:
    ///   - broker: what carries its requests.
    ///   - wakeDescriptor: an eventfd that ends the sleep of the reactor when the script is stopped.
    /// - Throws: ``LuaError`` when there is no memory for a state.
    package init(
        _ configuration: ScriptConfiguration, broker: any RequestBroker, wakeDescriptor: Int32
    ) throws(LuaError) {
        self.configuration = configuration
        providers = configuration.providers
        self.broker = broker
        vm = try LuaVM(memoryLimit: configuration.memoryLimit)
        clock = ScriptClock(tape: configuration.tape)
        scheduler = Scheduler(vm: vm, clock: clock)
        coder = LuaCoder.make(in: vm)
        vm.setWake(descriptor: wakeDescriptor)
        connectTape()
    }

    /// Makes the signals (SIGINT, SIGTERM) stop the run: tasks and requests are cancelled, `__close` handlers run for at
    /// most two seconds, output is flushed. A second signal ends the process at once. Call it on the thread that runs the
    /// script, once in a process.
    package func stop(onSignals signals: [Int32]) {
        vm.catchSignals(signals)
        catchesSignals = !signals.isEmpty
    }

    /// Makes SIGHUP read the certificate of the server again. Without one, SIGHUP ends a server only with its terminal.
    func catchReload(hasCertificate: Bool) {
        if catchesSignals, hasCertificate || isatty(STDIN_FILENO) == 0 { vm.catchSignals([SIGHUP]) }
    }

    /// Makes a Swift function available to the script as `require("host").name`. Arguments and results are JSON values.
    /// An error that it throws is raised in the script.
    package func register(_ name: String, _ body: @escaping ([JSONValue]) throws -> [JSONValue]) {
        let coder = self.coder
        let taped = self.taped
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
                    do { results = try taped(name, arguments, body) } catch { throw .misuse("\(name): \(error)") }
                    for result in results { coder.push(result, to: call.stack) }
                    return .returned(results.count)
                }
            ))
    }

    // MARK: Keys

    /// Hides a variable that holds a key from `os.getenv`, and lets the host take it out of the environment.
    func hideVariable(_ name: String) {
        guard !configuration.visibleVariables.contains(name), hiddenVariables.insert(name).inserted else { return }
        _ = configuration.hasKey(name)
    }

    /// True for a variable that `os.getenv` does not show.
    func isHidden(_ name: String) -> Bool { hiddenVariables.contains(name) }

    // MARK: The run

    /// Runs the script to its end. Call it once, in place of `step`.
    package func run(turning reactor: any Reactor) -> ScriptOutcome {
        while true {
            switch step() {
            case .waits(let seconds): reactor.turn(waitingUpTo: seconds)
            case .ended(let outcome):
                // Applies the last commands.
                reactor.turn(waitingUpTo: 0)
                return outcome
            }
        }
    }

    /// Delivers what has arrived and runs every task that can run. The first step begins the script.
    package func step() -> ScriptStep {
        guard let tape = configuration.tape else { return takeStep() }
        if case .over(let outcome) = lifecycle { return .ended(outcome) }
        beginStep(tape)
        let step = takeStep()
        if case .waits = step { noteStop(tape, isLast: false) }
        return step
    }

    private func takeStep() -> ScriptStep {
        switch lifecycle {
        case .ready:
            do throws(LuaError) { return step(try begin(), isWindingUp: false) } catch { return end(ended(by: error)) }
        case .running(let main, let isWindingUp): return step(main, isWindingUp: isWindingUp)
        case .over(let outcome): return .ended(outcome)
        }
    }

    private func begin() throws(LuaError) -> ScriptTask {
        try open()
        let main = scheduler.makeTask(.main)
        try loadMain(into: main)
        vm.failAllocation(configuration.failAllocation)
        lifecycle = .running(main, isWindingUp: false)
        return main
    }

    private func end(_ ending: ScriptOutcome) -> ScriptStep {
        let outcome = tapeOutcome ?? ending
        lifecycle = .over(outcome)
        configuration.tape.map { noteStop($0, isLast: true) }
        configuration.tape?.onVerdict = nil
        configuration.tape?.isStopping = { true }
        vm.stopDeadline()
        server?.broker.flush()
        vm.close()
        scheduler.breakCycles()
        dispatcher?.registry.breakCycles()
        steps?.breakCycles()
        return .ended(outcome)
    }

    private func loadMain(into main: ScriptTask) throws(LuaError) {
        let stack = main.coroutine.stack
        try stack.load(configuration.source, name: "@" + configuration.name)
        for argument in configuration.arguments { stack.push(argument) }
        scheduler.begin(main, arguments: configuration.arguments.count)
        guard let seconds = configuration.timeLimit else { return }
        try vm.startDeadline(seconds: seconds, reason: Self.outOfTime)
    }

    private func step(_ main: ScriptTask, isWindingUp: Bool) -> ScriptStep {
        guard let dispatcher else { return end(outcome(of: main)) }
        let registry = dispatcher.registry
        if let server { serve(server) }
        steps?.takeEvents()
        if !vm.isKilled { runArrived(dispatcher) }
        guard !vm.isKilled else { return finish(main, registry) }
        if vm.isStopping, !scheduler.isStopped {
            scheduler.stopAll()
            registry.cancelAll()
        } else if main.state == .failed, !isWindingUp {
            lifecycle = .running(main, isWindingUp: true)
            scheduler.cancelAll()
            registry.cancelAll()
        }
        let now = clock.decisionTime()
        scheduler.fireTimers(now: now)
        registry.fireTimers(now: now)
        reportUnwatched(now: now)
        guard !isOver(main, registry) else { return finish(main, registry) }
        vm.flushOutput()
        server?.broker.flush()
        registry.freePlaces(now: clock.decisionTime())
        // The owner turns the reactor before the next step.
        registry.noteTurn()
        return .waits(upTo: waitTimeout(registry))
    }

    /// Takes the server's events, and passes signals on to it: the first one ends the server, and the script once the server
    /// has stopped.
    private func serve(_ server: RunningServer) {
        if vm.takeReload() { server.broker.reloadCertificate() }
        if vm.isAskedToEnd, !isServerEnding {
            isServerEnding = true
            server.broker.stop()
        }
        server.takeEvents()
        guard server.isStopped else { return }
        vm.setGraceful(nil)
        if isServerEnding { vm.finishGracefully() }
    }

    private func finish(_ main: ScriptTask, _ registry: CallRegistry) -> ScriptStep {
        reportUnwatched(now: .infinity)
        vm.flushOutput()
        if vm.isKilled { registry.cancelAll() }
        return end(outcome(of: main))
    }

    /// Delivers what has arrived and runs what can run. A process that was stopped by SIGSTOP wakes with both events and
    /// overdue timers: the events take effect first.
    private func runArrived(_ dispatcher: CallDispatcher) {
        var rounds = 32
        repeat {
            dispatcher.deliverAll()
            scheduler.runReady()
            rounds -= 1
        } while rounds > 0 && (scheduler.hasReady || dispatcher.registry.hasQueued) && !vm.isStopping && isLate
    }

    /// A timer is overdue by more than the load of the machine explains.
    private var isLate: Bool { scheduler.nextDeadline.map { clock.decisionTime() - $0 > 0.1 } ?? false }

    private func reportUnwatched(now: Double) {
        for line in scheduler.unwatched.takeDue(now: now) { configuration.log(.warning, line) }
    }

    private func isOver(_ main: ScriptTask, _ registry: CallRegistry) -> Bool {
        guard !scheduler.hasReady, !registry.hasQueued else { return false }
        if scheduler.aliveCount == 0 {
            if registry.isEmpty { return true }
            registry.cancelUnreachable()
        }
        let isServing = server.map { !$0.isStopped } ?? false
        let isStuck =
            !registry.hasQueued && scheduler.nextDeadline == nil && !registry.canProgress && !isServing
            && steps?.isAwaited != true
        guard isStuck else { return false }
        let task = main.isOver ? scheduler.firstWaiting ?? registry.firstWaitingCallback : main
        task.map { scheduler.interrupt($0, Self.deadlock) }
        return false
    }

    private static let deadlock = LuaError("nothing can go on: every task waits for a paused request or another task")

    /// How long the reactor may sleep, in seconds; nil for no bound.
    private func waitTimeout(_ registry: CallRegistry) -> Double? {
        guard !scheduler.hasReady, !registry.hasQueued, !broker.hasReady, steps?.hasEvents != true else { return 0 }
        let nextSample = broker.hasRequestsInLine ? clock.waitTime() + CallRegistry.sampleInterval : nil
        let deadlines = [
            scheduler.nextDeadline, registry.nextDeadline, scheduler.unwatched.nextDeadline, nextSample,
        ].compactMap { $0 }
        var wait = deadlines.min().map { max(0, $0 - clock.waitTime()) }
        if let indicator = configuration.indicator, registry.isWaitingForOutput {
            let now = clock.waitTime()
            let since = waitingSince ?? now
            waitingSince = since
            indicator(now - since)
            wait = min(wait ?? 0.1, 0.1)
        } else if waitingSince != nil {
            waitingSince = nil
            configuration.indicator?(nil)
        }
        return wait
    }

    // MARK: Recordings

    /// The results of a function of the embedding program: from the record, or recorded.
    private var taped: (String, [JSONValue], ([JSONValue]) throws -> [JSONValue]) throws -> [JSONValue] {
        { [tape = configuration.tape] name, arguments, body in
            guard let tape else { return try body(arguments) }
            let call = "host.\(name)"
            if let recorded = tape.recorded(call, arguments) {
                if let message = recorded["error"]?.string { throw ScriptFailure(message: message, traceback: "") }
                return recorded.array ?? []
            }
            do {
                let results = try body(arguments)
                tape.record(call, arguments, result: .array(results))
                return results
            } catch {
                tape.record(call, arguments, result: ["error": .string("\(error)")])
                throw error
            }
        }
    }

    private static let outOfTime = "out of time"
    /// The reason that the shim gives (output.c).
    private static let outputClosed = "the output was closed"

    private func connectTape() {
        guard let tape = configuration.tape else { return }
        tape.onVerdict = { [unowned self] in vm.kill("the recording") }
        tape.isStopping = { [unowned self] in vm.isStopping }
    }

    private var currentStop: TapeStop? {
        guard vm.isStopping else { return nil }
        return TapeStop(reason: vm.stopReason ?? "", signal: vm.caughtSignal, isKill: vm.isKilled)
    }

    /// Brings the recorded stop into effect if the recorded run was stopped before this step, or while it ran.
    private func beginStep(_ tape: any ScriptTape) {
        clock.beginStep()
        stopAtBeginning = currentStop
        guard tape.verdict == nil else { return }
        if let due = tape.stop(atBeginning: stopAtBeginning), due != stopAtBeginning {
            tapeSignal = due.signal
            if due.reason == Self.outputClosed { isOutputClosed = true }
            if due.isKill { vm.kill(due.reason) } else { vm.stop(due.reason) }
            stopAtBeginning = due
        } else if let (stop, seconds) = tape.stopInside {
            tapeSignal = stop.signal
            // Without a timer the rest of the step runs, and then the stop takes effect.
            try? vm.startDeadline(seconds: max(seconds, 0.001), reason: stop.reason)
        }
    }

    /// Notes a stop that came while the script ran. What the script itself does to end is not noted: it will do it again.
    /// One that nothing has noticed yet takes effect at the beginning of the next step.
    private func noteStop(_ tape: any ScriptTape, isLast: Bool) {
        guard tape.verdict == nil else { return }
        if let (stop, _) = tape.stopInside, !vm.isStopping {
            if stop.isKill { vm.kill(stop.reason) } else { vm.stop(stop.reason) }
        }
        guard exitCode == nil, !isOutputClosed, let stop = currentStop, stop != stopAtBeginning,
            isLast || vm.hasNoticedStop || scheduler.hasSeenStop
        else { return }
        tape.noteStop(inside: stop)
    }

    /// How the run ends because of its tape; nil if it ends by itself.
    private var tapeOutcome: ScriptOutcome? {
        switch configuration.tape?.verdict {
        // The recorded run was stopped in this step, and this one has come to its end before the same time.
        case nil: exitCode == nil && !vm.isStopping ? (configuration.tape?.stopInside?.stop).map(outcome) : nil
        case .failed(let message)?: .failed(ScriptFailure(message: message, traceback: "", namesSource: false))
        case .outputClosed?: .outputClosed
        case .interrupted(let signal)?: .interrupted(signal)
        case .timedOut?: .timedOut(seconds: configuration.timeLimit ?? configuration.tapeTimeLimit ?? 0)
        }
    }

    private func outcome(of stop: TapeStop) -> ScriptOutcome {
        guard stop.reason == Self.outOfTime else { return .interrupted(stop.signal) }
        return .timedOut(seconds: configuration.timeLimit ?? configuration.tapeTimeLimit ?? 0)
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
            return outcome(
                of: TapeStop(
                    reason: vm.stopReason ?? "", signal: tapeSignal ?? vm.caughtSignal, isKill: vm.isKilled))
        }
        return .failed(ScriptFailure(message: error.message, traceback: error.traceback))
    }
}

// The Lua state and the broker belong to one thread.
@available(*, unavailable)
extension ScriptRuntime: Sendable {}
