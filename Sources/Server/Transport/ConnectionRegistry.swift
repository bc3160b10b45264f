// The open connections of a server, and their clock.

internal import Base
internal import Chat
internal import HTTP
internal import NIOCore

/// Something with a deadline of its own.
protocol Clocked: AnyObject {
    /// Called several times within the shortest limit, at least twice a second.
    func tick(_ now: NIODeadline)
}

/// The open connections. One repeated task checks all deadlines: a scheduled task a connection would cost more memory, and
/// a heap operation for each request.
final class ConnectionRegistry {
    /// Maximum connections that are being refused because there are too many. Beyond it they are closed without a word.
    private static let maximumRefusals = 64

    /// Time without any progress after which a client that does not read its response is cut.
    let longestStall: TimeAmount
    private let loop: NIOIsolatedEventLoop
    private let maximum: Int
    private let period: TimeAmount
    private var monitors: [ObjectIdentifier: ConnectionMonitor] = [:]
    private var streams: [ObjectIdentifier: any Clocked] = [:]
    private var refusals = 0
    private var isTicking = false
    private var whenEmpty: [() -> Void] = []
    /// The server accepts nothing more: connections close after the response that runs.
    private(set) var isStopping = false

    init(loop: NIOIsolatedEventLoop, limits: ServerLimits, longestStall: TimeAmount) {
        self.loop = loop
        self.longestStall = longestStall
        maximum = limits.connections
        let shortest = min(limits.headSeconds, limits.bodySeconds, limits.idleSeconds)
        period = .milliseconds(Int64(min(max(shortest / 8, 0.01), 0.5) * 1_000))
    }

    var count: Int { monitors.count }
    var isFull: Bool { monitors.count >= maximum }

    func add(_ monitor: ConnectionMonitor) {
        monitors[ObjectIdentifier(monitor)] = monitor
        startTicking()
    }

    func remove(_ monitor: ConnectionMonitor) {
        monitors[ObjectIdentifier(monitor)] = nil
        reportEmptiness()
    }

    /// Adds a stream of HTTP/2, which has deadlines beside those of its connection.
    func add(stream: any Clocked) {
        streams[ObjectIdentifier(stream)] = stream
        startTicking()
    }

    func remove(stream: any Clocked) { streams[ObjectIdentifier(stream)] = nil }

    /// Counts a connection that is being refused.
    /// - Returns: false if there are too many of these, too.
    func beginRefusal() -> Bool {
        guard refusals < Self.maximumRefusals else { return false }
        refusals += 1
        return true
    }

    func endRefusal() { refusals -= 1 }

    /// Closes idle connections; the others close after the response that runs.
    func finish() {
        isStopping = true
        for monitor in monitors.values { monitor.finish() }
    }

    /// Closes all connections at once.
    func closeAll() {
        isStopping = true
        for monitor in monitors.values { monitor.close() }
    }

    /// Calls `action` once there is no connection.
    func notifyWhenEmpty(_ action: @escaping () -> Void) {
        whenEmpty.append(action)
        reportEmptiness()
    }

    private func reportEmptiness() {
        guard monitors.isEmpty else { return }
        let actions = whenEmpty
        whenEmpty = []
        for action in actions { action() }
    }

    private func startTicking() {
        guard !isTicking else { return }
        isTicking = true
        loop.scheduleTask(in: period) { self.tick() }
    }

    private func tick() {
        isTicking = false
        let now = NIODeadline.now()
        // A deadline may close its connection, which changes the table.
        for monitor in Array(monitors.values) { monitor.tick(now) }
        for stream in Array(streams.values) { stream.tick(now) }
        if !monitors.isEmpty || !streams.isEmpty { startTicking() }
    }
}

/// What all connections of a server share.
final class ConnectionEnvironment {
    let loop: NIOIsolatedEventLoop
    let limits: ServerLimits
    let receiver: any RequestReceiver
    let registry: ConnectionRegistry
    private var date = (second: Int64.min, text: "")

    init(
        loop: NIOIsolatedEventLoop, limits: ServerLimits, longestStall: TimeAmount, receiver: any RequestReceiver
    ) {
        self.loop = loop
        self.limits = limits
        self.receiver = receiver
        registry = ConnectionRegistry(loop: loop, limits: limits, longestStall: longestStall)
    }

    /// The response to a request that the transport refuses.
    func response(to broken: BrokenRequest, remoteAddress: String) -> ServedResponse {
        var response = receiver.response(
            toBroken: broken.status, message: broken.message, remoteAddress: remoteAddress)
        for field in broken.headers { response.headers[field.name] = field.value }
        return response
    }

    /// The value of the field `Date`, made once a second.
    func dateField() -> String {
        let second = Int64(SystemClock.unixTime())
        if second != date.second { date = (second, HTTPDate.text(Int(second))) }
        return date.text
    }
}
