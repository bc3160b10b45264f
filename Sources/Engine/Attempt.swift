// One attempt of a request: decodes the response and classifies its end. Runs inside the transport's callbacks, so it must not
// call the transport.

internal import Base
internal import Chat
internal import Formats
internal import HTTP
internal import JSON

/// State that the attempts of an engine share: keys, clocks, a JSON reader, the lists for the next step of the turn.
final class AttemptContext {
    let secrets = Secrets()
    /// Shared by all decoders: its buffers take 33 KB, and each parse ends before the next begins.
    let reader = JSONReader()
    let clock: () -> Double
    let unixTime: () -> UnixTime
    /// Attempts that ended, failed or completed their reply during the transport's callbacks.
    var needingAttention: [Attempt] = []
    /// Requests whose bodies were read during the transport's callbacks.
    var requestsRead: [Request] = []
    let observer: ((WireEvent) -> Void)?

    init(
        clock: @escaping () -> Double, unixTime: @escaping () -> UnixTime, observer: ((WireEvent) -> Void)? = nil
    ) {
        self.clock = clock
        self.unixTime = unixTime
        self.observer = observer
    }
}

/// One transfer and the decoder of its response.
final class Attempt {
    /// Maximum size of the body of an error, in bytes.
    static let errorBodyLimit = 256 << 10
    /// Maximum bytes read after the end of a reply so that the connection can be reused.
    static let drainLimit = 64 << 10

    /// The owning request; nil after `detach()`.
    private(set) var owner: Request?
    let decoder: any StreamDecoder
    private let context: AttemptContext
    private let format: WireFormat
    private var reader: ResponseReader
    private var decodedEvents: [DecodedEvent] = []
    private(set) var head: HTTPResponseHead?
    /// The HTTP proxy that may have answered in place of the server.
    private var proxy: String?
    private(set) var position = Position()
    private var errorBody: [UInt8] = []
    /// The body so far, for the observer.
    private var observedBody: [UInt8] = []
    private var drainedBytes = 0
    /// The decoder's `outputCount` at the last check.
    private var outputCount = 0
    /// The frames before the first output; nil after it, for a continued reply, and if the client receives chunks.
    private var firstFrames: FirstFrames?
    private var isQueuedForAttention = false
    private var hasReadRest = false
    /// The running transfer.
    var transfer: TransferHandle?
    /// Why it failed.
    private(set) var fault: AttemptError? { didSet { hasFault = fault != nil } }
    /// Whether there is one. Asked for each frame: a look at the error itself copies and releases all its parts.
    private var hasFault = false
    /// The error that the server reported. Token counts may follow: up to the end of the body after a finish reason, else in
    /// the same chunk.
    private var serverError: AttemptError? { didSet { hasServerError = serverError != nil } }
    /// As `hasFault`.
    private var hasServerError = false
    /// It found no file descriptor.
    private(set) var isPostponed = false
    /// How the body broke off after a complete reply.
    private(set) var cutAfterCompletion: String?
    /// The transfer has ended.
    private(set) var isOver = false
    /// The end marker of the format has been read.
    private(set) var isDone = false

    init(of request: Request, format: WireFormat, context: AttemptContext) {
        owner = request
        self.format = format
        decoder = format.makeDecoder(reader: context.reader)
        reader = ResponseReader(
            framing: format.framing, streamsArrays: format.streamsArrays,
            maxEventBytes: request.spec.limits.maxEventBytes,
            secrets: context.secrets)
        self.context = context
        if !request.spec.wantsChunks, !request.isContinued { firstFrames = FirstFrames(of: format) }
    }

    /// Separates the transfer from its request; it may run on.
    func detach() {
        if owner != nil { observe(.end(body: context.secrets.scrub(observedBody))) }
        owner = nil
    }

    /// Calls the observer.
    func observe(_ step: @autoclosure () -> WireEvent.Step) {
        guard let observer = context.observer, let owner else { return }
        observer(
            WireEvent(
                client: owner.client.number, request: owner.id, attempt: owner.machine.attempts,
                time: context.clock(), step: step()))
    }

    /// Adds the attempt to the list of those that need attention, once.
    private func enqueueForAttention() {
        guard !isQueuedForAttention else { return }
        isQueuedForAttention = true
        context.needingAttention.append(self)
    }

    /// The engine has handled it.
    func attentionHandled() { isQueuedForAttention = false }

    // MARK: The response

