// The life of one request on the script's side as a pure value: which events may still be delivered, to whom, and what
// pause, stop, cancel and a failing callback do. No Lua objects, no engine, no clock.

internal import Base
internal import Chat
internal import LuaVM

/// Decides about one request on the script's side. The inputs are what the script does, what its callbacks do, and the
/// engine's events. The outputs are actions, and the next step of the delivery.
struct CallStateMachine {
    /// The function of the client that made the request.
    enum Mode { case ask, start, stream }

    /// Where the request stands. Cases with values are boxed, as the state is read for every batch of text.
    enum State {
        /// Events are delivered as they come.
        case running
        /// `call:pause()`: the engine keeps the events that have not been taken.
        case paused
        /// The total timeout has passed while it was paused. Its events are delivered, and no pause stops them.
        case timedOut
        /// Ended from this side. Of what still comes, only the last event is delivered.
        indirect case closing(Closing)
        /// The last event has come and is being delivered. Nothing changes the result but an error of a callback.
        indirect case ending(Ending)
        indirect case finished(Outcome)
    }

    /// Why the request was ended from this side.
    enum CloseReason {
        /// `call:cancel()`, a cancelled wait of its owner, the end of its scope or of the script.
        case cancelled
        /// A callback returned false: a success with what was delivered.
        case stopped
        /// The loop over its stream was left, or its handle was closed.
        case left
        /// Nobody can read it any more.
        case unread
        /// A budget is spent; its message.
        case overBudget(String)
        /// A callback raised.
        case raised(LuaError)
    }

    /// A request that was ended from this side.
    struct Closing {
        /// The engine's turn in which it was ended. What the engine hands over before the next turn belongs to a request
        /// that goes on.
        let turn: Int
        /// The failure that takes the place of the engine's.
        fileprivate(set) var replacement: Replacement?
        /// It was ended because nobody could read it: a failure is reported, unless it is the cancellation itself.
        fileprivate(set) var isUnread = false
        /// The error of a callback, which is the result.
        fileprivate(set) var raised: LuaError?
    }

    /// A failure that takes the place of the engine's.
    enum Replacement {
        /// The script was told of this failed attempt and wants no other. Boxed, as most requests have none.
        indirect case failedAttempt(RequestFailure)
        /// A budget is spent; its message.
        case budget(String)
    }

    /// A request whose last event is being delivered.
    struct Ending {
        /// The engine's result: nil for a reply.
        let failure: RequestFailure?
        /// Set if it was ended from this side.
        let closing: Closing?
        /// The error of a callback, which is the result.
        fileprivate(set) var raised: LuaError?

        /// The result for those who wait.
        fileprivate var outcome: Outcome {
            if let raised { return .raised(raised) }
            return failure.map { .failure(display: $0.display) } ?? .reply
        }
    }

    /// How the request ended for those who wait for it.
    enum Outcome {
        case reply
        /// The text that `tostring(err)` gives.
        case failure(display: String)
        case raised(LuaError)
    }

    /// A failure to be reported if nobody waits for the request: a callback's error, or the text of the request's.
    enum UnobservedFailure {
        case callback(LuaError)
        case stream(String)
        case background(String)
    }

    /// What the request's callbacks do.
    enum CallbackState {
        case idle
        /// The callback gets the pieces of a text batch, one after the other.
        case inBatch
        /// A callback waits. Nothing is delivered until it has ended.
        case waiting
    }

    /// The loop over a stream.
    enum Reader {
        /// Only callbacks read: `client:ask`, `client:start`.
        case none
        /// The body of the loop runs. Events wait.
        case inBody
        /// The loop waits for the next event.
        case waiting
        /// The loop was left, or its handle is garbage.
        case gone
    }

    /// What `call.status` shows of a running request.
    private enum Progress {
        case waiting, streaming
        case retrying(hasOutput: Bool)
    }

    /// Whether the request has waited for the script at a limiter's last look.
    private enum ScriptWait {
        case reading
        /// It waited at one look. Short waits in a callback do not count.
        case waited
        /// It waited at two looks, and the engine knows: the request gives up its place at the limits.
        case occupied
    }

