// A file descriptor that is closed once, by its owner's end. For this room alone.

internal import Glibc

/// Owns one descriptor.
struct Descriptor: ~Copyable {
    let raw: Int32

    /// Takes the result of a system call that opens one; a negative result becomes an error named after the call.
    init(_ result: Int32, from call: String) throws(TransportError) {
        guard result >= 0 else { throw .system(call, errno) }
        raw = result
    }

    deinit { close(raw) }

    /// Whether the process or the system is out of descriptors just now: curl does not say so itself.
    var noneIsLeft: Bool {
        let probe = fcntl(raw, F_DUPFD_CLOEXEC, 0)
        guard probe >= 0 else { return errno == EMFILE || errno == ENFILE }
        close(probe)
        return false
    }
}
