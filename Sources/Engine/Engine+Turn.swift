// The steps of a turn: commands, attempts, timers. The transport is called here and nowhere else, never from its own
// callbacks.

internal import Base
internal import Chat
internal import DequeModule
internal import Formats
internal import HTTP

extension Engine {
    // MARK: Commands

    func apply(_ command: RequestCommand, of client: ClientState) {
        let now = configuration.clock()
        if case .start(let id, let spec) = command { return begin(id, spec, of: client, now: now) }
        guard let request = client.requests[command.id.raw] else { return }
        switch command {
        case .start: break
        case .stop(_, let undelivered):
            leaveLimiters(request, .given)
            drop(request.attempt)
            request.stop(undelivered: undelivered, now: now)
            list(request)
        case .cancel(_, let undelivered):
            leaveLimiters(request, .given)
            drop(request.attempt)
            request.cancel(undelivered: undelivered, now: now)
            list(request)
        case .pause:
            request.isPausedByCaller = true
            updateHold(request)
            updatePlace(request)
        case .resume:
            request.isPausedByCaller = false
            updateHold(request)
            updatePlace(request)
            list(request)
        case .occupied: setOccupied(request, true)
        case .reading: setOccupied(request, false)
        }
    }

    private func setOccupied(_ request: Request, _ isOccupied: Bool) {
        request.isClientBusy = isOccupied
        updatePlace(request)
    }

    private func begin(_ id: RequestID, _ spec: RequestSpec, of client: ClientState, now: Double) {
        let request = Request(id: id, client: client, spec: spec, secrets: context.secrets, now: now)
        guard client.requests[id.raw] == nil else {
            log(.error, "\(request.label): started twice; the second start is ignored")
            return
        }
        client.requests[id.raw] = request
        requestCount += 1
        queue.append(request)
        arm(request)
    }

    /// Ends the requests of a detached client.
    func endRequests(of client: ClientState) {
        let now = configuration.clock()
        for request in client.requests.values {
            forget(request)
            leaveLimiters(request, .given)
            drop(request.attempt)
            request.cancel(undelivered: Undelivered(), now: now)
        }
    }

    /// Passes a change of `isHeld` to the state machine and the transfer.
    func updateHold(_ request: Request) {
        let now = configuration.clock()
        if request.isHeld { request.machine.hold(now: now) } else { request.machine.release(now: now) }
        if !request.isEnded, let attempt = request.attempt, !attempt.isOver, let transfer = attempt.transfer {
            if request.isHeld { transport.pause(transfer) } else { transport.resume(transfer) }
        }
        arm(request)
    }

    // MARK: Attempts

    /// Starts queued requests, a bounded number a turn: sockets are read and other tasks run in between.
    func startQueued() {
        admitWaiting()
        var left = Self.startsPerTurn
        while left > 0, transferCount < transferLimit, let request = queue.popFirst() {
            guard request.machine.state == .queued, admit(request) else { continue }
            startAttempt(request)
            left -= 1
        }
    }

    /// Whether a request could start now.
    var canStart: Bool { !queue.isEmpty && transferCount < transferLimit }

    /// A start costs 0.1 ms or more: encoding, a socket, a connect.
    private static var startsPerTurn: Int { 64 }

    private func startAttempt(_ request: Request) {
        let endpoint = request.spec.endpoint
        request.machine.attemptStarted(now: configuration.clock())
        request.attempt = nil
        do throws(AttemptError) {
            guard let format = configuration.format(endpoint.dialect) else {
                throw AttemptError(.config, "unknown dialect \"\(endpoint.dialect)\"")
            }
            request.prepare(for: format)
            let attempt = Attempt(of: request, format: format, context: context)
            request.attempt = attempt
            let key = try endpoint.key(from: configuration.credentials)
            if let key { context.secrets.add(key) }
            let message = try encode(request, format, key: key)
            log(
                .debug,
                "\(request.label): attempt \(request.machine.attempts): \(message.method) \(endpoint.host)")
            try start(message, attempt, request)
        } catch {
            attemptFailed(request, error)
        }
        arm(request)
    }

    private func encode(_ request: Request, _ format: WireFormat, key: String?) throws(AttemptError) -> HTTPRequest {
        do throws(APIError) {
            return try format.encode(request.nextChat, endpoint: request.spec.endpoint, key: key)
        } catch {
            throw AttemptError(error, retry: .never)
        }
    }

    private func start(_ message: HTTPRequest, _ attempt: Attempt, _ request: Request) throws(AttemptError) {
        do throws(TransferRefusal) {
            let route = TransferRoute(
                connectTimeout: request.spec.timeouts.connect, isFresh: request.wantsFreshConnection,
                isDirect: configuration.ownServer.map(request.spec.endpoint.isServed) ?? false)
            attempt.transfer = try transport.start(message, route, for: attempt)
            attempt.observe(
                .request(
                    method: message.method, url: context.secrets.scrub(message.url), bodyBytes: message.body.count,
                    keys: context.secrets.scrubber))
            transferCount += 1
        } catch {
            switch error {
            case .fault(let fault): throw fault
            case .noDescriptors: try postpone(request)
            }
        }
    }

    /// Requeues a request that found no file descriptor. It waits until another transfer has ended.
    private func postpone(_ request: Request) throws(AttemptError) {
        guard transferCount > 0 else {
            throw AttemptError(
                .network, "no file descriptor is left for a connection: raise the limit (ulimit -n)", retry: .backoff)
        }
        transferLimit = transferCount
        log(.warning, "no file descriptor is left: at most \(transferLimit) transfers from now on")
        leaveLimiters(request, .given)
        request.attempt?.detach()
        request.attempt = nil
        request.machine.attemptPostponed()
        queue.append(request)
    }

