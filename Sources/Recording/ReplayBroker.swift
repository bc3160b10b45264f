// Answers requests from a recording.

internal import Base
package import Chat
internal import JSON

/// Stands for a broker: each request gets the events that were recorded for it, in the recorded steps and portions. A request is
/// found by its content; among equal ones, that of the same number, and else the first that is left. To be used on one thread.
package final class ReplayBroker: RequestBroker {
    /// A request of the script.
    private struct Entry {
        /// The place in `RecordedRun.requests`.
        var place: Int
        var spec: RequestSpec
        /// How many of its takes, and of its recorded ends by the script, are used up.
        var takes = 0
        var breakOffs = 0
        /// Whether it begins as recorded, so that the recorded turns are its own.
        var isExact: Bool
        /// The end of a request that this run has broken off elsewhere than the recorded one.
        var end: ChatEvent?
    }

    private let tape: TapePlayer
    /// What new requests are passed to.
    private let inner: any RequestBroker
    private var entries: [RequestID: Entry] = [:]
    /// The script's number of each recorded request that has begun and not ended.
    private var ids: [RequestID: RequestID] = [:]
    private var isUsed: [Bool]
    /// Digests of the recorded requests.
    private let digests: [String]
    /// The next of the recorded turns.
    private var nextTurn = 0
    /// Turns of requests that have not begun.
    private var early: [RequestID: Int] = [:]
    /// Requests with events whose turn is not recorded.
    private var extra: [RequestID] = []
    private var round = 0
    private var roundStep = -1

    /// A broker for a script that runs with `tape`. New requests, if they are allowed, go to `inner`.
    package init(_ tape: TapePlayer, inner: any RequestBroker) {
        self.tape = tape
        self.inner = inner
        // Of a run that was broken off, requests without an end are asked again if that is allowed.
        let asksOpen = tape.options.asksNew && tape.run.end == nil
        isUsed = tape.run.requests.map { asksOpen && !($0.events.last?.isTerminal ?? false) }
        digests = tape.run.requests.map { RequestIdentity($0.spec).digest }
    }

    // MARK: Commands

    package func submit(_ command: RequestCommand) {
        switch command {
        case .start(let id, let spec): start(id, spec)
        case .stop(let id, let undelivered): breakOff(id, undelivered, isCancel: false, command)
        case .cancel(let id, let undelivered): breakOff(id, undelivered, isCancel: true, command)
        case .pause(let id), .resume(let id), .occupied(let id), .reading(let id):
            if entries[id] == nil { inner.submit(command) }
        }
    }

    private func start(_ id: RequestID, _ spec: RequestSpec) {
        guard tape.verdict == nil else { return }
        spec.endpoint.keyVariable.map(tape.hide)
        let recorded = comparable(spec)
        let digest = RequestIdentity(recorded).digest
        let same = tape.run.requests.indices.first { !isUsed[$0] && tape.run.requests[$0].id == id }
        let place =
            same.flatMap { digests[$0] == digest ? $0 : nil }
            ?? digests.indices.first { !isUsed[$0] && digests[$0] == digest }
        guard let place else { return startNew(id, spec, recorded, like: same) }
        isUsed[place] = true
        let request = tape.run.requests[place]
        let isExact = request.id == id && request.step == tape.step
        entries[id] = Entry(place: place, spec: spec, isExact: isExact)
        ids[request.id] = id
        if let count = early.removeValue(forKey: request.id), count > 0 { extra.append(id) }
        if tape.isLive { extra.append(id) }
    }

    /// The request in the form in which it would have been recorded.
    private func comparable(_ spec: RequestSpec) -> RequestSpec {
        let form = spec.withStableAddress(offline: tape.run.header.offlineBaseURL).recorded
        // Requests are Codable values of JSON, which always encode.
        guard let json = try? JSONValueEncoder().encode(form),
            // As above.
            let scrubbed = try? JSONValueDecoder().decode(RequestSpec.self, from: tape.scrubber.scrub(json))
        else { return form }
        return scrubbed
    }

    /// A request that is not recorded.
    /// - Parameter same: the recorded request in whose place it comes.
    private func startNew(_ id: RequestID, _ spec: RequestSpec, _ recorded: RequestSpec, like same: Int?) {
        let near = same ?? isUsed.firstIndex(of: false) ?? isUsed.indices.last
        var message = "request \(id.raw) is not in the recording"
        if tape.run.end == nil, !isUsed.contains(false) {
            message = "the recording ends here, before request \(id.raw): the recorded run was broken off"
        } else if tape.options.asksNew, tape.run.end == nil, digests.contains(RequestIdentity(recorded).digest) {
            message = "request \(id.raw) has no end in the recording"
        } else if let near, case let old = tape.run.requests[near],
            case let lines = RequestDifference.lines(recorded: old.spec.identity, new: recorded.identity),
            !lines.isEmpty
        {
            message += "; it differs from the recorded request \(old.id.raw):"
            for line in lines { message += "\n  \(line)" }
        } else {
            message += ", which has \(isUsed.count == 1 ? "one request" : "\(isUsed.count) requests")"
        }
        guard tape.options.asksNew else {
            return tape.fail(message + "\n--replay-new sends requests that are not recorded")
        }
        var live = spec
        if let offline = tape.run.header.offlineBaseURL, spec.endpoint.baseURL.hasPrefix(offline) {
            guard let actual = tape.options.offlineBaseURL else {
                return tape.fail(message + "\nit goes to the offline provider, as in the recorded run: add --mock")
            }
            live = spec.readdressed(from: offline, to: actual)
        }
        tape.options.notice("asked: \(message)")
        goLive()
        inner.submit(.start(id, live))
    }

    /// From here on time is that of the system, and everything recorded may be taken.
    func goLive() {
        guard !tape.isLive else { return }
        tape.goLive()
        for id in entries.keys.sorted(by: { $0.raw < $1.raw }) { extra.append(id) }
    }

    private func breakOff(_ id: RequestID, _ undelivered: Undelivered, isCancel: Bool, _ command: RequestCommand) {
        guard var entry = entries[id] else { return inner.submit(command) }
        guard entry.end == nil else { return }
        let request = tape.run.requests[entry.place]
        let this = RecordedRun.BreakOff(takes: entry.takes, undelivered: undelivered, isCancel: isCancel)
        if entry.breakOffs < request.breakOffs.count, request.breakOffs[entry.breakOffs] == this {
            entry.breakOffs += 1
        } else {
            entry.end = partialEnd(entry, undelivered, isCancel: isCancel)
            extra.append(id)
        }
        entries[id] = entry
    }

    /// The end of a request that the recorded run has not broken off here.
    private func partialEnd(_ entry: Entry, _ undelivered: Undelivered, isCancel: Bool) -> ChatEvent {
        let request = tape.run.requests[entry.place]
        let (provider, model) = (entry.spec.endpoint.provider, entry.spec.chat.model)
        var reply = Reply(
            text: "", reasoning: "", toolCalls: [], model: model, provider: provider, attempts: 1, totalTime: 0,
            message: .null)
        if case .finish(let whole)? = request.events.last { reply = whole }
        (reply.text, reply.reasoning) = ("", "")
        for event in request.takes.prefix(entry.takes).flatMap(\.events) {
            switch event {
            case .text(let batch):
                switch batch.kind {
                case .text: reply.text += batch.text
                case .reasoning: reply.reasoning += batch.text
                }
            case .reset where !undelivered.spansReset: (reply.text, reply.reasoning) = ("", "")
            default: break
            }
        }
        return PartialEnd(reply, undelivered).event(isCancelled: isCancel, provider: provider, model: model)
    }

    // MARK: Events

    private func isDue(_ step: Int) -> Bool { tape.isLive || tape.isExhausted || step <= tape.step }

    private func nextTake(_ entry: Entry) -> RecordedRun.Take? {
        let takes = tape.run.requests[entry.place].takes
        return entry.takes < takes.count ? takes[entry.takes] : nil
    }

    package var hasReady: Bool {
        if !extra.isEmpty || inner.hasReady { return true }
        return nextTurn < tape.run.ready.count && tape.run.ready[nextTurn].step <= tape.step
    }

    package var hasRequestsInLine: Bool { inner.hasRequestsInLine }

    /// Whether requests wait for events that the recording does not have.
    var hasUnanswered: Bool { entries.values.contains { $0.end == nil && nextTake($0) == nil } }

    package func nextReady() -> RequestID? {
        if roundStep != tape.step { (roundStep, round) = (tape.step, 0) }
        let turns = tape.run.ready
        while nextTurn < turns.count {
            let turn = turns[nextTurn]
            guard tape.isLive || turn.step < tape.step || turn.step == tape.step && turn.round <= round else { break }
            nextTurn += 1
            if let id = ids[turn.id] { return id }
            early[turn.id, default: 0] += 1
        }
        if !extra.isEmpty { return extra.removeFirst() }
        if tape.isLive, let id = inner.nextReady() { return id }
        round += 1
        return nil
    }

    package func take(_ id: RequestID) -> [ChatEvent] {
        guard var entry = entries[id] else { return tape.isLive ? inner.take(id) : [] }
        if let end = entry.end {
            remove(id, entry)
            return [end]
        }
        guard let take = nextTake(entry), isDue(take.step) else { return [] }
        let breakOffs = tape.run.requests[entry.place].breakOffs
        if entry.breakOffs < breakOffs.count, breakOffs[entry.breakOffs].takes <= entry.takes {
            // The recorded run was stopped in this step, and has ended the request for that reason. This one will be.
            if tape.stopInside != nil { return [] }
            tape.fail(
                "the recorded run has ended request \(tape.run.requests[entry.place].id.raw) here, and this one goes on: "
                    + "the rest of the reply is not recorded")
            return []
        }
        entry.takes += 1
        if take.step != tape.step { entry.isExact = false }
        if take.events.last?.isTerminal ?? false {
            remove(id, entry)
        } else {
            entries[id] = entry
            // Its recorded turns may be over.
            if !entry.isExact, let next = nextTake(entry), isDue(next.step) { extra.append(id) }
        }
        return take.events
    }

    private func remove(_ id: RequestID, _ entry: Entry) {
        entries[id] = nil
        ids[tape.run.requests[entry.place].id] = nil
    }
}

