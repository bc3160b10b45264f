// State of one request behind curl's callbacks. Never calls curl's multi handle.

internal import Base
internal import CCurl
internal import HTTP

/// One running request; `Multi` does everything with it.
@safe package final class Transfer {
    /// Counts up from 1 within one `Multi`.
    package let id: UInt64
    /// Whether the transfer waits for `Multi.resume`. It may still end: by a broken connection, or if all bytes were
    /// delivered.
    package internal(set) var isPaused = false
    /// Address and port of an HTTP proxy that may have answered instead of the server; nil without one, or if the
    /// response came through its tunnel.
    package var answeringProxy: String? { proxy.flatMap { $0.isHTTP && !origin.isTLS ? $0.address : nil } }

    /// Whether an HTTP proxy is asked for a tunnel (CONNECT).
    var isTunnelled: Bool { origin.isTLS && proxy?.isHTTP == true }

    /// Why a callback made curl give up.
    enum Refusal {
        case stopped
        case cancelled
        case headersTooLarge
    }

    let origin: Origin
    let place: IdleConnections.Place
    /// The number of the gate through which it goes to its connection; nil if it needs none.
    let gate: Int?
    private var isReusable = true
    /// The proxy of the request, or nil.
    let proxy: Proxy?
    let startedAt: Double
    private(set) var connectTimeout: Double
    let trace: (@Sendable (String) -> Void)?
    private weak var multi: Multi?
    /// curl's handle; nil after the end.
    var easy: EasyHandle?
    /// Released at the end, so that no cycle remains.
    var delegate: (any TransferDelegate)?
    var refusal: Refusal?
    /// Whether the request may be sent twice (RFC 9110, section 9.2.2).
    private let isRepeatable: Bool
    private var hasLeft = false
    /// Whether curl wanted to send the request again after its kept connection had died.
    private(set) var isResendRefused = false
    var ranOutOfDescriptors = false
    /// curl has ended it without an error.
    var isComplete = false
    /// Whether curl itself is paused and must be resumed.
    var curlIsPaused = false
    /// The last turn that allowed a piece beyond the work share.
    var lastExtraReadTurn = 0
    /// Whether `Multi` has the transfer on its resume list.
    var isQueuedToResume = false
    private(set) var head: HeadReader
    private var proxyHeadReader: HeadReader
    /// Head of the proxy's response to CONNECT.
    private(set) var proxyHead: HTTPResponseHead?
    private(set) var bodyBytes = 0
    private(set) var firstByteAt: Double?
    private var body: [UInt8]
    private let bodyCount: Int
    private var bodySent = 0

    init(
        id: UInt64, origin: Origin, place: IdleConnections.Place, gate: Int?, proxy: Proxy?, request: HTTPRequest,
        options: TransferOptions, easy: EasyHandle,
        delegate: any TransferDelegate, of multi: Multi
    ) {
        self.multi = multi
        self.id = id
        self.origin = origin
        self.place = place
        self.gate = gate
        self.proxy = proxy
        isRepeatable = ["GET", "HEAD"].contains(request.method)
        // EasyHandle keeps small bodies.
        body = EasyHandle.keeps(request.body) ? [] : request.body
        self.easy = easy
        self.delegate = delegate
        bodyCount = request.body.count
        trace = options.trace
        connectTimeout = options.connectTimeout
        head = HeadReader(limit: options.maxHeaderBytes)
        proxyHeadReader = HeadReader(limit: options.maxHeaderBytes)
        startedAt = SystemClock.now()
    }

    /// Allows or forbids the reuse of the connection after the end.
    func setReuse(_ isAllowed: Bool) {
        guard isAllowed != isReusable else { return }
        isReusable = isAllowed
        easy?.setReuse(isAllowed)
    }

    /// Whether a complete response leaves a connection of HTTP/1.1 for reuse. Those of HTTP/2 are few.
    var keepsConnection: Bool { isReusable && easy?.long(CURLINFO_HTTP_VERSION) == CURL_HTTP_VERSION_1_1 }

    /// Extends the timeout of a connection that is not established; curl reads the option at each check.
    func extendConnectTimeout(by seconds: Double) {
        guard let easy, easy.offset(CURLINFO_PRETRANSFER_TIME_T) == 0 else { return }
        connectTimeout += seconds
        easy.setConnectTimeout(connectTimeout)
    }

    /// A socket was opened for a connection.
    func openedSocket(_ socket: Int32) { multi?.opened(socket, for: self) }

    /// There is a connection, over which the request would leave now. Not a second time: when a kept connection dies, curl
    /// sends the request again by itself, and the server may have acted on the first one.
    func mayLeave() -> Bool {
        if hasLeft, !isRepeatable {
            isResendRefused = true
            return false
        }
        hasLeft = true
        multi?.connected(self)
        return true
    }

    /// A header line arrived. Returns the bytes taken; fewer end the transfer.
    func receiveHeaderLine(_ line: Span<UInt8>) -> Int {
        guard refusal == nil, let delegate else { return 0 }
        if firstByteAt == nil { firstByteAt = SystemClock.now() }
        switch head.take(line) {
        case .more: break
        case .tooLarge: refusal = .headersTooLarge
        case .finished(let head):
            multi?.learn(from: head, of: self)
            multi?.limitIdleConnections(self)
            delegate.transfer(self, didReceive: head)
        }
        return refusal == nil ? line.count : 0
    }

    /// A header line arrived: of a proxy's response to CONNECT, or of the response behind it.
    func receiveProxyHeaderLine(_ line: Span<UInt8>) {
        guard !proxyHeadReader.isFinished, !head.sawStatusLine else { return }
        if case .finished(let head) = proxyHeadReader.take(line) { proxyHead = head }
    }

    /// Body bytes arrived. Returns the bytes taken or curl's pause code; another value ends the transfer.
    func receiveBody(_ bytes: Span<UInt8>) -> Int {
        guard refusal == nil, let delegate else { return 0 }
        if !isPaused, multi?.mustYield(self) == true {
            curlIsPaused = true
            return ccurl_write_pause()
        }
        multi?.limitIdleConnections(self)
        var verdict = BodyVerdict.pause
        if !isPaused { verdict = delegate.transfer(self, didReceive: bytes) }
        guard refusal == nil else { return 0 }
        switch verdict {
        case .taken:
            bodyBytes += bytes.count
            return bytes.count
        case .pause:
            isPaused = true
            curlIsPaused = true
            return ccurl_write_pause()
        case .stop:
            refusal = .stopped
            return 0
        }
    }

    /// Copies the next bytes of the request body. curl never asks beyond the announced length: such a call means a
    /// restart with a body that cannot be rewound, which must not be sent.
    @unsafe func supplyBody(_ space: UnsafeMutableRawBufferPointer) -> Int {
        guard refusal == nil, bodySent < bodyCount else { return bodyCount == 0 ? 0 : ccurl_read_abort() }
        let count = min(space.count, bodyCount - bodySent)
        unsafe body.withUnsafeBytes { unsafe space.copyMemory(from: .init(rebasing: $0[bodySent..<bodySent + count])) }
        bodySent += count
        if bodySent == bodyCount { body = [] }
        return count
    }
}

@available(*, unavailable, message: "its curl handle belongs to the thread of its Multi")
extension Transfer: @unchecked Sendable {}  // unavailable: this says that it is not Sendable, and why
