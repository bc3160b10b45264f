// A coroutine of a script: its main function, a spawned function, or the callbacks of a request. Run by Scheduler.

internal import LuaVM

/// A coroutine, what it waits for, and its result.
final class ScriptTask {
    /// The function that runs in it.
    enum Kind { case main, spawned, callback }

    /// The state, as `task.status` gives it.
    enum State: String { case ready, running, waiting, done, failed, cancelled }

    /// What a waiting task waits for.
    enum Wait {
        case nothing, timer
        case task(ScriptTask)
        /// `owned`: the request belongs to this wait alone (client:ask). Cancelling the wait cancels it.
        case call(Call, owned: Bool)
        case event(Call)
        /// The next branch of a scope, or the end of all members of a scope that is being left.
        case scope(TaskScope)
        /// The client of a request to the server, which reads the response.
        case exchange(ServedExchange)
        /// The end of the script's server.
        case server(RunningServer)
        /// The journal, which looks for the record of a step or writes it.
        case step(JournalStep)
    }

    /// How a ready task continues.
    enum Resumption {
        /// With the function and this many arguments already on its stack.
        case begin(arguments: Int)
        /// With the values that the closure pushes. It returns their number.
        case values((LuaStack) -> Int)
        /// With an error raised where it waits.
        case raise(LuaError)
        /// Not at all: it has caught its cancellation too often.
        case giveUp
    }

    let id: Int
    let kind: Kind
    let coroutine: LuaCoroutine
    var state = State.ready
    var wait = Wait.nothing
    /// Counts the waits, so that a timer of an earlier wait is recognized.
    var waitNumber = 0
    var resumption: Resumption?
    /// The last error of another coroutine that was raised in this one with a traceback.
    var received: LuaError?
    /// Every further wait raises at once, except shielded ones.
    var isCancelled = false
    /// A cancellation does not end the present wait: the wait for children, or a wait inside llm.shield or a `__close`
    /// handler.
    var isShielded = false
    /// Nesting depth in blocks of llm.shield.
    var shieldDepth = 0
    /// End of the time in which its `__close` handlers may wait (monotonic seconds). Set by the first wait.
    var cleanupLimit: Double?
    /// Number of waits after its cancellation was raised.
    var swallowCount = 0
    /// There were too many of these: the task is ended in its wait.
    var isGivenUp = false
    /// The scope in which it was begun.
    var home: TaskScope?
    /// A combinator waits for it through ``TaskScope/finished``.
    var isBranch = false
    /// The innermost scope in which it runs, and to which what it begins belongs.
    var scope: TaskScope?
    /// Number of streams that it began and that are not over. It may be in the body of a loop over one.
    var openStreams = 0
    /// It was begun inside a callback or a loop over a stream.
    var isBegunInside = false
    /// The request of a callback's task, until that is over.
    var owner: Call?
    /// Tasks in `task:wait()` for this one.
    var waiters: [ScriptTask] = []
    var results: [LuaReference] = []
    var error: LuaError?
    /// Its failure, if nobody waited for it.
    var unwatched: UnwatchedFailures.Failure?

    init(id: Int, kind: Kind, vm: LuaVM) {
        self.id = id
        self.kind = kind
        coroutine = LuaCoroutine(vm)
    }

    /// Drops the references that may form cycles.
    func breakCycles() {
        wait = .nothing
        waiters = []
        owner = nil
        home = nil
        scope = nil
    }

    /// Requests that it makes are made inside a callback or a loop over a stream, which may wait for them.
    var isInside: Bool { isBegunInside || openStreams > 0 || owner.map { !$0.machine.isEnding } ?? false }

    /// For the task of a callback: it has ended without a wait, an error or an open stream, so that all its fields have their
    /// first values. It may run another callback.
    var isReusable: Bool {
        state == .done && waitNumber == 0 && openStreams == 0 && !isCancelled && received == nil && error == nil
            && shieldDepth == 0
    }

    /// It has returned, raised or been cancelled.
    var isOver: Bool { state == .done || state == .failed || state == .cancelled }
}
