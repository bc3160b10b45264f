// Finds out why a name lookup failed: no such name, or a failed resolver. libcurl reports both alike, and only the
// second may be retried. Runs after a failure, on its own thread, since getaddrinfo blocks.

internal import CCurl
internal import Glibc
internal import Synchronization

/// One query to the system's resolver.
@safe final class NameCheck: Sendable {
    /// Maximum delay of a failure report, in seconds.
    static let patience = 2.0

    let name: String
    private let wakeHandle: WakeHandle
    /// Result of getaddrinfo; `pending` before it.
    private let answer = Atomic<Int32>(pending)
    private static let pending = Int32.min

    /// Starts the query; wakes the handle when the result is there.
    init(_ name: String, waking wakeHandle: WakeHandle) {
        self.name = name
        self.wakeHandle = wakeHandle
        // curl encodes an international name (IDNA); this getaddrinfo call does not.
        let isASCII = name.utf8.allSatisfy { $0 < 0x80 }
        if !isASCII || !startThread() { answer.store(EAI_AGAIN, ordering: .releasing) }
    }

    var isAnswered: Bool { answer.load(ordering: .acquiring) != Self.pending }

    /// Whether the resolver reports that the name does not exist or has no address. Other results, and none, may be
    /// temporary.
    var hasNoAddress: Bool {
        // glibc returns EAI_NODATA and EAI_ADDRFAMILY for a name with other records.
        let permanent: [Int32] = [EAI_NONAME, -5, -9]
        return permanent.contains(answer.load(ordering: .acquiring))
    }

    private func startThread() -> Bool {
        var attributes = pthread_attr_t()
        guard unsafe pthread_attr_init(&attributes) == 0 else { return false }
        defer { unsafe pthread_attr_destroy(&attributes) }
        unsafe pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        unsafe pthread_attr_setstacksize(&attributes, 256 << 10)
        // The thread retains the check until it has answered.
        let user = unsafe Unmanaged.passRetained(self)
        var thread = pthread_t()
        // Signals belong to the thread that runs the loop.
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
