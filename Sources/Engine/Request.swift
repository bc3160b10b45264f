// One live request: its state machine, the reply so far, and the events that wait for the client. Runs inside the transport's
// callbacks, so it must not call the transport.

internal import Base
internal import Chat
internal import Formats
internal import JSON

/// A request between `start` and its last event.
final class Request {
    let id: RequestID
    let client: ClientState
    let spec: RequestSpec
    private let secrets: Secrets
    var machine: RequestStateMachine
    private var inbox = Inbox()
    /// The last event. It is delivered alone, after all others: a client that stops before gets an end that fits.
    private var terminal: ChatEvent?
    private var transcript = Transcript()
    private var overlapTrimmer: OverlapTrimmer?
    /// Finds reasoning in tags at the beginning of the text; nil once there can be none.
    private var thinkTags: ThinkTagSplitter?
    private var lastUsage: Usage?
    /// The phase of the text by the last `phase` event.
    private var phase: String?
    /// How much the last attempt received, between attempts.
    private var lastPosition = Position()
    /// Why the attempt before failed. As an event, which has its value on the heap: most requests have no failure.
    private var lastFailure: ChatEvent?
    /// The running attempt; the last one after the end.
    var attempt: Attempt?
    /// Whether the last attempt met a dead reused connection.
    private(set) var wantsFreshConnection = false
    /// Whether the client has taken output that is still valid.
    private var isOutputTaken = false
    var isPausedByCaller = false
    /// Whether the client waits for something else before it reads on.
    var isClientBusy = false
    /// Whether the inbox has reached a limit, and has not been taken since.
    private(set) var isFull = false
    /// Whether it is in its client's list of requests with events.
    var isListed = false
    /// The rate limiters that it must pass before an attempt, and whether it has.
    var limiters: [RateLimiter]?
    var isAdmitted = false
    /// When it joined the line of its first rate limiter, and its place there; nil outside a line.
    var queuedSince: Double? {
        didSet { client.lineCount += (queuedSince == nil ? 0 : 1) - (oldValue == nil ? 0 : 1) }
    }
    var place = 0
    /// The number of its start at the first rate limiter.
    var ticket = LimiterTicket()
    /// When the next `wait` event is due.
    var nextWaitEventAt = Double.infinity
    /// Whether it counts as concurrent at its rate limiters.
    var holdsConcurrencySlot = false
    /// The time of its earliest live entry in the timer heap.
    var timerDeadline = Double.infinity

    init(id: RequestID, client: ClientState, spec: RequestSpec, secrets: Secrets, now: Double) {
        self.id = id
        self.client = client
        self.spec = spec
        self.secrets = secrets
        thinkTags = ThinkTagSplitter(spec.thinkTags)
        machine = RequestStateMachine(
            timeouts: spec.timeouts, policy: spec.retry, isObserved: spec.isObserved, now: now)
        if let carried = spec.carried { begin(after: carried) }
    }

    /// Begins where an earlier run was broken off, as after a cut.
    private func begin(after carried: CarriedOutput) {
        if !carried.reasoning.isEmpty { transcript.append(.reasoning(carried.reasoning)) }
        transcript.append(TextBatch(carried.text))
        transcript.beginContinuation()
        overlapTrimmer = OverlapTrimmer(after: transcript.text, sent: transcript.text)
        thinkTags = nil
        isOutputTaken = true
    }

    var key: RequestKey { RequestKey(client: client.number, id: id) }
    /// Its name in log lines. The first client is not named: most engines have one.
    var label: String { client.number == 1 ? "request \(id.raw)" : "request \(id.raw) of client \(client.number)" }
    /// Whether an attempt has failed before: it then goes ahead in line.
    var isRetry: Bool { machine.isRetry }
    /// Whether its last event exists.
    var isEnded: Bool { machine.state == .ended }
    /// The time of its next timer; nil for none. The total timeout also ends the pause of a complete reply: nobody else
    /// may be left to resume it.
    var deadline: Double? {
        guard isEnded else { return machine.deadline }
        return isPausedByCaller && machine.totalDeadline < .infinity ? machine.totalDeadline : nil
    }
    /// Whether the client may take events.
    var hasEvents: Bool { !isPausedByCaller && (terminal != nil || !inbox.isEmpty) }
    /// Whether the socket must not be read.
    var isHeld: Bool { isPausedByCaller || isFull }
    /// Whether the attempt continues the text of an earlier one.
    var isContinued: Bool { overlapTrimmer != nil }
    /// The request of the next attempt.
    var nextChat: ChatRequest {
        guard overlapTrimmer != nil else { return spec.chat }
        var chat = spec.chat
        chat.continuing = transcript.text
        // The limit holds for the whole reply.
        let arrived = estimatedTokens(in: transcript.text.utf8) + estimatedTokens(in: transcript.reasoning.utf8)
        chat.lowerOutputLimit(by: Int64(arrived.rounded(.up)))
        return chat
    }

