// A file descriptor that is closed once.

internal import Glibc

/// Owns one descriptor.
struct Descriptor: ~Copyable {
    let raw: Int32

    /// Takes the result of a system call; a negative result becomes an error with the name of the call.
    init(_ result: Int32, from call: String) throws(TransportError) {
        guard result >= 0 else { throw .system(call, errno) }
        raw = result
    }

    deinit { close(raw) }

    /// Whether the process or the system is out of descriptors: curl does not report that.
    var noneIsLeft: Bool {
        let probe = fcntl(raw, F_DUPFD_CLOEXEC, 0)
        guard probe >= 0 else { return errno == EMFILE || errno == ENFILE }
        close(probe)
        return false
    }
}