    /// One step of the delivery.
    enum Step {
        /// No callback takes this retry, or this wait at the rate limiter: it goes to the host.
        case notice(ChatEvent)
        case callback(CallbackName, ChatEvent, phase: String?)
        /// The loop over the stream gets the event.
        case hand(ChatEvent, phase: String?)
        /// The table of the reply or of the failure is made, for callbacks and for those who wait.
        case result(ChatEvent)
        /// From here on a stop is a refusal of another attempt. Boxed, so that the other steps stay small.
        indirect case attemptFailed(RequestFailure)
    }

    /// What the dispatcher does next.
    enum Next {
        /// Nothing until something happens: a callback ends, the loop asks, the script resumes the request.
        case nothing
        /// The engine has not had a turn since the request was ended: look again in the next round.
        case later
        indirect case step(Step)
        /// The next event of the backlog is to be received.
        case event
        indirect case finish(Outcome, UnobservedFailure?)
    }

    /// What the registry does for the request.
    enum Action {
        case stop(Undelivered)
        case cancel(Undelivered)
        case pause
        case resume
        case occupied
        case reading
        /// The callback that gets a batch gets no more pieces of it.
        case interruptBatch
        /// There is something to deliver.
        case deliver
        /// There is something to deliver at this time (monotonic seconds).
        case deliverAt(Double)
        /// The scopes around the request have output.
        case noteOutput
    }

    /// The point of a run at which the script ends a request.
    struct Moment {
        /// The engine's turns so far.
        var turn: Int
        /// Pieces that the callback has had of the batch at hand, the present one among them.
        var deliveredPieces: Int
    }

    let mode: Mode
    let callbacks: CallbackSet
    /// Seconds of `coalesce`; 0 for none.
    let coalesce: Double
    /// A total timeout ends the request even while it is paused.
    let hasTotalTimeout: Bool

    private(set) var state = State.running
    private(set) var callback = CallbackState.idle
    private(set) var reader: Reader
    private var progress = Progress.waiting
    private var scriptWait = ScriptWait.reading
    /// Events that were taken from the engine and not delivered.
    var backlog: EventBacklog
    private var steps: [Step] = []
    private var coalesced: GatheredText?
    /// The failure of the attempt before, while the event that announced it is the last one that the script has seen.
    private var failedAttempt: Replacement?
    /// The phase of the text that is being delivered, where the provider names one.
    private var phase: String?

    init(
        mode: Mode, callbacks: CallbackSet, coalesce: Double = 0, hasTotalTimeout: Bool = false, hold: OutputHold? = nil
    ) {
        self.mode = mode
        self.callbacks = callbacks
        self.coalesce = coalesce
        self.hasTotalTimeout = hasTotalTimeout
        reader = mode == .stream ? .inBody : .none
        backlog = EventBacklog(hold: hold)
    }

    // MARK: Questions

    /// Events of all kinds are delivered: it has not ended, and was not ended.
    var isOpen: Bool {
        switch state {
        case .running, .paused, .timedOut: true
        case .closing, .ending, .finished: false
        }
    }

    var isPaused: Bool { if case .paused = state { true } else { false } }
    var isEnding: Bool { if case .ending = state { true } else { false } }
    var outcome: Outcome? { if case .finished(let outcome) = state { outcome } else { nil } }

    /// Output has come.
    var hasOutput: Bool {
        switch progress {
        case .waiting: false
        case .streaming: true
        case .retrying(let hasOutput): hasOutput
        }
    }

    /// `call.status`.
    var status: String {
        switch state {
        case .finished(.reply): return "finished"
        case .finished: return "failed"
        case .paused: return "paused"
        case .running, .timedOut, .closing, .ending: break
        }
        return switch progress {
        case .waiting: "waiting"
        case .streaming: "streaming"
        case .retrying: "retrying"
        }
    }

