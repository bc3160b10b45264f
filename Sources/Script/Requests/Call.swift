// One request, as the script holds it: its callbacks, the events not yet shown to the script, and its result.
// Data only; CallRegistry and Delivery work on it.

internal import Base
internal import Chat
internal import LuaVM

/// A request on the script's side.
final class Call {
    /// How the script asked: and so, who sees the events and who owns the request.
    enum Mode { case ask, start, stream }

    /// A callback, and whether it wants the event's table as its second argument. Making a table costs more than
    /// delivering the text, so a function that declares one parameter gets none.
    struct Callback {
        let function: LuaReference
        let wantsEvent: Bool
    }

    /// The callbacks of a request; most are absent.
    struct Callbacks {
        var token, reasoning, toolCall, usage, retry, wait, reset, event, chunk, finish, error: Callback?

        /// The callback for text of that kind.
        func text(_ kind: TextBatch.Kind) -> Callback? { kind == .reasoning ? reasoning : token }

        var isEmpty: Bool {
            token == nil && reasoning == nil && toolCall == nil && usage == nil && retry == nil && wait == nil
                && reset == nil && event == nil && chunk == nil && finish == nil && error == nil
        }
    }

    /// What the script is told at the end.
    enum Result {
        case reply(LuaReference)
        case failure(LuaReference, display: String)
        case raised(LuaError)
    }

    /// One thing left to do for the event at hand.
    enum Step {
        /// From here on the script knows that an attempt has failed.
        case attemptFailed(RequestFailure)
        case callback(Callback, (LuaStack) -> Int)
        case hand(ChatEvent, phase: String?)
        case finish(Result)
    }

    let id: RequestID
    let mode: Mode
    let callbacks: Callbacks
    /// Seconds that tokens are gathered for; 0 for no gathering.
    let coalesce: Double
    /// Whether a piece of text goes to its callback alone, and nothing is made of it on the way.
    let tellsText: Bool

    /// Events taken from the engine and not yet delivered, from `next` on.
    var pending: [ChatEvent] = []
    var next = 0
    /// How many pieces of the run at `next` have been delivered, without those that are being told.
    var piecesShown = 0
    /// A callback is being told pieces of that run.
    var isDelivering = false
    /// How many pieces were told last.
    var lastDelivered = 0
    var steps: [Step] = []
    /// The coroutine in which callbacks run, made with the first one.
    var task: ScriptTask?
    /// A callback waits; nothing is delivered until it is over.
    var isBusy = false
    /// Counts the callbacks that waited and the events pulled, to tell one that still waits from the next.
    var activity = 0
    /// `activity` when the call was last seen to wait for the script.
    var activitySeen = -1
    /// The engine has been informed that the script is busy.
    var isOccupied = false
    var isQueued = false
    var isPaused = false
    /// It ends by itself even while it is paused.
    var hasTotalTimeout = false
    /// It has: nothing more comes that a pause could hold back.
    var isOutOfTime = false
    /// The script has ended the request: what still comes is not shown, but for the end.
    var isClosing = false
    /// It was ended because nobody is left to read it: a failure from before that is one that nobody saw.
    var isStranded = false
    /// The round of delivery in which it was ended. The engine learns of it in the turn after that round; what it would
    /// hand over before belongs to a request that goes on.
    var closedInRound = -1
    /// Its end is being shown: nothing can change the result any more.
    var isEnding = false
    /// A callback's error, which ends the request.
    var raised: LuaError?
    var result: Result?
    /// Its failure, where nobody waited for it.
    var unwatched: UnwatchedFailures.Failure?
    /// The error of the previous attempt, from its delivery to the script until the next event.
    var failedAttempt: RequestFailure?
    /// The same, once the script has refused another attempt: the request ends with it.
    var refusedAttempt: RequestFailure?
    var waiters: [ScriptTask] = []
    /// The task that began a stream, until that is over.
    var streamOwner: ScriptTask?
    /// The task in the iterator's `next`.
    var puller: ScriptTask?
    var gathered = Gathered()
    var hasOutput = false
    var isRetrying = false
    /// The phase of the text that is shown, where the provider names one.
    var phase: String?
    /// The scope that it was begun in, until it is over.
    var scope: TaskScope?
    /// What keeps its first output from the script, until it opens.
    var holdBack: OutputHold?
    /// What it costs, where a budget counts it.
    var meter: Meter?
    /// The budget that ended it: its error says so.
    var overspent: Budget?

    init(id: RequestID, mode: Mode, callbacks: Callbacks, coalesce: Double) {
        self.id = id
        self.mode = mode
        self.callbacks = callbacks
        self.coalesce = coalesce
        let texts = [callbacks.token, callbacks.reasoning].compactMap { $0 }
        tellsText =
            mode != .stream && coalesce == 0 && callbacks.event == nil && !texts.isEmpty
            && !texts.contains { $0.wantsEvent }
    }

    /// A callback or the body of the loop over it has control: the request waits for the script.
    var waitsForScript: Bool { result == nil && !isClosing && (isBusy || mode == .stream && puller == nil) }

    /// `call.status`.
    var status: String {
        switch result {
        case .reply: "finished"
        case .failure, .raised: "failed"
        case nil: isPaused ? "paused" : isRetrying ? "retrying" : hasOutput ? "streaming" : "waiting"
        }
    }

    /// Whether the next event can go to the loop without passing through callbacks or being gathered.
    var canBePulledAtOnce: Bool {
        callbacks.isEmpty && coalesce == 0 && steps.isEmpty && result == nil && !isClosing
    }

    /// Tokens gathered for one callback.
    struct Gathered {
        var text = ""
        var isReasoning = false
        var due = 0.0
        var isEmpty: Bool { text.isEmpty }
    }
}
