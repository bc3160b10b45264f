// Waits for sockets and for curl's timer with epoll, as in curl's example ephiperfifo.c. Knows sockets and a
// deadline, not transfers: sockets outlive easy handles.

internal import Base
internal import CCurl
internal import Glibc

/// Sockets that curl watches, and curl's deadline.
@safe final class Poller {
    private let epoll: Descriptor
    /// Registered events by descriptor; 0 if not registered.
    private var interest: [UInt32] = []
    /// Events of the last wait. 1,024 suffice: epoll reports the rest first next time.
    private let ready: UnsafeMutableBufferPointer<epoll_event>
    /// Deadline of `curl_multi_socket_action(CURL_SOCKET_TIMEOUT)`, in seconds of `SystemClock.now`.
    private(set) var deadline: Double?
    /// Seconds, before the end of the last wait, without polling beyond the requested wait: the process was stopped
    /// or busy.
    private(set) var maxPollGap = 0.0
    private var attendedAt = SystemClock.now()

    /// Maximum events per epoll_wait.
    static let capacity = 1024
    private static let readable = EPOLLIN.rawValue
    private static let writable = EPOLLOUT.rawValue
    private static let broken = EPOLLERR.rawValue | EPOLLHUP.rawValue

    init(waking descriptor: Int32) throws(TransportError) {
        epoll = try Descriptor(epoll_create1(Int32(EPOLL_CLOEXEC)), from: "epoll_create1")
        unsafe ready = .allocate(capacity: Self.capacity)
        unsafe ready.initialize(repeating: epoll_event())
        watch(descriptor, for: Self.readable)
    }

    deinit { unsafe ready.deallocate() }

    /// Whether the system is out of descriptors.
    var isOutOfDescriptors: Bool { epoll.noneIsLeft }

    /// Result of one wait for one socket.
    struct Event {
        let socket: Int32
        /// CURL_CSELECT_IN and CURL_CSELECT_OUT.
        let flags: Int32
    }

    /// Waits until a socket is ready, curl's deadline passes, or `seconds` are over (nil: no limit). Returns the
    /// number of events, to be read by `event`. A signal ends the wait, possibly with 0 events.
    func wait(upTo seconds: Double?) -> Int {
        let began = SystemClock.now()
        var limit = seconds.map { max(0, $0) } ?? .infinity
        if let deadline { limit = min(limit, max(0, deadline - began)) }
        // Rounded up: an early wake would spin. At most 86,400 s keeps the conversion in range.
        let milliseconds = limit == .infinity ? -1 : Int32((min(limit, 86_400) * 1000).rounded(.up))
        var found = poll(milliseconds)
        // After SIGCONT epoll_wait returns EINTR, and a process may be scheduled late: poll once more before timers
        // are evaluated (signal(7), "Interruption of system calls").
        if found <= 0, milliseconds != 0 { found = poll(0) }
        let now = SystemClock.now()
        maxPollGap = max(0, now - attendedAt - min(limit, now - began))
        attendedAt = now
        return max(0, found)
    }

    /// Sockets were polled until now.
    func markPolled() { attendedAt = SystemClock.now() }

    private func poll(_ milliseconds: Int32) -> Int {
        Int(unsafe epoll_wait(epoll.raw, ready.baseAddress, Int32(ready.count), milliseconds))
    }

    /// The event at `index` of the last wait; nil if the socket was removed since.
    func event(_ index: Int) -> Event? {
        let found = unsafe ready[index]
        let socket = unsafe found.data.fd
        let wanted = registered(socket)
        guard wanted != 0 else { return nil }
        // An error or hang-up is reported as the awaited event: curl's own read or write finds the cause.
        let bits = unsafe found.events & Self.broken != 0 ? wanted : found.events & wanted
        var flags: Int32 = 0
        if bits & Self.readable != 0 { flags |= CURL_CSELECT_IN }
        if bits & Self.writable != 0 { flags |= CURL_CSELECT_OUT }
        return Event(socket: socket, flags: flags)
    }

    /// Whether curl's timer is due. Disarms it; curl arms it again when called.
    func takeDueTimer() -> Bool {
        guard let deadline, deadline <= SystemClock.now() else { return false }
        self.deadline = nil
        return true
    }

    /// CURLMOPT_TIMERFUNCTION; negative milliseconds disarm.
    func arm(milliseconds: Int) {
        deadline = milliseconds < 0 ? nil : SystemClock.now() + Double(milliseconds) / 1000
    }

    /// CURLMOPT_SOCKETFUNCTION: `what` is one of CURL_POLL_*. False if epoll refused.
    func follow(_ socket: Int32, _ what: Int32) -> Bool {
        switch what {
        case CURL_POLL_IN: watch(socket, for: Self.readable)
        case CURL_POLL_OUT: watch(socket, for: Self.writable)
        case CURL_POLL_INOUT: watch(socket, for: Self.readable | Self.writable)
        default: watch(socket, for: 0)
        }
    }

    private func registered(_ socket: Int32) -> UInt32 {
        let index = Int(socket)
        return interest.indices.contains(index) ? interest[index] : 0
    }

    @discardableResult
    private func watch(_ socket: Int32, for bits: UInt32) -> Bool {
        guard socket >= 0 else { return false }
        let index = Int(socket)
        if index >= interest.count {
            interest.append(contentsOf: repeatElement(0, count: index + 64 - interest.count))
        }
        let before = interest[index]
        guard before != bits else { return true }
        interest[index] = bits
        if bits == 0 {
            // Fails only for a closed socket, which epoll has removed.
            _ = control(EPOLL_CTL_DEL, socket, 0)
            return true
        }
        if before == 0 {
            // The socket pair of curl's resolver does not come from our opensocket callback, so it lacks this.
            _ = fcntl(socket, F_SETFD, FD_CLOEXEC)
            return control(EPOLL_CTL_ADD, socket, bits) || control(EPOLL_CTL_MOD, socket, bits)
        }
        // curl may have closed and reused this descriptor; EPOLL_CTL_MOD then fails with ENOENT.
        return control(EPOLL_CTL_MOD, socket, bits) || control(EPOLL_CTL_ADD, socket, bits)
    }

    private func control(_ operation: Int32, _ socket: Int32, _ bits: UInt32) -> Bool {
        var event = unsafe epoll_event()
        unsafe event.events = bits
        unsafe event.data.fd = socket
        return unsafe epoll_ctl(epoll.raw, operation, socket, &event) == 0
    }
}

@available(*, unavailable, message: "lives on the thread of its Multi")
extension Poller: @unchecked Sendable {}  // unavailable: this says that it is not Sendable, and why