    /// The request goes on without the script doing anything.
    var canProgress: Bool {
        guard callback != .waiting else { return false }
        switch state {
        case .running, .timedOut: return reader != .inBody
        case .paused: return hasTotalTimeout && !backlog.hasLast && reader != .inBody
        case .closing: return true
        case .ending: if case .hand = steps.first { return reader != .inBody } else { return true }
        case .finished: return false
        }
    }

    /// A callback, or the body of the loop, has control.
    private var waitsForScript: Bool { isOpen && (callback == .waiting || reader == .inBody) }

    /// The loop can have the next event without a wait: no callback and no gathering come before it.
    var canPullAtOnce: Bool { callbacks.isEmpty && coalesce == 0 && steps.isEmpty && isOpen }

    // MARK: The script

    mutating func pause() -> [Action] {
        guard case .running = state else { return [] }
        state = .paused
        return callback == .inBatch ? [.interruptBatch, .pause] : [.pause]
    }

    mutating func resume() -> [Action] {
        guard case .paused = state else { return [] }
        state = .running
        return [.resume, .deliver]
    }

    /// The loop asks for the next event.
    mutating func pull() -> [Action] {
        guard reader == .inBody else { return [] }
        reader = .waiting
        return [.deliver]
    }

    /// The loop's task gave up its wait.
    mutating func cancelPull() {
        if reader == .waiting { reader = .inBody }
    }

    /// Ends the request from this side. Without effect on one that has ended.
    mutating func close(_ reason: CloseReason, at moment: Moment) -> [Action] {
        switch reason {
        case .left, .unread: closeLoop()
        default: break
        }
        switch state {
        case .running, .paused, .timedOut: return begin(closing: reason, at: moment)
        case .closing(var closing):
            switch reason {
            case .overBudget(let message): closing.replacement = closing.replacement ?? .budget(message)
            case .raised(let error): closing.raised = closing.raised ?? error
            case .cancelled, .stopped, .left, .unread: break
            }
            state = .closing(closing)
            return []
        case .ending(var ending):
            if case .raised(let error) = reason {
                ending.raised = ending.raised ?? error
                state = .ending(ending)
            }
            // A step may have waited for the loop.
            return reader == .gone ? [.deliver] : []
        case .finished: return []
        }
    }

    private mutating func closeLoop() {
        if reader != .none { reader = .gone }
    }

    private mutating func begin(closing reason: CloseReason, at moment: Moment) -> [Action] {
        var closing = Closing(turn: moment.turn)
        switch reason {
        case .cancelled: break
        case .stopped: closing.replacement = failedAttempt
        case .left: if mode == .stream { closing.replacement = failedAttempt }
        case .unread: closing.isUnread = true
        case .overBudget(let message): closing.replacement = .budget(message)
        case .raised(let error): closing.raised = error
        }
        var actions: [Action] = []
        if isPaused { actions.append(.resume) }
        if callback == .inBatch { actions.append(.interruptBatch) }
        var undelivered = backlog.close(deliveredPieces: callback == .inBatch ? moment.deliveredPieces : 0)
        if let coalesced {
            undelivered.count(coalesced.event)
            self.coalesced = nil
        }
        steps = []
        if case .stopped = reason, closing.replacement == nil {
            actions.append(.stop(undelivered))
        } else {
            actions.append(.cancel(undelivered))
        }
        state = .closing(closing)
        return actions + [.deliver]
    }

    // MARK: Callbacks

    /// A callback waits.
    mutating func callbackWaits() { callback = .waiting }

    /// A callback that waited has ended.
    mutating func callbackEnded() -> [Action] {
        callback = .idle
        return resumeReading() + [.deliver]
    }

    /// The pieces of a batch are about to be delivered.
    mutating func batchBegins() { callback = .inBatch }

    /// The callbacks have had this many pieces.
    /// - Returns: whether the next batch may be delivered: a callback may have ended the request, or paused it.
    mutating func batchEnded(deliveredPieces: Int) -> Bool {
        callback = .idle
        // The backlog of a request that was ended has nothing but its last event.
        guard isOpen else { return false }
        backlog.advance(by: deliveredPieces)
        return !isPaused
    }

