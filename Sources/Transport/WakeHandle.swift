// Wakes `Multi.turn` from another thread or a signal handler. The only Sendable type of this module.

internal import CCurl
internal import Glibc

/// Wakes a waiting `Multi`. May outlive it; then it has no effect.
package final class WakeHandle: Sendable {
    /// The eventfd, for a C signal handler that writes the 8-byte number 1 to it. Valid as long as this handle lives.
    package let descriptor: Int32

    init() throws(TransportError) {
        descriptor = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))
        guard descriptor >= 0 else { throw .system("eventfd", errno) }
    }

    deinit { close(descriptor) }

    /// Ends the wait of the current or the next turn. Several wakes before a turn count once. Async-signal-safe: one
    /// `write`, no lock, no allocation, errno preserved.
    package func wake() {
        let before = errno
        var one: UInt64 = 1
        // EAGAIN: the counter is full, so a wake is pending.
        _ = unsafe write(descriptor, &one, 8)
        errno = before
    }

    /// Clears past wakes.
    func drain() {
        var count: UInt64 = 0
        _ = unsafe read(descriptor, &count, 8)
    }
}

extension TransportError {
    /// A failed system call.
    static func system(_ call: String, _ number: Int32) -> TransportError {
        let code: Code = number == EMFILE || number == ENFILE ? .tooManyDescriptors : .other
        let reason = unsafe strerror(number).map { unsafe String(cString: $0) } ?? "error \(number)"
        return TransportError(code, "\(call): \(reason)")
    }
}