    /// Prepares for the format of the next attempt. Of a continued text the format may send only a prefix; the rest of it
    /// arrives again.
    func prepare(for format: WireFormat) {
        if overlapTrimmer != nil {
            overlapTrimmer = OverlapTrimmer(after: transcript.text, sent: format.resumed(transcript.text))
        }
    }

    // MARK: From the attempt

    /// Takes an event of the decoder.
    func accept(_ event: consuming DecodedEvent, from attempt: Attempt, now: Double) {
        switch event {
        case .text(let batch):
            machine.output(now: now)
            transcript.receive(batch)
            guard overlapTrimmer != nil || thinkTags != nil else { return deliver(batch) }
            for piece in batch { deliver(piece, batch.kind) }
        case .block(let number): transcript.begin(block: number)
        case .start:
            let summary = attempt.decoder.summary
            push(
                .start(
                    StartInfo(
                        id: summary.id.map(secrets.scrub), model: summary.model.map(secrets.scrub),
                        attempt: machine.attempts)))
        case .usage(let usage):
            guard spec.wantsUsage, usage != lastUsage else { return }
            lastUsage = usage
            push(.usage(usage))
        case .heartbeat:
            if spec.wantsHeartbeats { push(.heartbeat) }
        case .native(let name, let value):
            machine.nativeContent(now: now)
            push(.native(name: secrets.scrub(name), secrets.scrub(value)))
        case .phase(let name): take(phase: name.map(secrets.scrub))
        }
    }

    private func take(phase name: String?) {
        guard name != phase else { return }
        phase = name
        push(.phase(name))
    }

    private func deliver(_ batch: TextBatch) {
        transcript.append(batch)
        push(.text(batch))
    }

    /// Delivers a piece while parts of it may be a tag, or repeat what an earlier attempt brought.
    private func deliver(_ piece: String, _ kind: TextBatch.Kind) {
        switch kind {
        case .reasoning:
            if let pieces = thinkTags?.noteSeparateReasoning() { deliver(pieces) }
            deliver(TextBatch(piece, .reasoning))
        case .text:
            if let pieces = thinkTags?.push(piece) { return deliver(pieces) }
            let text = overlapTrimmer?.push(piece) ?? piece
            if !text.isEmpty { deliver(TextBatch(text)) }
        }
    }

    private func deliver(_ pieces: [TextBatch]) {
        for piece in pieces { deliver(piece) }
        if thinkTags?.isDone == true { thinkTags = nil }
    }

    /// The attempt is over: delivers what was held back as a possible tag.
    private func flushTags() {
        if let pieces = thinkTags?.finish() { deliver(pieces) }
    }

    func push(_ event: ChatEvent) {
        inbox.push(event)
        if isInboxFull { isFull = true }
    }

    private var isInboxFull: Bool {
        inbox.load >= spec.limits.inboxEvents || inbox.bytes >= spec.limits.inboxBytes
    }

    // MARK: To the client

    /// Removes and returns the waiting events; a terminal one alone.
    func take() -> [ChatEvent] {
        if inbox.isEmpty, let terminal {
            self.terminal = nil
            return [terminal]
        }
        if !inbox.hasReset { transcript.dropDiscarded() }
        let (events, hadOutput) = inbox.take()
        if hadOutput { isOutputTaken = true }
        isFull = false
        return events
    }

    // MARK: Ends

    /// The stream has reached its clean end.
    func complete(_ attempt: Attempt, now: Double) {
        flushTags()
        if let rest = overlapTrimmer?.finish(), !rest.isEmpty { deliver(TextBatch(rest)) }
        let summary = attempt.decoder.summary
        for call in summary.toolCalls where call.arguments != nil { push(.toolCall(call)) }
        end(.finish(reply(attempt, isPartial: false, now: now)))
    }

    /// The client stops it. If it has seen no output and the last attempt has failed, the request fails with that error.
    func stop(undelivered: Undelivered, now: Double) {
        truncate(undelivered)
        if !transcript.hasText, !transcript.hasReasoning, let failure = standingFailure {
            return end(.failed(failure))
        }
        var reply = reply(attempt, isPartial: true, now: now)
        reply.finishReason = .cancelled
        end(.finish(reply))
    }

    /// The failure of the last attempt, if no byte has arrived since.
    private var standingFailure: RequestFailure? {
        if case .failed(let failure)? = terminal { return failure }
        guard (attempt?.position.bytes ?? 0) == 0, case .failed(let failure)? = lastFailure else { return nil }
        return failure
    }

    /// The client cancels it.
    func cancel(undelivered: Undelivered, now: Double) {
        truncate(undelivered)
        fail(AttemptError(.cancelled, "cancelled"), note: nil, now: now)
    }

    /// Ends the pause of a complete reply whose total timeout has passed.
    /// - Returns: whether it was paused.
    func endPause(now: Double) -> Bool {
        guard let deadline, deadline <= now else { return false }
        isPausedByCaller = false
        return true
    }

    private func truncate(_ unseen: Undelivered) {
        let isResetWaiting = inbox.hasReset
        transcript.truncate(unseen: unseen, waiting: inbox.removeAll(), isResetWaiting: isResetWaiting)
        isPausedByCaller = false
    }