    // MARK: The engine

    /// The engine has events of the request. Of a paused one it has some only if the total timeout has passed.
    mutating func ready() {
        if isPaused { state = .timedOut }
    }

    /// Receives the next event of the backlog.
    /// - Parameter clock: monotonic seconds.
    mutating func receive(_ event: ChatEvent, clock: () -> Double) -> [Action] {
        if case .phase(let name) = event {
            // What was gathered belongs to the phase before.
            flush()
            phase = name
            return []
        }
        let actions = note(event)
        guard !event.isTerminal else {
            end(with: event)
            return actions
        }
        guard isOpen else { return actions }
        if coalesce > 0 {
            if case .text(let batch) = event { return actions + gather(batch, clock) }
            if !event.passesGatheredText { flush() }
        }
        appendSteps(event)
        return actions
    }

    /// Notes that text is delivered as a batch.
    mutating func noteText() -> [Action] {
        if case .some = failedAttempt { failedAttempt = nil }
        return noteOutput()
    }

    /// Notes what an event says of the request's progress.
    private mutating func note(_ event: ChatEvent) -> [Action] {
        failedAttempt = nil
        switch event {
        case .text, .toolCall: return noteOutput()
        case .retry: progress = .retrying(hasOutput: hasOutput)
        case .start: progress = hasOutput ? .streaming : .waiting
        default: break
        }
        return []
    }

    private mutating func noteOutput() -> [Action] {
        guard !hasOutput else { return [] }
        if case .retrying = progress { progress = .retrying(hasOutput: true) } else { progress = .streaming }
        return [.noteOutput]
    }

    // MARK: Delivery

    /// What the dispatcher does next.
    /// - Parameter turn: the engine's turns so far.
    mutating func next(turn: Int) -> Next {
        guard callback == .idle else { return .nothing }
        switch state {
        case .paused, .finished: return .nothing
        case .closing(let closing): return closing.turn == turn ? .later : .event
        case .running, .timedOut:
            switch nextStep() {
            case .step(let step): return .step(step)
            case .blocked: return .nothing
            case .none: return reader == .inBody ? .nothing : .event
            }
        case .ending:
            switch nextStep() {
            case .step(let step): return .step(step)
            case .blocked: return .nothing
            case .none: return finish()
            }
        }
    }

    /// What ``nextStep()`` finds.
    enum NextStep {
        indirect case step(Step)
        /// The step waits for the loop.
        case blocked
        case none
    }

    /// Removes the next step, whether or not the request is paused.
    mutating func nextStep() -> NextStep {
        while let step = steps.first {
            if case .hand = step {
                switch reader {
                case .inBody: return .blocked
                case .waiting: reader = .inBody
                case .none, .gone:
                    steps.removeFirst()
                    continue
                }
            }
            steps.removeFirst()
            if case .attemptFailed(let failure) = step {
                failedAttempt = .failedAttempt(failure)
            } else {
                return .step(step)
            }
        }
        return .none
    }

    private mutating func finish() -> Next {
        guard case .ending(let ending) = state else { return .nothing }
        let outcome = ending.outcome
        state = .finished(outcome)
        if reader != .none { reader = .gone }
        return .finish(outcome, unseen(ending))
    }

    private func unseen(_ ending: Ending) -> UnobservedFailure? {
        if let error = ending.raised { return .callback(error) }
        guard let failure = ending.failure, failure.kind != .cancelled, !callbacks.contains(.error) else { return nil }
        guard ending.closing?.isUnread ?? (mode == .start) else { return nil }
        return mode == .stream ? .stream(failure.display) : .background(failure.display)
    }

    /// Delivers gathered text whose time has come.
    /// - Returns: whether there was any.
    mutating func flushIfDue(clock: () -> Double) -> Bool {
        guard let coalesced, coalesced.due <= clock() else { return false }
        flush()
        return true
    }

    private mutating func flush() {
        guard let coalesced else { return }
        self.coalesced = nil
        appendSteps(coalesced.event)
    }

