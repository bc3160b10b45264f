// One strand of a script: its main function, a spawned function, or the callbacks of a request. Data only; the
// scheduler runs it.

internal import LuaVM

/// A coroutine with what it waits for and what came of it.
final class ScriptTask {
    /// What runs in it.
    enum Kind { case main, spawned, callback }

    /// What it does now: `task.status`.
    enum State: String { case ready, running, waiting, done, failed, cancelled }

    /// What a waiting task waits for.
    enum Wait {
        case nothing, timer
        case task(ScriptTask)
        /// `owned` when the request belongs to the wait alone (client:ask): cancelling the wait cancels it.
        case call(Call, owned: Bool)
        case event(Call)
        /// The next branch of a scope, or, once it is being left, the end of its members.
        case scope(TaskScope)
    }

    /// How a ready task goes on.
    enum Resumption {
        /// With the function and this many arguments already on its stack.
        case begin(arguments: Int)
        /// With the values that the closure pushes; it answers how many.
        case values((LuaStack) -> Int)
        /// With an error raised where it waits.
        case raise(LuaError)
        /// Not at all: it has swallowed its cancellation too often.
        case giveUp
    }

    let id: Int
    let kind: Kind
    let coroutine: LuaCoroutine
    var state = State.ready
    var wait = Wait.nothing
    /// Tells a stale timer from the live one.
    var waitNumber = 0
    var resumption: Resumption?
    /// The error of another coroutine that was last raised in this one, if it brought a traceback.
    var received: LuaError?
    /// Once set, every further wait raises at once, but for one that is shielded.
    var isCancelled = false
    /// Cancelling does not end the present wait: it is the wait for children to be over, or inside llm.shield or a
    /// `__close` handler.
    var isShielded = false
    /// How many blocks of llm.shield it is in.
    var shieldDepth = 0
    /// When its `__close` handlers may wait no more (monotonic seconds); set by the first wait.
    var cleanupLimit: Double?
    /// How often it waited again after its cancellation was raised.
    var swallowCount = 0
    /// It did so too often: it is ended where it waits.
    var isGivenUp = false
    /// The scope that it was begun in.
    var home: TaskScope?
    /// Whether a combinator waits for it by ``TaskScope/finished``.
    var isBranch = false
    /// The innermost scope that it runs in: what it begins belongs there.
    var scope: TaskScope?
    /// Streams that it began, until they are over: it may be in the body of a loop over one.
    var openStreams = 0
    /// It was begun inside a callback or a loop over a stream.
    var isBegunInside = false
    /// For a callback's task: the request it belongs to, until that is over.
    var owner: Call?
    /// Tasks in `task:wait()` for this one.
    var waiters: [ScriptTask] = []
    var results: [LuaReference] = []
    var error: LuaError?
    /// Its error, where nobody waited for it.
    var unwatched: UnwatchedFailures.Failure?

    init(id: Int, kind: Kind, vm: LuaVM) {
        self.id = id
        self.kind = kind
        coroutine = LuaCoroutine(vm)
    }

    /// Lets go of what it waits for, and of those that wait for it.
    func breakCycles() {
        wait = .nothing
        waiters = []
        owner = nil
        home = nil
        scope = nil
    }

    /// What it asks is asked inside a callback or a loop over a stream, which may wait for the answer.
    var isInside: Bool { isBegunInside || openStreams > 0 || owner.map { !$0.isEnding } ?? false }

    /// True once it has returned, raised or been cancelled.
    var isOver: Bool { state == .done || state == .failed || state == .cancelled }
}