    /// Ends the request with a failure.
    func fail(_ fault: AttemptError, note: String?, now: Double) {
        if fault.phase == .total { isPausedByCaller = false }
        end(.failed(failure(fault, note: note, now: now)))
    }

    private func end(_ event: ChatEvent) {
        terminal = event
        machine.end()
        overlapTrimmer = nil
    }

    /// An attempt has failed: schedules the next one, or ends the request.
    func attemptFailed(
        _ fault: AttemptError, limiter: RequestStateMachine.LimiterWait?, now: Double, random: () -> Double
    ) {
        flushTags()
        let attempts = machine.attempts
        let received = received
        let progress = RequestStateMachine.Progress(
            outputTaken: isOutputTaken, hasText: transcript.hasText,
            hasToolCalls: !(attempt?.decoder.summary.toolCalls.isEmpty ?? true),
            canContinue: spec.endpoint.quirks.continuation != .none)
        switch machine.failed(fault, progress: progress, limiter: limiter, now: now, random: random) {
        case .fail(let note): fail(fault, note: note, now: now)
        case .again(let delay, let isVisible, let restartMode):
            let error = failure(fault, note: nil, attempts: attempts, now: now)
            if isVisible { lastFailure = .failed(error) }
            prepare(restartMode)
            if isVisible {
                push(.retry(RetryInfo(attempt: attempts, delay: delay, error: error, received: received)))
            }
            if restartMode == .restart { push(.reset(ResetInfo(attempt: attempts, error: error))) }
            lastPosition = received
            wantsFreshConnection = fault.wantsFreshConnection
            attempt = nil
        }
    }

    private func prepare(_ restartMode: RequestStateMachine.RestartMode) {
        lastUsage = nil
        switch restartMode {
        case .fresh:
            inbox.dropAttempt()
            transcript.clear()
            isOutputTaken = false
            overlapTrimmer = nil
        case .restart:
            inbox.dropAttempt()
            transcript.reset()
            isOutputTaken = false
            overlapTrimmer = nil
        case .continuation:
            transcript.beginContinuation()
            overlapTrimmer = OverlapTrimmer(after: transcript.text, sent: transcript.text)
        }
        take(phase: nil)
        thinkTags = restartMode == .continuation ? nil : ThinkTagSplitter(spec.thinkTags)
        isFull = isInboxFull
    }

    // MARK: Values for the client

    private func reply(_ attempt: Attempt?, isPartial: Bool, now: Double) -> Reply {
        let summary = attempt?.decoder.summary ?? ReplySummary()
        let text = transcript.reply
        return Reply(
            text: text.text, reasoning: text.reasoning, toolCalls: isPartial ? [] : summary.toolCalls,
            nativeCalls: isPartial ? [] : summary.nativeCalls.map { secrets.scrub($0) },
            finishReason: isPartial ? nil : summary.finishReason ?? .other,
            finishReasonRaw: summary.finishReasonRaw.map(secrets.scrub),
            usage: isPartial
                ? transcript.partialUsage(reported: summary.usage) : transcript.usage(reported: summary.usage),
            model: summary.model.map(secrets.scrub) ?? spec.chat.model, id: summary.id.map(secrets.scrub),
            provider: spec.endpoint.provider,
            attempts: machine.attempts, firstTokenTime: machine.firstOutputAt.map { $0 - machine.startedAt },
            totalTime: now - machine.startedAt,
            serverTimings: summary.timings,
            message: message(attempt, isPartial: isPartial, text),
            refusal: summary.refusal, finishMessage: summary.finishMessage.map(secrets.scrub))
    }

    private func message(_ attempt: Attempt?, isPartial: Bool, _ text: ReplyText) -> JSONValue {
        guard let decoder = attempt?.decoder else { return ["role": "assistant", "content": .string(text.text)] }
        let message = isPartial ? decoder.partialMessage(text) : decoder.assistantMessage(text)
        return secrets.scrub(message: message, words: [text.text, text.reasoning])
    }

    private func failure(_ fault: AttemptError, note: String?, attempts: Int? = nil, now: Double) -> RequestFailure {
        let error = fault.error
        let hasOutput = transcript.hasText || transcript.hasReasoning
        return RequestFailure(
            kind: error.kind, message: secrets.scrub(note.map { "\(error.message) (\($0))" } ?? error.message),
            status: error.status, code: error.code.map(secrets.scrub), phase: fault.phase,
            isRetryable: error.isRetryable, retryAfter: error.retryAfter,
            provider: spec.endpoint.provider, model: spec.chat.model, requestID: error.requestID.map(secrets.scrub),
            attempts: attempts ?? machine.attempts,
            partial: hasOutput ? reply(attempt, isPartial: true, now: now) : nil, position: received,
            usage: attempt?.decoder.summary.usage)
    }

    private var received: Position {
        var position = attempt?.position ?? lastPosition
        position.chars = transcript.text.unicodeScalars.count
        return position
    }
}