    private mutating func gather(_ batch: TextBatch, _ clock: () -> Double) -> [Action] {
        if let coalesced, coalesced.kind != batch.kind { flush() }
        guard coalesced == nil else {
            coalesced?.text += batch.text
            return []
        }
        let due = clock() + coalesce
        coalesced = GatheredText(text: batch.text, kind: batch.kind, due: due)
        return [.deliverAt(due)]
    }

    /// Appends the steps of an event that is not the last.
    private mutating func appendSteps(_ event: ChatEvent) {
        if let failure = event.failedAttempt { steps.append(.attemptFailed(failure)) }
        if let name = event.callback {
            if callbacks.contains(name) {
                steps.append(.callback(name, event, phase: phase))
            } else if name == .retry || name == .wait {
                steps.append(.notice(event))
            }
            // A chunk is no event for `on_event` and loops.
            if name == .chunk { return }
        }
        if callbacks.contains(.event) { steps.append(.callback(.event, event, phase: phase)) }
        if mode == .stream { steps.append(.hand(event, phase: phase)) }
    }

    /// The last event: gathered text, then on_event, then on_finish or on_error, then the loop.
    private mutating func end(with event: ChatEvent) {
        flush()
        var closing: Closing?
        if case .closing(let present) = state { closing = present }
        let last = event.replaced(by: closing?.replacement)
        steps.append(.result(last))
        if callbacks.contains(.event), closing?.raised == nil { steps.append(.callback(.event, event, phase: nil)) }
        var failure: RequestFailure?
        if case .failed(let present) = last { failure = present }
        let name: CallbackName = failure == nil ? .finish : .error
        if callbacks.contains(name) { steps.append(.callback(name, last, phase: nil)) }
        if mode == .stream, failure == nil { steps.append(.hand(event, phase: nil)) }
        state = .ending(Ending(failure: failure, closing: closing, raised: closing?.raised))
    }

    // MARK: Places at the limits

    /// A look for requests that keep places at the limits while they wait for the script.
    mutating func sampleScriptWait() -> [Action] {
        guard waitsForScript else { return [] }
        switch scriptWait {
        case .reading: scriptWait = .waited
        case .waited:
            scriptWait = .occupied
            return [.occupied]
        case .occupied: break
        }
        return []
    }

    /// The script has come back to the request.
    mutating func resumeReading() -> [Action] {
        defer { scriptWait = .reading }
        return scriptWait == .occupied ? [.reading] : []
    }
}

/// Text that `coalesce` gathers for one callback.
private struct GatheredText {
    var text: String
    let kind: TextBatch.Kind
    /// When it is delivered (monotonic seconds).
    let due: Double

    var event: ChatEvent { .text(TextBatch(text, kind)) }
}

extension ChatEvent {
    /// The failure of an attempt that this event announces.
    fileprivate var failedAttempt: RequestFailure? {
        switch self {
        case .retry(let info): info.error
        case .reset(let info): info.error
        default: nil
        }
    }

    /// The callback of its own.
    fileprivate var callback: CallbackName? {
        switch self {
        case .text(let batch): CallbackName(batch.kind)
        case .toolCall: .toolCall
        case .usage: .usage
        case .retry: .retry
        case .wait: .wait
        case .reset: .reset
        case .chunk: .chunk
        case .finish: .finish
        case .failed: .error
        case .start, .heartbeat, .native, .phase: nil
        }
    }

    /// It does not interrupt text that is being gathered.
    fileprivate var passesGatheredText: Bool {
        switch self {
        case .chunk, .heartbeat, .native: true
        default: false
        }
    }

    fileprivate func replaced(by replacement: CallStateMachine.Replacement?) -> ChatEvent {
        switch (replacement, self) {
        case (.failedAttempt(let failure)?, _): return .failed(failure)
        case (.budget(let message)?, .failed(var failure)):
            failure.kind = .budget
            failure.message = message
            failure.isRetryable = false
            return .failed(failure)
        default: return self
        }
    }
}