    /// Takes the head.
    /// - Parameter proxy: the HTTP proxy that may have written it in place of the server.
    func receive(_ head: HTTPResponseHead, proxy: String? = nil) {
        self.head = head
        self.proxy = proxy
        guard let owner else { return }
        owner.machine.receivedBytes(now: context.clock())
        observe(.head(context.secrets.scrub(head)))
        if let fault = AttemptError.refusing(head, context.secrets) {
            self.fault = naming(proxy, fault)
            enqueueForAttention()
        }
    }

    /// The error with the proxy named: the user must know who may have sent it.
    private func naming(_ proxy: String?, _ fault: AttemptError) -> AttemptError {
        guard let proxy else { return fault }
        var fault = fault
        fault.error.message += " (through the proxy \(proxy))"
        return fault
    }

    /// Whether its body must not be read now.
    var isHeld: Bool { !isDone && !hasFault && owner?.isHeld == true }

    /// Whether the status marks the body as an error.
    private var isErrorStatus: Bool { head.map { $0.status >= 300 } ?? false }

    /// Takes a piece of the body.
    func receive(_ bytes: Span<UInt8>) -> BodyStep {
        guard let owner else {
            drainedBytes += bytes.count
            return drainedBytes > Self.drainLimit ? .stop : .go
        }
        guard !hasFault else { return .stop }
        position.bytes += bytes.count
        let now = context.clock()
        owner.machine.receivedBytes(now: now)
        if context.observer != nil { observe(bytes) }
        guard !isErrorStatus else { return collect(bytes) }
        do throws(AttemptError) {
            guard position.bytes <= owner.spec.limits.maxBodyBytes else {
                throw AttemptError(
                    .truncated, "the reply is longer than the limit of \(owner.spec.limits.maxBodyBytes) bytes")
            }
            try reader.feed(bytes) { (kind, name, payload) throws(AttemptError) in
                try self.frame(kind, name: name, payload: payload, now: now)
            } _: {
                decoder.canFastForward
            } _: { (chunk, start, shape) in
                self.fastForward(chunk, from: start, shape, now: now)
            }
        } catch {
            return stopped(by: error)
        }
        context.requestsRead.append(owner)
        if hasServerError, let serverError, isDone || !decoder.hasCleanEnd { return stopped(by: serverError) }
        guard !isDone else {
            enqueueForAttention()
            return .go
        }
        return owner.isHeld ? .hold : .go
    }

    private func observe(_ bytes: Span<UInt8>) {
        observe(.piece(bytes.count))
        observedBody.append(bytes.extracting(first: max(0, WireEvent.longestBody - observedBody.count)))
    }

    private func collect(_ bytes: Span<UInt8>) -> BodyStep {
        let room = min(bytes.count, Self.errorBodyLimit - errorBody.count)
        for index in 0..<max(0, room) { errorBody.append(bytes[index]) }
        guard errorBody.count < Self.errorBodyLimit else { return stopped(by: statusError()) }
        return .go
    }

    /// After a complete reply only an error that the server reports counts.
    private func stopped(by fault: AttemptError) -> BodyStep {
        if let serverError {
            self.fault = serverError
        } else if decoder.hasCleanEnd, !decoder.isBlank {
            isDone = true
        } else {
            // An error in a stream is the server's. A body that is no stream may be the proxy's.
            self.fault = fault.error.kind == .protocol ? naming(proxy, fault) : fault
        }
        enqueueForAttention()
        return .stop
    }

    private func frame(
        _ kind: FrameKind, name: String, payload: Span<UInt8>, now: Double
    ) throws(AttemptError) {
        guard let owner, !isDone else { return }
        if context.observer != nil {
            let (clean, secrets) = (context.secrets.scrub([UInt8](copying: payload)), context.secrets)
            observe(.frame(kind, name: secrets.scrub(name), payload: clean))
        }
        if kind != .comment {
            position.events += 1
            if owner.spec.wantsChunks {
                owner.push(.chunk(context.secrets.scrub(String(decoding: [UInt8](copying: payload), as: UTF8.self))))
            }
            firstFrames?.keep(payload, eventName: name)
        }
        let hadCleanEnd = decoder.hasCleanEnd
        do throws(APIError) {
            try decoder.decode(kind, name: name, bytes: payload, into: &decodedEvents)
        } catch {
            var error = error
            if kind == .body, error.kind == .protocol, let (unread, _) = unreadText {
                error.message += " (text at \(unread.path) is not read)"
            }
            deliverDecoded(to: owner, now: now)
            try failed(error, hadCleanEnd: hadCleanEnd)
            return try frameEnded(owner, now: now)
        }
        deliverDecoded(to: owner, now: now)
        try frameEnded(owner, now: now)
    }

