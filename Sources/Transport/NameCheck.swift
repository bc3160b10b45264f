// Finds out why a name could not be looked up: there is no such name, or its resolver failed. libcurl reports both
// alike, and a retry policy must not. Asked only after a failure, on a thread of its own, as getaddrinfo blocks; Multi
// is its only caller. It calls nothing of curl.

internal import CCurl
internal import Glibc
internal import Synchronization

/// One question to the system's resolver, under way or answered.
@safe final class NameCheck: Sendable {
    /// The most that a question may hold up the news of the failure, in seconds.
    static let patience = 2.0

    let name: String
    private let wakeHandle: WakeHandle
    /// What getaddrinfo said; `pending` until then.
    private let answer = Atomic<Int32>(pending)
    private static let pending = Int32.min

    /// Asks at once; the wake handle is woken when the answer is there.
    init(_ name: String, waking wakeHandle: WakeHandle) {
        self.name = name
        self.wakeHandle = wakeHandle
        // Curl would have encoded an international name (IDNA); getaddrinfo as called here would not.
        let isASCII = name.utf8.allSatisfy { $0 < 0x80 }
        if !isASCII || !startThread() { answer.store(EAI_AGAIN, ordering: .releasing) }
    }

    var isAnswered: Bool { answer.load(ordering: .acquiring) != Self.pending }

    /// Whether the resolver says that there is no such name, or none with an address. Whatever else it says, nothing
    /// included, may be different soon.
    var hasNoAddress: Bool {
        // EAI_NODATA and EAI_ADDRFAMILY are what glibc says of a name that has other records.
        let permanent: [Int32] = [EAI_NONAME, -5, -9]
        return permanent.contains(answer.load(ordering: .acquiring))
    }

    private func startThread() -> Bool {
        var attributes = pthread_attr_t()
        guard unsafe pthread_attr_init(&attributes) == 0 else { return false }
        defer { unsafe pthread_attr_destroy(&attributes) }
        unsafe pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        unsafe pthread_attr_setstacksize(&attributes, 256 << 10)
        // The thread holds the check until it has answered.
        let user = unsafe Unmanaged.passRetained(self)
        var thread = pthread_t()
        // Signals are for the thread that runs the loop.
        var (all, before) = (sigset_t(), sigset_t())
        unsafe sigfillset(&all)
        unsafe pthread_sigmask(SIG_BLOCK, &all, &before)
        let result = unsafe pthread_create(&thread, &attributes, askResolver, user.toOpaque())
        unsafe pthread_sigmask(SIG_SETMASK, &before, nil)
        if result != 0 { unsafe user.release() }
        return result == 0
    }

    fileprivate func ask() {
        var hints = unsafe addrinfo()
        unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        let result = unsafe getaddrinfo(name, nil, &hints, &list)
        if result == 0, let list = unsafe list { unsafe freeaddrinfo(list) }
        answer.store(result, ordering: .releasing)
        wakeHandle.wake()
    }
}

private func askResolver(_ user: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    if let user = unsafe user { unsafe Unmanaged<NameCheck>.fromOpaque(user).takeRetainedValue().ask() }
    return nil
}
