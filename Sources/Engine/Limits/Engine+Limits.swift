// Requests at their gates: one for each provider, key and model, and those that scripts name. Called by the engine's turn.

internal import Dialects
internal import Wire

extension Engine {
    /// The gates that a request passes.
    private func gates(of request: Request) -> [LimitGate] {
        let endpoint = request.spec.endpoint
        let provider = "\(endpoint.baseURL) \(endpoint.keyVariable ?? "") \(request.spec.chat.model)"
        var result = [gate("provider " + provider)]
        if let rule = request.spec.limit {
            let named = gate("limit " + rule.name)
            named.rule = rule
            result.append(named)
        }
        return result
    }

    private func gate(_ key: String) -> LimitGate {
        if let gate = gates[key] { return gate }
        let gate = LimitGate()
        gates[key] = gate
        return gate
    }

    /// Lets a queued request pass, or puts it in line.
    func admit(_ request: Request) -> Bool {
        if request.isAdmitted { return true }
        if request.gates.isEmpty { request.gates = gates(of: request) }
        let now = configuration.clock()
        let first = request.gates[0]
        guard first.isFirst(request), pass(request, now) else {
            if first.hasNoLine { waitingGates.append(first) }
            first.line(up: request)
            return false
        }
        return true
    }

    private func pass(_ request: Request, _ now: Double) -> Bool {
        guard request.gates.allSatisfy({ $0.permission(now: now) == .now }) else { return false }
        for gate in request.gates { gate.begin(now: now) }
        request.isAdmitted = true
        request.holdsPlace = true
        updatePlace(request)
        return true
    }

    /// A request that waits for its own caller keeps its place from nobody: the caller may wait for another request, which
    /// would then wait for ever. It takes the place again without waiting, even where that makes one too many.
    func updatePlace(_ request: Request) {
        let holdsPlace = request.isAdmitted && !request.isPausedByCaller && !request.isCallerOccupied
        guard holdsPlace != request.holdsPlace else { return }
        request.holdsPlace = holdsPlace
        for gate in request.gates {
            if holdsPlace { gate.goOn() } else { gate.end() }
        }
    }

    /// Requests stand in line.
    public var hasRequestsInLine: Bool { !waitingGates.isEmpty }

    /// Lets those in line pass whose gates are open by now.
    func openGates() {
        guard !waitingGates.isEmpty else { return }
        let now = configuration.clock()
        for gate in waitingGates {
            while let request = gate.firstInLine {
                if request.machine.state == .queued {
                    guard pass(request, now) else { break }
                    queue.append(request)
                }
                gate.dropFirstInLine()
            }
        }
        waitingGates.removeAll { $0.hasNoLine }
    }

    /// When the next gate opens by itself; nil where none does.
    var gateDeadline: Double? {
        guard !waitingGates.isEmpty else { return nil }
        let now = configuration.clock()
        var next = Double.infinity
        for gate in waitingGates {
            for other in gate.firstInLine?.gates ?? [] {
                if case .at(let moment) = other.permission(now: now) { next = min(next, moment) }
            }
        }
        return next.isFinite ? next : nil
    }

    /// How an attempt ended, for its gates.
    enum GateOutcome { case answered(Usage?), refused(Fault), given }

    /// The request's attempt is over: others may pass.
    func leaveGates(_ request: Request, _ outcome: GateOutcome) {
        guard request.isAdmitted else { return }
        request.isAdmitted = false
        let heldPlace = request.holdsPlace
        request.holdsPlace = false
        let now = configuration.clock()
        let report = request.attempt?.head.map { RateReport($0.headers, now: configuration.unixTime()) }
        for gate in request.gates {
            if heldPlace { gate.end() }
            switch outcome {
            case .answered(let usage):
                gate.answered(now: now)
                if let tokens = usage?.totalTokens { gate.spend(tokens: tokens) }
            case .refused(let fault): gate.refused(retryAfter: fault.error.retryAfter, now: now)
            case .given: break
            }
            // What a provider says of itself concerns its own gate.
            if gate.rule == nil, let report { gate.learn(report, now: now) }
        }
    }

    /// Whether a fault says that too much was asked.
    static func isRefusal(_ fault: Fault) -> Bool {
        fault.error.kind == .rateLimit || fault.error.kind == .overloaded
    }
}