    /// Delivers the events of a frame to the request, without those that do not count after an error.
    private func deliverDecoded(to owner: Request, now: Double) {
        if firstFrames != nil, decoder.outputCount != outputCount || decodedEvents.contains(where: \.isOutput) {
            firstFrames = nil
        }
        if context.observer != nil { for event in decodedEvents { observe(.decoded(event)) } }
        if hasServerError {
            // Only the counts are of use.
            decodedEvents.removeAll {
                if case .usage = $0 { false } else { true }
            }
        }
        deliverEvents(to: owner, now: now)
    }

    /// Delivers the decoded events in order, and empties their list.
    private func deliverEvents(to owner: Request, now: Double) {
        // Reversed, then removed from the end, which moves an event. An iteration copies each event and destroys it twice.
        switch decodedEvents.count {
        case 0, 1: break
        case 2: decodedEvents.swapAt(0, 1)
        default: decodedEvents.reverse()
        }
        while let event = decodedEvents.popLast() { owner.accept(event, from: self, now: now) }
    }

    /// Updates the state of the request after a frame.
    private func frameEnded(_ owner: Request, now: Double) throws(AttemptError) {
        if decoder.outputCount != outputCount {
            outputCount = decoder.outputCount
            owner.machine.output(now: now)
        }
        if decoder.hasCleanEnd {
            guard !decoder.isBlank else { throw unreadTextError() ?? Self.emptyStream }
            owner.machine.cleanEnd()
            isDone = decoder.isDone
        } else if owner.machine.state == .tail {
            owner.machine.continues()
        }
    }

    /// Takes an error that a frame reports. An error after the finish reason ends the reply too, unless it only repeats that
    /// reason.
    /// - Throws: an error of the stream itself, except after the finish reason.
    private func failed(_ error: APIError, hadCleanEnd: Bool) throws(AttemptError) {
        guard !hasServerError else { return }
        if error.repeatsLimit(of: decoder.summary.finishReason) {
            if !hadCleanEnd { decoder.bodyEnded() }
        } else if error.kind == .protocol {
            throw .reported(error)
        } else {
            serverError = .reported(error)
        }
    }

    private static let emptyStream = AttemptError(
        .truncated, "empty stream: it ended without text, finish reason and token counts", retry: .backoff)

    /// Fast-forwards over the frames behind the one just decoded that are like it.
    /// - Returns: the end of the last of them; `start` for none.
    private func fastForward(_ chunk: Span<UInt8>, from start: Int, _ shape: FrameShape, now: Double) -> Int {
        guard let owner, !owner.spec.wantsChunks, context.observer == nil, !isDone, !hasServerError,
            !decoder.hasCleanEnd
        else {
            return start
        }
        guard let end = decoder.fastForward(chunk, from: start, shape, into: &decodedEvents) else { return start }
        for event in decodedEvents {
            if case .text(let batch) = event { position.events += batch.count }
        }
        deliverEvents(to: owner, now: now)
        return end
    }

    // MARK: The end

    /// The transfer has ended.
    func ended(_ ending: TransferEnding) {
        isOver = true
        defer { enqueueForAttention() }
        guard owner != nil, !hasFault, !isDone else { return }
        if case .complete = ending, decoder.hasCleanEnd { readRest() }
        if case .noDescriptors = ending {
            isPostponed = true
        } else if let serverError {
            fault = serverError
        } else if isErrorStatus {
            fault = statusError()
        } else if decoder.hasCleanEnd {
            isDone = true
            if case .cut(let how) = ending { cutAfterCompletion = how }
        } else {
            conclude(ending)
        }
    }

    /// Reads an event after the clean end that lacks its blank line: usage, or more of the reply.
    private func readRest() {
        hasReadRest = true
        let now = context.clock()
        do throws(AttemptError) {
            try reader.finish(contentType: nil) { (kind, name, payload) throws(AttemptError) in
                try self.frame(kind, name: name, payload: payload, now: now)
            }
        } catch {
            // The reply is complete without it.
        }
    }

    /// The body ended before the clean end of the reply.
    private func conclude(_ ending: TransferEnding) {
        switch ending {
        case .failed(let fault): self.fault = fault
        case .refusedByProxy(let head, let message): fault = refused(by: head, message)
        case .cut(let how) where head == nil:
            fault = AttemptError(.network, "no answer: \(how)", retry: .once)
        case .cut(let how):
            fault = AttemptError(.truncated, "the stream was cut before its end: \(how)", retry: .backoff)
        case .complete, .noDescriptors: concludeComplete()
        }
    }