extension RequestSpec {
    /// The canonical form of the request, as a value.
    fileprivate var identity: JSONValue {
        let bytes = RequestIdentity(self).bytes
        let start = bytes.firstIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
        // The form is JSON behind the line of its version.
        return (try? JSONReader.value(Array(bytes[start...]))) ?? .null
    }
}

/// Turns the loop of a replay: it does not wait, unless a new request runs or the user wants the recorded pace.
package final class ReplayReactor: Reactor {
    private let inner: any Reactor
    private let tape: TapePlayer
    private let broker: ReplayBroker

    /// A reactor for a script that runs with `tape`, in front of that of new requests.
    package init(_ inner: any Reactor, tape: TapePlayer, broker: ReplayBroker) {
        self.inner = inner
        self.tape = tape
        self.broker = broker
    }

    package var wakeDescriptor: Int32 { inner.wakeDescriptor }

    package func turn(waitingUpTo seconds: Double?) {
        if tape.isLive { return inner.turn(waitingUpTo: broker.hasReady ? 0 : seconds) }
        if let due = tape.nextDue { return sleep(until: due) }
        guard tape.isExhausted, !broker.hasReady, seconds != 0 else { return }
        guard !broker.hasUnanswered, let end = tape.run.end, let seconds else { return endHere() }
        switch end.outcome {
        case .finished, .exited, .failed:
            tape.options.speed.map { sleep(until: SystemClock.now() + seconds / $0) }
            tape.wait(seconds)
        case .timedOut, .interrupted, .outputClosed: endHere()
        }
    }

    /// Ends the run where the recorded one has ended.
    private func endHere() {
        guard tape.isStopping?() != true else { return }
        guard let end = tape.run.end else {
            if tape.options.asksNew { return broker.goLive() }
            return tape.fail("the recording ends here: the recorded run was broken off")
        }
        switch end.outcome {
        case .timedOut: tape.end(.timedOut)
        case .interrupted: tape.end(.interrupted(end.status - 128))
        case .outputClosed: tape.end(.outputClosed)
        case .finished, .exited, .failed:
            tape.fail("the script waits for something that is not in the recording")
        }
    }

    private func sleep(until due: Double) {
        while tape.isStopping?() != true {
            let left = due - SystemClock.now()
            guard left > 0 else { return }
            inner.turn(waitingUpTo: min(left, 3600))
        }
    }
}

@available(*, unavailable)
extension ReplayBroker: Sendable {}
