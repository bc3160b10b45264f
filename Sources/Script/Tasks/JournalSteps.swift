// Steps of a script whose results its job records (llm.step): the waits for the journal. Without a job, nothing is recorded.

internal import Chat
internal import JSON
internal import LuaVM

/// One step from its beginning to its end.
final class JournalStep {
    /// Where the step stands.
    enum State {
        /// The journal looks for the record; this task waits for it.
        case lookingUp(StepID, ScriptTask)
        /// The script does the work. No number without a job.
        case running(StepID?)
        /// The result is being recorded; the task gets it once it is on the disk.
        case recording(StepID, ScriptTask, JSONValue)
        case over
    }

    let name: String
    fileprivate(set) var state = State.running(nil)
    private unowned let steps: JournalSteps

    fileprivate init(name: String, steps: JournalSteps) {
        self.name = name
        self.steps = steps
    }

    /// The step as messages name it.
    var title: String { "llm.step \"\(name)\"" }

    /// Its task gave up its wait.
    func cancelWait() { steps.cancelWait(self) }
}

/// The steps of one script.
final class JournalSteps {
    private let journal: (any StepJournal)?
    private let scheduler: Scheduler
    private let coder: LuaCoder
    private let type: LuaUserdataType<JournalStep>
    /// Makes the error of kind "journal".
    private let failure: (String) -> LuaError
    /// Steps for which an event of the journal is due.
    private var waiting: [StepID: JournalStep] = [:]

    init(
        _ journal: (any StepJournal)?, vm: LuaVM, scheduler: Scheduler, coder: LuaCoder,
        failure: @escaping (String) -> LuaError
    ) {
        self.journal = journal
        self.scheduler = scheduler
        self.coder = coder
        self.failure = failure
        type = LuaUserdataType(vm, name: "llm.step.handle")
    }

    /// A task waits for the journal.
    var isAwaited: Bool { !waiting.isEmpty }

    /// Events of the journal have come.
    var hasEvents: Bool { journal?.hasStepEvents ?? false }

    /// Breaks the reference cycles with tasks that wait. Nothing runs after this.
    func breakCycles() {
        for step in waiting.values { step.state = .over }
        waiting = [:]
    }

    // MARK: Actions of the script

    /// Begins a step. Returns its handle if the work is to be done, and otherwise nil and the recorded results.
    func begin(name: String, _ host: HostCall) throws(LuaError) -> HostOutcome {
        let step = JournalStep(name: name, steps: self)
        guard let journal else {
            host.stack.push(step, as: type)
            return .returned(1)
        }
        try scheduler.suspend(.step(step), host, action: "llm.step")
        let id = journal.lookUp(step: name)
        if let task = scheduler.current { step.state = .lookingUp(id, task) }
        waiting[id] = step
        return .waits
    }

    /// Ends the step at index 1 with the results behind it. Returns them as they will be when the job is resumed, once they
    /// are recorded.
    /// - Throws: ``LuaError`` with the place of a value that JSON cannot hold.
    func finish(_ host: HostCall) throws(LuaError) -> HostOutcome {
        guard let step = host.stack.object(at: 1, as: type), case .running(let id) = step.state else {
            throw .misuse("llm.step: the step is over")
        }
        let json = try encoded(step, host)
        let results: JSONValue
        do throws(JSONError) { results = try JSONReader.strictValue(json) } catch {
            throw .misuse("\(step.title): the result cannot be read back: \(error.message)")
        }
        guard let journal, let id else {
            step.state = .over
            return .returned(push(results, to: host.stack))
        }
        // A task that was cancelled does not wait, but the work is done, and is recorded.
        step.state = .over
        journal.record(id, json)
        try scheduler.suspend(.step(step), host, action: "llm.step")
        if let task = scheduler.current { step.state = .recording(id, task, results) }
        waiting[id] = step
        return .waits
    }

    /// The step at index 1 has failed, if it is not over.
    func abandon(_ host: HostCall) {
        guard let step = host.stack.object(at: 1, as: type), case .running(let id) = step.state else { return }
        step.state = .over
        if let id { journal?.abandon(id) }
    }

    fileprivate func cancelWait(_ step: JournalStep) {
        switch step.state {
        case .lookingUp(let id, _):
            waiting[id] = nil
            journal?.abandon(id)
        case .recording(let id, _, _): waiting[id] = nil
        case .running, .over: break
        }
        step.state = .over
    }

    // MARK: Events of the journal

    /// Takes the events, and wakes the tasks that wait for them. Those of cancelled waits are dropped.
    func takeEvents() {
        guard let journal, journal.hasStepEvents else { return }
        for event in journal.takeStepEvents() {
            guard let step = waiting[event.id] else { continue }
            switch (step.state, event) {
            case (.lookingUp(_, let task), .found(_, let json)): end(step, task, json)
            case (.lookingUp(let id, let task), .missing):
                step.state = .running(id)
                scheduler.wake(
                    task,
                    .values { [type] stack in
                        stack.push(step, as: type)
                        return 1
                    })
            case (.recording(_, let task, let results), .recorded):
                step.state = .over
                scheduler.wake(task, .values { [unowned self] in push(results, to: $0) })
            case (.lookingUp(_, let task), .failed(_, let message)),
                (.recording(_, let task, _), .failed(_, let message)):
                step.state = .over
                scheduler.wake(task, .raise(failure("\(step.title): \(message)")))
            default: continue
            }
            waiting[event.id] = nil
        }
    }

    private func end(_ step: JournalStep, _ task: ScriptTask, _ json: [UInt8]) {
        step.state = .over
        do throws(JSONError) {
            let results = try JSONReader.strictValue(json)
            scheduler.wake(
                task,
                .values { [unowned self] stack in
                    stack.pushNil()
                    return 1 + push(results, to: stack)
                })
        } catch {
            scheduler.wake(task, .raise(failure("\(step.title): the record is not JSON: \(error.message)")))
        }
    }

    // MARK: Values

    /// The results behind index 1, as an array. A nil is null there.
    private func encoded(_ step: JournalStep, _ host: HostCall) throws(LuaError) -> [UInt8] {
        var results: [JSONValue] = []
        for index in 1..<max(1, host.argumentCount) {
            do throws(LuaCoder.Problem) {
                results.append(
                    try coder.encoded(at: index + 1, of: host.stack, place: "\(step.title): result \(index)"))
            } catch {
                throw .misuse(
                    "\(error.description); a step returns what JSON can hold: strings, numbers, booleans and tables of "
                        + "these")
            }
        }
        return JSONWriter.bytes(.array(results))
    }

    /// Pushes the results, and returns their number.
    private func push(_ results: JSONValue, to stack: LuaStack) -> Int {
        guard case .array(let values) = results else {
            coder.push(results, to: stack)
            return 1
        }
        stack.reserve(values.count + 4)
        for value in values { if case .null = value { stack.pushNil() } else { coder.push(value, to: stack) } }
        return values.count
    }
}