    /// A proxy that refused CONNECT. Retried if a server with that status would be.
    private func refused(by head: HTTPResponseHead, _ message: String) -> AttemptError {
        let answer = format.decodeError(head: head, body: [], now: context.unixTime())
        var error = APIError(kind: .network, message: message)
        error.retryAfter = answer.retryAfter
        return AttemptError(error, retry: answer.isRetryable ? .backoff : .never)
    }

    /// The body ended without the clean end of the reply.
    private func concludeComplete() {
        guard let head else {
            fault = AttemptError(.network, "the connection was closed inside the response's headers", retry: .backoff)
            return
        }
        let now = context.clock()
        do throws(AttemptError) {
            if !hasReadRest {
                try reader.finish(contentType: head.headers["Content-Type"]) {
                    (kind, name, payload) throws(AttemptError) in
                    try self.frame(kind, name: name, payload: payload, now: now)
                }
            }
        } catch {
            fault = serverError ?? naming(proxy, error)
            return
        }
        decoder.bodyEnded()
        if let serverError {
            fault = serverError
        } else if decoder.hasCleanEnd {
            isDone = true
        } else if let unread = unreadTextError() {
            fault = unread
        } else if reader.isBlank {
            fault = AttemptError(.protocol, "empty stream: status \(head.status) and no body", status: head.status)
        } else {
            fault = AttemptError(
                .truncated, "the stream was cut before its end: the connection was closed cleanly", retry: .backoff)
        }
    }

    /// The error of a reply without output whose frames have text in an unknown place; nil for all others. A filtered reply is
    /// empty for another reason.
    func unreadTextError() -> AttemptError? {
        guard let (unread, frame) = unreadText else { return nil }
        let hint = unread.otherDialect.map { " (this looks like the dialect \"\($0)\")" } ?? ""
        return AttemptError(
            .protocol,
            "text at \(unread.path) is not read\(hint); use on_chunk or tell us. The first frame with it: "
                + context.secrets.excerpt(frame))
    }

    /// The place of such text, and its frame without keys.
    private var unreadText: (text: UnreadText, frame: [UInt8])? {
        guard let firstFrames, fault == nil else { return nil }
        let summary = decoder.summary
        guard summary.toolCalls.isEmpty, summary.refusal == nil, summary.finishReason != .contentFilter else {
            return nil
        }
        let frames = firstFrames.frames.map { ($0.eventName, context.secrets.scrub($0.payload)) }
        return UnreadText.find(in: frames, of: format).map { ($0, frames[$0.frame].1) }
    }

    /// The error that status, headers and body report.
    func statusError() -> AttemptError {
        naming(
            proxy,
            .reported(
                format.decodeError(
                    head: head ?? HTTPResponseHead(status: 0), body: context.secrets.scrub(errorBody),
                    now: context.unixTime())))
    }

    /// The reply is complete, but the body does not end.
    /// - Returns: the error that the server reported after it.
    func endedByTimer() -> AttemptError? { serverError }

    /// The error of a timeout: the error of the server if its body arrives too slowly.
    func timedOut(_ fault: AttemptError) -> AttemptError? {
        if let serverError { return serverError }
        if decoder.hasCleanEnd { return nil }
        return isErrorStatus && fault.phase != .total ? statusError() : fault
    }
}

extension DecodedEvent {
    /// Whether the event is a piece of the reply. Native events may be metadata, or text in an unknown place.
    fileprivate var isOutput: Bool {
        switch self {
        case .text: true
        default: false
        }
    }
}

extension AttemptError {
    /// The error of a status that cannot have a reply; nil for all others. Providers document only 200. 101 answers a request to
    /// upgrade (RFC 9110 section 15.2.2), which is never sent.
    static func refusing(_ head: HTTPResponseHead, _ secrets: Secrets) -> AttemptError? {
        switch head.status {
        case 200, 400...: return nil
        case 300..<400:
            let target = head.headers["Location"].map { "to \(secrets.excerpt($0.utf8))" } ?? "without a target"
            return AttemptError(
                .protocol,
                "redirected (status \(head.status)) \(target); redirects are not followed, for the key must not "
                    + "leave its host: set base_url to the right address",
                status: head.status)
        default:
            return AttemptError(
                .protocol, "status \(head.status) in answer to a chat request: only 200 is a reply",
                status: head.status)
        }
    }
}