    /// Ends a failed attempt, whose transfer is over or was dropped, with a retry or a failure.
    private func attemptFailed(_ request: Request, _ fault: AttemptError) {
        let now = configuration.clock()
        log(.debug, "\(request.label): attempt \(request.machine.attempts) failed: \(fault.error.message)")
        let fault = refused(request, fault, now: now)
        request.attempt?.detach()
        request.attemptFailed(fault, limiter: limiterWait(request, now: now), now: now, random: configuration.random)
        if request.machine.state == .queued { queue.append(request) }
        updateHold(request)
        list(request)
    }

    /// Cancels the transfer of an attempt whose outcome no longer matters.
    private func drop(_ attempt: Attempt?) {
        guard let attempt else { return }
        attempt.detach()
        guard !attempt.isOver, let transfer = attempt.transfer else { return }
        transport.cancel(transfer)
        transferEnded(attempt)
    }

    private func transferEnded(_ attempt: Attempt) {
        attempt.transfer = nil
        transferCount -= 1
        // Descriptors may have become free: raise the limit by one with each transfer that ends.
        if transferLimit < maxTransfers { transferLimit += 1 }
    }

    // MARK: After the callbacks

    /// Handles what the callbacks have recorded: requests with events, and attempts that need attention.
    func settle() {
        for request in context.requestsRead {
            if request.isHeld { request.machine.hold(now: configuration.clock()) }
            list(request)
            arm(request)
        }
        context.requestsRead.removeAll(keepingCapacity: true)
        if !context.needingAttention.isEmpty {
            let attempts = context.needingAttention
            context.needingAttention = []
            for attempt in attempts { handleState(of: attempt) }
        }
        guard !draining.isEmpty else { return }
        let now = configuration.clock()
        while let first = draining.first, first.until <= now || first.attempt.isOver {
            drop(draining.popFirst()?.attempt)
        }
    }

    private func handleState(of attempt: Attempt) {
        attempt.attentionHandled()
        if attempt.isOver, attempt.transfer != nil { transferEnded(attempt) }
        guard let request = attempt.owner, !request.isEnded else { return }
        if attempt.isPostponed {
            do throws(AttemptError) { try postpone(request) } catch { attemptFailed(request, error) }
        } else if let fault = attempt.fault {
            drop(attempt)
            attemptFailed(request, fault)
        } else if attempt.isDone {
            finish(request, attempt)
        }
    }

    private func finish(_ request: Request, _ attempt: Attempt) {
        if let fault = attempt.unreadTextError() {
            drop(attempt)
            return attemptFailed(request, fault)
        }
        let now = configuration.clock()
        log(
            .debug,
            "\(request.label): finished, status \(attempt.head?.status ?? 0), \(attempt.position.bytes) bytes"
                + (attempt.cutAfterCompletion.map { "; cut behind its end: \($0)" } ?? ""))
        leaveLimiters(request, .answered(attempt.decoder.summary.usage))
        request.complete(attempt, now: now)
        attempt.detach()
        if !attempt.isOver {
            if let transfer = attempt.transfer { transport.resume(transfer) }
            draining.append((attempt, now + Self.drainTime))
        }
        list(request)
    }

    /// Maximum wait for the end of the body of a complete reply, which makes its connection reusable, in seconds.
    static var drainTime: Double { 0.25 }

    // MARK: Time

    /// Adds a timer for the request's deadline unless an earlier one is armed.
    func arm(_ request: Request) {
        let deadline = min(request.deadline ?? .infinity, request.nextWaitEventAt)
        guard deadline < request.timerDeadline else { return }
        request.timerDeadline = deadline
        timers.push(request.key, at: deadline)
        if timers.count > 4 * requestCount + 4096 { timers.removeAll { self.request($1)?.timerDeadline != $0 } }
    }

    func fireTimers() {
        let now = configuration.clock()
        while let (deadline, key) = timers.popDue(now: now) {
            guard let request = request(key), request.timerDeadline == deadline else { continue }
            request.timerDeadline = .infinity
            if request.nextWaitEventAt <= now { announceWait(request, now: now) }
            fire(request, now: now)
            arm(request)
        }
    }

    private func fire(_ request: Request, now: Double) {
        if request.isEnded {
            if request.endPause(now: now) { list(request) }
            return
        }
        switch request.machine.due(now: now) {
        case .nothing: break
        case .attempt: queue.append(request)
        case .finish:
            guard let attempt = request.attempt else { return }
            if let fault = attempt.endedByTimer() {
                drop(attempt)
                attemptFailed(request, fault)
            } else {
                finish(request, attempt)
            }
        case .timeout(.total) where request.queuedSince != nil: timeOutInLine(request, now: now)
        case .timeout(let phase):
            let seconds =
                switch phase {
                case .connect: request.spec.timeouts.connect
                case .first: request.spec.timeouts.first
                case .idle: request.spec.timeouts.idle
                case .stall: request.spec.timeouts.stall
                case .total: request.spec.timeouts.total ?? 0
                }
            let fault = AttemptError.timeout(phase, after: seconds)
            let attempt = request.attempt
            drop(attempt)
            attemptFailed(request, attempt?.timedOut(fault) ?? fault)
        }
    }

    // MARK: Log

    func log(_ level: LogLevel, _ line: @autoclosure () -> String) {
        guard level >= configuration.logLevel, level != .off else { return }
        configuration.log(level, context.secrets.scrub(line()))
    }
}
