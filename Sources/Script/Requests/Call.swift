// One request as the script holds it: its state machine and the Lua objects that belong to it. Data only; CallRegistry
// and CallDispatcher work on it.

internal import Chat
internal import LuaVM

/// A request on the script's side.
final class Call {
    let id: RequestID
    let callbacks: CallCallbacks
    /// Text goes to its callbacks alone, and nothing else is made of a piece: a batch is delivered in one resume.
    let deliversBatches: Bool
    var machine: CallStateMachine
    /// The coroutine in which callbacks run, made with the first one.
    var task: ScriptTask?
    /// Tasks in `call:wait()`.
    var waiters: [ScriptTask] = []
    /// The task that waits for the next event of a stream.
    var streamReader: ScriptTask?
    /// The task that began a stream, until that is over.
    var streamOwner: ScriptTask?
    /// The table of the reply or of the failure, once the last event has come.
    var resultTable: LuaReference?
    /// The scope that it was begun in, until it is over.
    var scope: TaskScope?
    /// What it costs, where a budget counts it.
    var meter: Meter?
    /// Its failure, where nobody waited for it.
    var unwatched: UnwatchedFailures.Failure?
    /// Takes the events of a stream in place of a loop.
    var sink: (any CallSink)?
    /// The last event of a stream, once it has come.
    var lastEvent: ChatEvent?
    /// It is in the registry's queue, or in a batch taken from it.
    var isQueued = false

    init(id: RequestID, callbacks: CallCallbacks, machine: CallStateMachine) {
        self.id = id
        self.callbacks = callbacks
        self.machine = machine
        let texts = [callbacks[.token], callbacks[.reasoning]].compactMap { $0 }
        deliversBatches =
            machine.mode != .stream && machine.coalesce == 0 && callbacks[.event] == nil && !texts.isEmpty
            && !texts.contains { $0.wantsEvent }
    }

    /// Text goes to the sink in whole batches: no callback wants the pieces.
    var relaysBatches: Bool { sink != nil && callbacks.names.isEmpty && machine.coalesce == 0 }

    /// The error of a request that has failed, as it is raised.
    func raisedError(_ outcome: CallStateMachine.Outcome) -> LuaError {
        switch outcome {
        case .raised(let error): error
        case .failure(let display): LuaError(display, value: resultTable)
        case .reply: LuaError("the stream is over")
        }
    }
}

/// What takes the events of a stream without Lua: the response of a server.
protocol CallSink: AnyObject {
    /// It takes nothing now; the events wait, and back-pressure pauses the socket.
    var isBlocked: Bool { get }
    /// Takes an event. `finish` and `failed` come last.
    func take(_ event: ChatEvent)
}
