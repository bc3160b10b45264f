// All transfers of one thread. Knows HTTP and no language model; does not retry or follow redirects.

internal import Base
internal import CCurl
internal import Glibc
package import HTTP

/// Runs HTTP transfers on one thread, with libcurl's multi interface and epoll.
///
/// All work happens in `turn`. The first instance of a process ignores SIGPIPE, unless the program handles it.
/// Deinitialization cancels transfers and closes connections.
package final class Multi {
    /// Ends a wait from any thread and from a signal handler.
    package let wakeHandle: WakeHandle

    private let handle: MultiHandle
    private let share: ShareHandle
    private let proxies = ProxyRules()
    private var active = SequentialTable<Transfer>()
    private var idleConnections = IdleConnections()
    /// The gates of TLS origins, whose connections may be shared.
    private var gates: [StreamGate] = []
    private var places: [String: IdleConnections.Place] = [:]
    /// The number of each place's gate.
    private var gateNumbers: [Int?] = []
    private var targets: [String: Target] = [:]
    private var headerLists = HeaderLists()
    /// curl's limit of connections.
    private var connectionLimit = 0
    /// Idle easy handles.
    private var idle: [EasyHandle] = []
    private var lastID: UInt64 = 0
    private var isTurning = false
    /// Whether curl is on the stack: it then rejects adding and removing.
    private var isInsideCurl = false
    private var pendingAdds: [Transfer] = []
    private var pendingRemovals: [Transfer] = []
    private var resuming: [Transfer] = []
    private var ended: [(Transfer, TransferEnd)] = []
    private var lookupFailures = LookupFailures()
    /// Events of the last wait that are not handled yet.
    private var pendingEvents = 0..<0
    /// Sockets were not polled for a while before this turn.
    private var isLate = false
    private var turnNumber = 0
    /// Whether an event is handled that has brought no bytes so far.
    private var isFirstPiece = false
    /// End of the current work share.
    private var shareEnd = Double.infinity

    /// Maximum pooled handles.
    private static let idleHandles = 64
    /// Seconds of work on resumed transfers, and on sockets, after which a turn ends, so that the caller's timers
    /// run. The rest comes first in the next turn.
    private static let share = 0.004
    /// Seconds without polling after which waiting input is read before any timer is evaluated: as much as fits in
    /// `lateShare`, and something from each socket.
    private static let maxPollGap = 0.25
    private static let lateShare = 0.1

    /// Bytes of the receive buffer of one more transfer. curl holds it until the end of the response: with thousands of
    /// streams it would be the most of their memory. A stream brings a few hundred bytes at a time.
    private static func receiveBuffer(with count: Int) -> Int {
        switch count {
        case ..<16: 64 * 1024
        case ..<64: 16 * 1024
        case ..<512: 2 * 1024
        default: 1024
        }
    }

    /// Opens epoll and curl's multi handle. Throws `.tooManyDescriptors` or `.other`.
    package init() throws(TransportError) {
        wakeHandle = try WakeHandle()
        share = try ShareHandle()
        handle = try MultiHandle(poller: Poller(waking: wakeHandle.descriptor))
    }

    deinit {
        for transfer in active.values {
            transfer.delegate = nil
            release(transfer)
        }
        idle.removeAll()
    }

    /// User names and passwords of the environment's proxies; messages must not contain them.
    package var proxySecrets: [String] { proxies.secrets }

    /// Running transfers.
    package var activeCount: Int { active.count }

    /// Starts a transfer; its first byte leaves in the next turn. Throws `.unsupportedURL`, `.headerInvalid`, or
    /// `.other` without memory.
    package func start(
        _ request: HTTPRequest, options: TransferOptions, delegate: any TransferDelegate
    ) throws(TransportError) -> Transfer {
        try RequestCheck.check(method: request.method)
        let headers = try headerLists.list(of: request.headers)
        let target = try target(of: request.url, options)
        let (origin, proxy, place) = (target.url.origin, target.proxy, target.place)
        var options = options
        // An HTTP/2 connection in use can be shared: curl has to look for it.
        if !options.freshConnection, !idleConnections.take(place, now: SystemClock.now()), !origin.isTLS {
            options.freshConnection = true
        }
        let setup = Setup(
            request, headers, to: target.url, isCounted: target.gate != nil, options: options,
            receiveBuffer: options.receiveBuffer ?? Self.receiveBuffer(with: active.count))
        let easy = try easyHandle(for: setup)
        lastID += 1
        let transfer = Transfer(
            id: lastID, origin: origin, place: place, gate: target.gate, proxy: proxy, request: request,
            options: options, easy: easy,
            delegate: delegate, of: self)
        do throws(TransportError) {
            try easy.configure(
                for: transfer, request, setup, isFresh: options.freshConnection, sockets: handle.sockets)
            if mayEnter(transfer, alone: options.freshConnection) {
                if isInsideCurl { pendingAdds.append(transfer) } else { try handle.add(easy) }
            }
        } catch {
            leaveGate(transfer)
            transfer.easy = nil
            recycle(easy, isReset: true)
            throw error
        }
        active[transfer.id] = transfer
        allowConnections()
        return transfer
    }

    /// Ends a transfer without a further delegate call. Its socket is closed, or RST_STREAM sent, on return; from
    /// `didReceive`, when that callback has returned. No effect after the end.
    package func cancel(_ transfer: Transfer) {
        transfer.delegate = nil
        guard active[transfer.id] === transfer else { return }
        guard isInsideCurl else { return release(transfer) }
        transfer.refusal = .cancelled
        pendingRemovals.append(transfer)
    }

    /// Stops the flow of body bytes. At most one receive buffer is read ahead; then the socket is not read, and
    /// back-pressure reaches the server.
    package func pause(_ transfer: Transfer) {
        // curl notices with the next bytes, which it then keeps.
        transfer.isPaused = true
    }

    /// Lets body bytes flow from the next turn on. The delegate is not called before this returns.
    package func resume(_ transfer: Transfer) {
        transfer.isPaused = false
        guard transfer.curlIsPaused, !transfer.isQueuedToResume, active[transfer.id] === transfer else { return }
        transfer.isQueuedToResume = true
        resuming.append(transfer)
    }

    /// Waits up to `seconds` (nil: no limit) for sockets, curl's timers, a wake or a signal; then handles what is
    /// ready and delivers ends. May return early. Must not be called from a delegate.
    package func turn(waitingUpTo seconds: Double?) {
        assert(!isTurning, "turn called from a delegate")
        guard !isTurning else { return }
        isTurning = true
        turnNumber += 1
        defer { isTurning = false }
        isInsideCurl = true
        shareEnd = SystemClock.now() + Self.share
        continuePaused()
        if pendingEvents.isEmpty {
            pendingEvents = 0..<handle.poller.wait(upTo: waitTimeout(seconds))
            isLate = handle.poller.maxPollGap > Self.maxPollGap
            if isLate { extendConnectTimeouts() }
        }
        shareEnd = SystemClock.now() + (isLate ? Self.lateShare : Self.share)
        actOnEvents()
        // More sockets may be ready than one epoll_wait reports.
        for _ in 0..<(isLate ? active.count / Poller.capacity : 0) {
            pendingEvents = 0..<handle.poller.wait(upTo: 0)
            actOnEvents()
        }
        isLate = false
        // curl's timers end transfers: ready sockets are read first.
        if pendingEvents.isEmpty, handle.poller.takeDueTimer() { handle.actOnTimer() }
        shareEnd = .infinity
        handle.poller.markPolled()
        isInsideCurl = false
        applyDeferred()
        deliverEnds()
    }

    // MARK: - Steps of a turn

    private func actOnEvents() {
        while !pendingEvents.isEmpty {
            let index = pendingEvents.lowerBound
            pendingEvents = index + 1..<pendingEvents.upperBound
            guard let event = handle.poller.event(index) else { continue }
            isFirstPiece = true
            if event.socket == wakeHandle.descriptor { wakeHandle.drain() } else { handle.act(on: event) }
            isFirstPiece = false
            if !isLate, SystemClock.now() >= shareEnd { return }
        }
    }

    /// Whether a transfer must leave new input to the next turn, where it continues by itself.
    func mustYield(_ transfer: Transfer) -> Bool {
        // The clock was read before the event.
        if isFirstPiece {
            isFirstPiece = false
            return false
        }
        guard SystemClock.now() >= shareEnd else { return false }
        // A late turn reads something from each transfer: it shows that the server is alive.
        if isLate, !transfer.isQueuedToResume, transfer.lastExtraReadTurn != turnNumber {
            transfer.lastExtraReadTurn = turnNumber
            return false
        }
        if !transfer.isQueuedToResume {
            transfer.isQueuedToResume = true
            resuming.append(transfer)
        }
        return true
    }

    /// A connection is not late if this process was stopped (SIGSTOP, suspend) or busy.
    private func extendConnectTimeouts() {
        let seconds = handle.poller.maxPollGap
        for transfer in active.values { transfer.extendConnectTimeout(by: seconds) }
    }

    private func waitTimeout(_ seconds: Double?) -> Double? {
        guard ended.isEmpty, pendingAdds.isEmpty, pendingRemovals.isEmpty, resuming.isEmpty else { return 0 }
        guard let deadline = lookupFailures.deadline else { return seconds }
        let left = max(0, deadline - SystemClock.now())
        return seconds.map { min($0, left) } ?? left
    }

    /// Continues the transfers resumed since the last turn; curl may deliver their bytes at once.
    private func continuePaused() {
        guard !resuming.isEmpty else { return }
        let list = resuming
        resuming.removeAll(keepingCapacity: true)
        for (index, transfer) in list.enumerated() {
            if SystemClock.now() >= shareEnd {
                // These precede those that yielded meanwhile.
                resuming.insert(contentsOf: list[index...], at: 0)
                return
            }
            transfer.isQueuedToResume = false
            guard !transfer.isPaused, transfer.curlIsPaused, let easy = transfer.easy else { continue }
            transfer.curlIsPaused = false
            let result = unsafe curl_easy_pause(easy.raw, CURLPAUSE_CONT)
            // curl reports a failure here only.
            if result != CURLE_OK, transfer.refusal != .cancelled {
                pendingRemovals.append(transfer)
                ended.append((transfer, end(of: transfer, result)))
            }
        }
    }

    /// Does what callbacks requested while curl was on the stack, and collects ended transfers.
    private func applyDeferred() {
        for transfer in pendingRemovals { release(transfer) }
        pendingRemovals.removeAll(keepingCapacity: true)
        for transfer in pendingAdds { admit(transfer) }
        pendingAdds.removeAll(keepingCapacity: true)
        while let (transfer, result) = handle.nextEnded() {
            let end = end(of: transfer, result)
            if result != CURLE_OK { releaseOthers(afterFailureOf: transfer) }
            if result == CURLE_OK {
                transfer.isComplete = true
                if transfer.keepsConnection { idleConnections.add(transfer.place, now: SystemClock.now()) }
            }
            if let name = unresolvedName(end, of: transfer, result) {
                lookupFailures.add(
                    transfer, end, name: name, timeLeft: transfer.connectTimeout - end.totalSeconds,
                    now: SystemClock.now(), waking: wakeHandle)
            } else {
                ended.append((transfer, end))
            }
            release(transfer)
        }
        ended += lookupFailures.takeSettled(now: SystemClock.now())
        admitHeld()
    }

    // MARK: - Targets

    /// Where the transfers to a URL go.
    private struct Target {
        var url: ParsedURL
        var proxy: Proxy?
        var place: IdleConnections.Place
        /// The number of its gate, for TLS.
        var gate: Int?
    }

    /// Most URLs are those of one endpoint, again and again.
    private static let keptTargets = 64

    private func target(of url: String, _ options: TransferOptions) throws(TransportError) -> Target {
        if options.proxy == nil, let known = targets[url], known.url.text.hasSameBytes(as: url) { return known }
        let parsed = try ParsedURL(url)
        let origin = parsed.origin
        let proxy =
            switch options.proxy {
            case nil: proxies.proxy(for: origin)
            case ""?: nil as Proxy?
            case let url?: Proxy(url)
            }
        if let proxy, !proxy.isReadable { throw .unreadable(proxy) }
        let place = place(of: origin, proxy)
        let target = Target(url: parsed, proxy: proxy, place: place, gate: gateNumbers[place])
        guard options.proxy == nil else { return target }
        if targets.count >= Self.keptTargets { targets.removeAll() }
        targets[url] = target
        return target
    }

    // MARK: - Gates

    private func place(of origin: Origin, _ proxy: Proxy?) -> IdleConnections.Place {
        let name = "\(origin.isTLS ? "https" : "http")://\(origin) \(proxy?.address ?? "")"
        if let place = places[name] { return place }
        let place = places.count
        places[name] = place
        if origin.isTLS { gates.append(StreamGate()) }
        gateNumbers.append(origin.isTLS ? gates.count - 1 : nil)
        return place
    }

    /// Whether a transfer may look for a connection now.
    private func mayEnter(_ transfer: Transfer, alone: Bool) -> Bool {
        guard let gate = transfer.gate else { return true }
        guard !alone else {
            gates[gate].pass(transfer.id)
            return true
        }
        return gates[gate].enter(transfer.id, openConnections: handle.sockets.count(gate))
    }

    /// Starts transfers that were held back and may now look for a connection.
    private func admitHeld() {
        for gate in gates.indices where gates[gate].hasHeld {
            while let id = gates[gate].next(openConnections: handle.sockets.count(gate)) {
                if let transfer = active[id] { admit(transfer) }
            }
        }
    }

    private func admit(_ transfer: Transfer) {
        guard let easy = transfer.easy else { return }
        do throws(TransportError) {
            try handle.add(easy)
        } catch {
            ended.append((transfer, TransferEnd(result: .failed(error))))
            forget(transfer)
        }
    }

    private func releaseOthers(afterFailureOf transfer: Transfer) {
        guard let gate = transfer.gate else { return }
        for id in gates[gate].end(transfer.id, isFailure: true) {
            guard let other = active[id] else { continue }
            // With CURLOPT_PIPEWAIT they would wait for one another, and time out one after the other.
            other.easy?.doNotWaitForConnections()
            admit(other)
        }
    }

    /// A callback: curl is on the stack.
    func opened(_ socket: Int32, for transfer: Transfer) {
        guard let gate = transfer.gate else { return }
        handle.sockets.add(socket, gate)
        gates[gate].opened(transfer.id)
    }

    /// As above.
    func connected(_ transfer: Transfer) {
        guard let gate = transfer.gate else { return }
        gates[gate].connected(transfer.id, openConnections: handle.sockets.count(gate))
    }

    /// As above.
    func learn(from head: HTTPResponseHead, of transfer: Transfer) {
        guard let gate = transfer.gate else { return }
        gates[gate].learn(head.version.hasPrefix("2") ? .multiplexed : .single)
    }

    /// The name whose lookup failed, if that is the cause.
    private func unresolvedName(_ end: TransferEnd, of transfer: Transfer, _ result: CURLcode) -> String? {
        guard case .failed(let error) = end.result, error.code != .tooManyDescriptors else { return nil }
        switch result {
        case CURLE_COULDNT_RESOLVE_HOST: return transfer.origin.host
        case CURLE_COULDNT_RESOLVE_PROXY:
            // Only "Could not resolve proxy: NAME" names it.
            return transfer.easy?.failure.split(separator: " ").last.map(String.init)
        default: return nil
        }
    }

    private func deliverEnds() {
        guard !ended.isEmpty else { return }
        let list = ended
        ended.removeAll(keepingCapacity: true)
        for (transfer, end) in list {
            guard let delegate = transfer.delegate else { continue }
            transfer.delegate = nil
            delegate.transfer(transfer, didEnd: end)
        }
    }

    // MARK: - Letting go

    /// Removes the transfer from curl, which closes what is open.
    private func release(_ transfer: Transfer) {
        guard let easy = transfer.easy else { return }
        handle.remove(easy)
        forget(transfer)
    }

    private func forget(_ transfer: Transfer) {
        active[transfer.id] = nil
        leaveGate(transfer)
        guard let easy = transfer.easy else { return }
        transfer.easy = nil
        recycle(easy, isReset: !transfer.isComplete)
    }

    private func leaveGate(_ transfer: Transfer) {
        guard let gate = transfer.gate else { return }
        // Only a failure lets others go on.
        _ = gates[gate].end(transfer.id, isFailure: false)
    }

    /// Keeps curl's limit of connections above their number: at the limit it walks through all of them with each end. Those
    /// beyond `IdleConnections.limit` are closed by their transfers.
    private func allowConnections() {
        let needed = active.count + 2 * IdleConnections.limit
        guard needed > connectionLimit else { return }
        connectionLimit = 2 * needed
        handle.limitConnections(to: connectionLimit)
    }

    /// Decides, whenever something has arrived, whether the connection of a transfer is kept when it ends.
    func limitIdleConnections(_ transfer: Transfer) {
        transfer.setReuse(idleConnections.hasRoom(now: SystemClock.now))
    }

    /// Pools the handle of an ended transfer. After a failure it is reset: curl's state is then not known.
    private func recycle(_ easy: EasyHandle, isReset: Bool) {
        guard idle.count < Self.idleHandles else { return }
        if isReset || !easy.isReusable {
            guard easy.reset() else { return }
        } else {
            easy.endTransfer()
        }
        idle.append(easy)
    }

    /// A pooled handle, if possible with the options of `setup`, or a new one.
    private func easyHandle(for setup: Setup) throws(TransportError) -> EasyHandle {
        if let index = idle.lastIndex(where: { $0.isReusable && $0.setup == setup }) {
            idle.swapAt(index, idle.count - 1)
            return idle.removeLast()
        }
        while let pooled = idle.popLast() {
            if pooled.setup == nil || pooled.reset() { return pooled }
        }
        return try EasyHandle(sharing: share)
    }

    // MARK: - The account

    private func end(of transfer: Transfer, _ result: CURLcode) -> TransferEnd {
        guard let easy = transfer.easy else { return TransferEnd(result: .stopped) }
        // Bytes sent to a proxy before the tunnel are not part of the request.
        let isTunnelling = transfer.isTunnelled && easy.offset(CURLINFO_PRETRANSFER_TIME_T) == 0
        let sent =
            isTunnelling ? 0 : easy.long(CURLINFO_REQUEST_SIZE) + easy.offset(CURLINFO_SIZE_UPLOAD_T)
        // curl wants to send again, or to rewind the body for that, after a kept connection alone.
        let wantedResend = transfer.isResendRefused || result == CURLE_SEND_FAIL_REWIND
        let isReused = wantedResend || sent > 0 && easy.long(CURLINFO_NUM_CONNECTS) == 0
        let connect = max(easy.offset(CURLINFO_CONNECT_TIME_T), easy.offset(CURLINFO_APPCONNECT_TIME_T))
        return TransferEnd(
            result: outcome(of: transfer, easy, result, sent: sent),
            sawHead: transfer.head.sawStatusLine,
            headComplete: transfer.head.isFinished,
            bodyBytes: transfer.bodyBytes,
            requestBytesSent: sent,
            reusedConnection: isReused,
            remoteAddress: easy.remoteAddress,
            refusingProxy: easy.long(CURLINFO_HTTP_CONNECTCODE) >= 300 ? transfer.proxyHead : nil,
            connectSeconds: isReused ? 0 : Double(connect) / 1e6,
            firstByteSeconds: transfer.firstByteAt.map { $0 - transfer.startedAt },
            totalSeconds: SystemClock.now() - transfer.startedAt)
    }

    private func outcome(of transfer: Transfer, _ easy: EasyHandle, _ result: CURLcode, sent: Int) -> TransferResult {
        if transfer.refusal == .stopped { return .stopped }
        if transfer.refusal == .headersTooLarge {
            let text = "\(transfer.origin): the response headers are larger than \(transfer.head.limit) bytes"
            return .failed(TransportError(.badResponse, text, curlCode: Int(result.rawValue)))
        }
        guard result == CURLE_OK else {
            // curl reports a socket that cannot be opened as a failed connect, or as a name without address.
            let couldBeDescriptors = sent == 0 && result != CURLE_OPERATION_TIMEDOUT
            let known = TransportError.Circumstances(
                origin: transfer.origin.description, detail: easy.failure, requestWasSent: sent > 0,
                outOfDescriptors: transfer.ranOutOfDescriptors
                    || couldBeDescriptors && handle.poller.isOutOfDescriptors,
                proxy: transfer.proxy, proxyStatus: easy.long(CURLINFO_HTTP_CONNECTCODE),
                proxyError: easy.long(CURLINFO_PROXY_ERROR))
            return .failed(TransportError(result, known))
        }
        // curl reports success for a response whose header block never ended.
        guard transfer.head.isFinished else {
            return .failed(TransportError(.receive, "\(transfer.origin): the connection closed inside the headers"))
        }
        return .complete
    }
}

@available(
    *, unavailable, message: "curl's handles and epoll's bookkeeping belong to one thread; wake it by wakeHandle"
)
extension Multi: Sendable {}
