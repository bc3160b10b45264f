// A broker that writes what passes through it into a store, and answers what the store has already seen.

internal import Base
package import Chat
internal import DequeModule

/// The journal of one run, in front of another broker.
///
/// A request is found again by its content and its number among equal requests of its run: order, concurrency and script may
/// change. Nothing here waits for the disk. In a job, the `finish` of a request is held back until its record is on the disk.
/// To be used on one thread.
package final class JournalBroker: RequestBroker {
    /// What a run keeps.
    package struct Options {
        /// The run.
        package var run: RunRecord
        /// Its job; nil without one.
        package var job: Job?
        /// Whether all requests are recorded, and not only those of a job or with a cache.
        package var isLogged: Bool
        /// The base URL of an offline provider in this process: it has another port in each run, and is recorded as
        /// ``RequestSpec/offlineURL``.
        package var offlineBaseURL: String?
        /// The key of a variable, to keep it out of all records.
        package var credentials: (String) -> String?
        /// Variables that may hold keys: those of all known providers. Requests name further ones.
        package var keyVariables: [String] = []
        /// Called with what the user should know: a damaged record, a store that cannot be read.
        package var warn: (String) -> Void

        package init(
            run: RunRecord, job: Job? = nil, isLogged: Bool, credentials: @escaping (String) -> String?,
            warn: @escaping (String) -> Void
        ) {
            self.run = run
            self.job = job
            self.isLogged = isLogged
            self.credentials = credentials
            self.warn = warn
        }
    }

    /// A request that this broker knows of. Others only pass. A class: a copy of the request for each delta would cost more
    /// than all else that is done with it.
    private final class Entry {
        enum State {
            /// The store is asked; commands for the request wait.
            case lookingUp(waiting: [RequestCommand])
            /// The other broker has it.
            case running
            /// It has ended. The event may be taken once the record is on the disk.
            case held(ChatEvent, isRecorded: Bool)
            /// The store answers.
            case playing(Playback)
        }

        var state: State
        var spec: RequestSpec
        var number: UInt64
        /// Its place among equal requests, if the store was asked.
        var place: RequestRecord.Place?
        /// The client takes nothing for now: the request has no turn.
        var isPaused = false
        /// Monotonic seconds.
        var startedAt: Double
        var recorder = OutputRecorder()
        var firstOutput: Double?
        /// Output of an earlier run that is delivered before that of the other broker.
        var carried: [ChatEvent] = []

        init(state: State, spec: RequestSpec, number: UInt64, startedAt: Double) {
            self.state = state
            self.spec = spec
            self.number = number
            self.startedAt = startedAt
        }
    }

    /// Who waits for a report of the store.
    private enum Waiter {
        case request(RequestID)
        case step(StepID)
    }

    private let inner: any RequestBroker
    private var options: Options
    private let makeStore: () -> Store
    /// The store and the number of the run in it, once something is recorded or looked up.
    private var opened: (store: Store, run: UInt64)?
    private let inbox: JournalInbox
    private var entries: [RequestID: Entry] = [:]
    private var ready = Deque<RequestID>()
    /// Requests whose recorded reply is delivered at a pace.
    private var paced: Set<RequestID> = []
    private var waiters: [UInt64: Waiter] = [:]
    private var stepEvents: [StepEvent] = []
    /// Steps that are not over.
    private var steps: [StepID: RequestRecord.StepPlace] = [:]
    /// How many places of each name are taken.
    private var stepCounts: [String: Int] = [:]
    private var seenVariables: Set<String> = []
    private var hasWarned = false
    /// Seconds after which collected output is written, so that a killed run keeps it.
    private let flushInterval: Double

    /// A journal in front of `inner`.
    /// - Parameters:
    ///   - makeStore: the store; called when the first request is recorded or looked up.
    ///   - wake: ends the sleep of the thread. Called on any thread.
    package init(
        _ inner: any RequestBroker, options: Options, makeStore: @escaping () -> Store,
        wake: @escaping @Sendable () -> Void
    ) {
        self.inner = inner
        self.options = options
        self.makeStore = makeStore
        inbox = JournalInbox(wake: wake)
        flushInterval = options.job == nil ? 5 : 0.5
        if options.job != nil { _ = open() }
    }

    /// The store; the first call begins the run in it.
    private func open() -> (store: Store, run: UInt64) {
        if let opened { return opened }
        let store = makeStore()
        let run = store.makeNumber()
        for variable in options.keyVariables { hide(variable, store) }
        var record = options.run
        record.job = options.job?.row
        store.writer.add(.beginRun(run, record))
        opened = (store, run)
        return (store, run)
    }

    /// Records how the run has ended, and waits until everything is written.
    package func end(_ end: RunEnd) {
        guard let (store, run) = opened else { return }
        for id in Array(entries.keys) { flushOutput(of: id) }
        store.writer.add(.endRun(run, end), isUrgent: true)
        store.reader.remove(run: run)
        store.flush()
        // Another process may go on with the job.
        options.job = nil
    }

    // MARK: Commands

    package func submit(_ command: RequestCommand) {
        if case .start(let id, let spec) = command { return start(id, spec) }
        guard let entry = entries[command.id] else { return inner.submit(command) }
        switch command {
        case .pause: entry.isPaused = true
        case .resume, .stop, .cancel: entry.isPaused = false
        case .start, .occupied, .reading: break
        }
        switch entry.state {
        case .lookingUp(let waiting):
            entry.state = .lookingUp(waiting: waiting + [command])
        case .running:
            inner.submit(command)
            if case .resume = command, !entry.carried.isEmpty { ready.append(command.id) }
        case .held(let terminal, let isRecorded): endHeld(terminal, isRecorded, command, entry)
        case .playing(var playback):
            apply(command, to: &playback, entry.spec)
            entry.state = .playing(playback)
            schedule(command.id, playback)
        }
    }

    private func start(_ id: RequestID, _ spec: RequestSpec) {
        let isLookedUp = options.job != nil || spec.cache != nil
        guard isLookedUp || options.isLogged else { return inner.submit(.start(id, spec)) }
        let (store, run) = open()
        spec.endpoint.keyVariable.map { hide($0, store) }
        let now = SystemClock.now()
        let entry = Entry(state: .running, spec: spec, number: store.makeNumber(), startedAt: now)
        if isLookedUp {
            entry.state = .lookingUp(waiting: [])
            entries[id] = entry
            waiters[entry.number] = .request(id)
            let question = LookUp(
                spec: recorded(spec), run: run, job: options.job?.row, time: SystemClock.unixTime())
            store.reader.lookUp(question, number: entry.number, inbox: inbox)
        } else {
            entries[id] = entry
            begin(entry, place: nil)
            inner.submit(.start(id, spec))
        }
    }

    /// The request with an address that is the same in the next run.
    private func recorded(_ spec: RequestSpec) -> RequestSpec {
        spec.withStableAddress(offline: options.offlineBaseURL)
    }

    /// Keeps the key in a variable out of all records.
    private func hide(_ variable: String, _ store: Store) {
        guard seenVariables.insert(variable).inserted else { return }
        options.credentials(variable).map(store.writer.hide)
    }

    private func begin(_ entry: Entry, place: RequestRecord.Place?, source: Int64? = nil) {
        let (store, run) = open()
        let record = RequestRecord(
            key: entry.number, run: run, spec: recorded(entry.spec), place: place, startedAt: SystemClock.unixTime(),
            source: source)
        store.writer.add(.beginRequest(record))
    }

    private func apply(_ command: RequestCommand, to playback: inout Playback, _ spec: RequestSpec) {
        let (provider, model) = (spec.endpoint.provider, spec.chat.model)
        switch command {
        case .stop(_, let undelivered):
            playback.end(undelivered, isCancelled: false, provider: provider, model: model)
        case .cancel(_, let undelivered):
            playback.end(undelivered, isCancelled: true, provider: provider, model: model)
        case .pause: playback.pause()
        case .resume: playback.resume()
        case .start, .occupied, .reading: break
        }
    }

    /// A client breaks off a request that is complete but whose record is not yet on the disk. The record stays.
    private func endHeld(_ terminal: ChatEvent, _ isRecorded: Bool, _ command: RequestCommand, _ old: Entry) {
        let undelivered: Undelivered
        let isCancelled: Bool
        switch command {
        case .stop(_, let tail): (undelivered, isCancelled) = (tail, false)
        case .cancel(_, let tail): (undelivered, isCancelled) = (tail, true)
        case .resume:
            // Its turn may have come while it was paused.
            if isRecorded { ready.append(command.id) }
            return
        case .start, .pause, .occupied, .reading: return
        }
        // A failure stays one.
        guard case .finish(let reply) = terminal else { return }
        let end = PartialEnd(reply, undelivered).event(
            isCancelled: isCancelled, provider: old.spec.endpoint.provider, model: old.spec.chat.model)
        entries[command.id]?.state = .held(end, isRecorded: true)
        if !isRecorded { ready.append(command.id) }
    }

    // MARK: Events

    package var hasReady: Bool {
        drain()
        return !ready.isEmpty || inner.hasReady
    }

    package var hasRequestsInLine: Bool { inner.hasRequestsInLine }

    package func nextReady() -> RequestID? {
        drain()
        return ready.popFirst() ?? inner.nextReady()
    }

    package func take(_ id: RequestID) -> [ChatEvent] {
        guard !entries.isEmpty, let state = entries[id]?.state else { return inner.take(id) }
        switch state {
        case .lookingUp: return []
        case .running: return takeRunning(id)
        case .held(let terminal, let isRecorded):
            guard isRecorded else { return [] }
            entries[id] = nil
            return [terminal]
        case .playing(var playback):
            let events = playback.take(now: SystemClock.now())
            entries[id]?.state = .playing(playback)
            if playback.isOver {
                entries[id] = nil
                paced.remove(id)
            } else {
                schedule(id, playback)
            }
            return events
        }
    }

    private func takeRunning(_ id: RequestID) -> [ChatEvent] {
        guard let index = entries.index(forKey: id) else { return inner.take(id) }
        let carried = entries.values[index].carried
        guard carried.isEmpty else {
            entries.values[index].carried = []
            // The turn may have been that of the other broker.
            ready.append(id)
            return carried
        }
        let events = inner.take(id)
        guard let last = events.last else { return [] }
        return last.isTerminal ? finish(id, last) : record(events, at: index)
    }

    /// Collects output.
    private func record(_ events: [ChatEvent], at index: Dictionary<RequestID, Entry>.Index) -> [ChatEvent] {
        let now = SystemClock.now()
        let time = now - entries.values[index].startedAt
        for event in events {
            switch event {
            case .text: if entries.values[index].firstOutput == nil { entries.values[index].firstOutput = time }
            case .retry(let info):
                let number = entries.values[index].number
                opened?.store.writer.add(.attempt(request: number, info, time: SystemClock.unixTime()))
            default: break
            }
            entries.values[index].recorder.add(event, at: time)
        }
        let since = entries.values[index].recorder.pendingSince
        if entries.values[index].recorder.hasFullRow || since.map({ time - $0 > flushInterval }) ?? false {
            flushOutput(at: index)
        }
        return events
    }

    private func flushOutput(of id: RequestID) { entries.index(forKey: id).map(flushOutput) }

    private func flushOutput(at index: Dictionary<RequestID, Entry>.Index) {
        // Written while the rest of a long reply comes, and not all at its end.
        let isUrgent = entries.values[index].recorder.hasFullRow
        let rows = entries.values[index].recorder.take()
        guard !rows.isEmpty else { return }
        opened?.store.writer.add(.output(request: entries.values[index].number, rows), isUrgent: isUrgent)
    }

    /// Records the end of a request.
    /// - Returns: the event, or nothing if it must wait for the record.
    private func finish(_ id: RequestID, _ terminal: ChatEvent) -> [ChatEvent] {
        guard let entry = entries[id] else { return [terminal] }
        flushOutput(of: id)
        let result: RequestEnd.Result
        switch terminal {
        case .finish(let reply): result = .reply(reply)
        case .failed(let failure): result = .failure(failure)
        default: return [terminal]
        }
        let end = RequestEnd(
            result: result, time: SystemClock.unixTime(), firstOutput: entry.firstOutput, rowCount: entry.recorder.count
        )
        if case .failed = terminal, let place = entry.place, let opened {
            // The next equal request takes it, so that its reply is found in the next run.
            opened.store.reader.release(place, run: opened.run)
        }
        // With a shared cache the next equal request finds it.
        let isAwaited = options.job != nil || entry.spec.cache?.isShared == true
        guard isAwaited, case .finish = terminal else {
            opened?.store.writer.add(.endRequest(entry.number, end), isUrgent: entry.spec.cache != nil)
            entries[id] = nil
            return [terminal]
        }
        waiters[entry.number] = .request(id)
        opened?.store.writer.add(
            .endRequest(entry.number, end), confirmation: Confirmation(inbox: inbox, number: entry.number))
        entry.state = .held(terminal, isRecorded: false)
        return []
    }

    // MARK: Pace

    private func schedule(_ id: RequestID, _ playback: Playback) {
        guard let time = playback.nextTime else {
            paced.remove(id)
            return
        }
        if time <= SystemClock.now() { ready.append(id) } else { paced.insert(id) }
    }

    /// When a recorded delta is due; nil if none is delivered at a pace. The owner of the thread must not sleep longer.
    package var nextDeadline: Double? {
        paced.compactMap { id in
            guard case .playing(let playback)? = entries[id]?.state else { return nil }
            return playback.nextTime
        }.min()
    }

    private func firePaced() {
        guard !paced.isEmpty else { return }
        let now = SystemClock.now()
        for id in paced.sorted(by: { $0.raw < $1.raw }) {
            guard case .playing(let playback)? = entries[id]?.state, let time = playback.nextTime else {
                paced.remove(id)
                continue
            }
            guard time <= now else { continue }
            paced.remove(id)
            ready.append(id)
        }
    }

    // MARK: Reports of the store

    private func drain() {
        firePaced()
        defer {
            // A request that is paused meanwhile has no turn; `resume` gives it one.
            while let first = ready.first, entries[first]?.isPaused == true { ready.removeFirst() }
        }
        guard !inbox.isEmpty else { return }
        for report in inbox.take() {
            switch report {
            case .recorded(let number): settle(number, nil)
            case .lost(let number, let error): settle(number, error)
            case .answered(let number, let answer):
                if case .request(let id)? = waiters.removeValue(forKey: number) { receive(answer, id) }
            case .step(let number, let result, let warning):
                warning.map(options.warn)
                guard case .step(let id)? = waiters.removeValue(forKey: number) else { continue }
                if result != nil { steps[id] = nil }
                stepEvents.append(result.map { .found(id, $0) } ?? .missing(id))
            case .stepFailed(let number, let error):
                guard case .step(let id)? = waiters.removeValue(forKey: number) else { continue }
                stepEvents.append(.failed(id, error.message))
            }
        }
    }

    private func settle(_ number: UInt64, _ error: StoreError?) {
        switch waiters.removeValue(forKey: number) {
        case .request(let id): settle(id, error)
        case .step(let id): stepEvents.append(error.map { .failed(id, $0.message) } ?? .recorded(id))
        case nil: break
        }
    }

    /// The record of a request is on the disk, or lost.
    private func settle(_ id: RequestID, _ error: StoreError?) {
        guard let entry = entries[id], case .held(let terminal, isRecorded: false) = entry.state else { return }
        var last = terminal
        if let error, case .finish(let reply) = terminal {
            var failure = RequestFailure(
                unsent: entry.spec, .journal, "the reply has come, but it is not recorded: \(error.message)")
            failure.attempts = reply.attempts
            failure.partial = reply
            last = .failed(failure)
        }
        entries[id]?.state = .held(last, isRecorded: true)
        ready.append(id)
    }

    private func receive(_ answer: LookUp.Answer, _ id: RequestID) {
        guard let entry = entries[id], case .lookingUp(let waiting) = entry.state else { return }
        switch answer {
        case .found(let record, let place):
            entry.place = place
            let playback = Playback(
                record, pace: record.isCached ? entry.spec.cache?.pace : nil, now: SystemClock.now())
            entry.state = .playing(playback)
            if record.isCached, !record.isResumed { begin(entry, place: place, source: record.row) }
            schedule(id, playback)
        case .missing(let place, let carried, let warning):
            warning.map(options.warn)
            entry.place = place
            begin(entry, place: place)
            entry.state = .running
            if let carried {
                entry.carried = carried.events.map(\.event)
                entry.spec.carried = carried.output
                for event in carried.events { entry.recorder.add(event.event, at: 0) }
                ready.append(id)
            }
            inner.submit(.start(id, entry.spec))
        case .failed(let error):
            guard options.job == nil else {
                entry.state = .held(
                    .failed(RequestFailure(unsent: entry.spec, .journal, error.message)), isRecorded: true)
                ready.append(id)
                return
            }
            if !hasWarned { options.warn("\(error.message); requests are sent without looking for recorded replies") }
            hasWarned = true
            entries[id] = nil
            inner.submit(.start(id, entry.spec))
        }
        for command in waiting { submit(command) }
    }
}

extension JournalBroker: StepJournal {
    package func lookUp(step name: String) -> StepID {
        let (store, _) = open()
        let number = store.makeNumber()
        let id = StepID(number)
        guard let job = options.job else {
            stepEvents.append(.missing(id))
            return id
        }
        let place = nextPlace(ofStep: store.writer.scrub(name))
        steps[id] = place
        waiters[number] = .step(id)
        store.reader.lookUp(place, job: job.row, number: number, inbox: inbox)
        return id
    }

    private func nextPlace(ofStep name: String) -> RequestRecord.StepPlace {
        let ordinal = stepCounts[name] ?? 0
        stepCounts[name] = ordinal + 1
        return RequestRecord.StepPlace(name: name, ordinal: ordinal)
    }

    package func record(_ id: StepID, _ result: [UInt8]) {
        guard let place = steps.removeValue(forKey: id) else {
            stepEvents.append(.recorded(id))
            return
        }
        let (store, run) = open()
        let number = store.makeNumber()
        waiters[number] = .step(id)
        store.writer.add(.step(run: run, place, result), confirmation: Confirmation(inbox: inbox, number: number))
    }

    package func abandon(_ id: StepID) {
        // Its place stays empty: another step of the name would otherwise get its result in the next run.
        steps[id] = nil
    }

    package func takeStepEvents() -> [StepEvent] {
        drain()
        defer { stepEvents = [] }
        return stepEvents
    }

    package var hasStepEvents: Bool {
        drain()
        return !stepEvents.isEmpty
    }
}

/// Turns another reactor, and wakes in time for recorded deltas.
package final class JournalReactor: Reactor {
    private let inner: any Reactor
    private let journal: JournalBroker

    /// A reactor in front of `inner`.
    package init(_ inner: any Reactor, journal: JournalBroker) {
        self.inner = inner
        self.journal = journal
    }

    package var wakeDescriptor: Int32 { inner.wakeDescriptor }

    package func turn(waitingUpTo seconds: Double?) {
        guard let deadline = journal.nextDeadline else { return inner.turn(waitingUpTo: seconds) }
        let wait = max(0, deadline - SystemClock.now())
        inner.turn(waitingUpTo: min(seconds ?? wait, wait))
    }
}

// Journal, broker and store's reports belong to one thread.
@available(*, unavailable)
extension JournalBroker: Sendable {}
