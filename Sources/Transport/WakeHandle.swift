// Ends a wait of `Multi.turn` from outside its thread: another thread, or a signal handler.
// The one Sendable thing in this room. It owns an eventfd and never touches curl.

internal import CCurl
internal import Glibc

/// Wakes a `Multi` that waits. May outlive it: waking then does nothing.
package final class WakeHandle: Sendable {
    /// The eventfd itself, for a C signal handler that writes eight bytes (the number 1) to it.
    /// Valid as long as this handle lives.
    package let descriptor: Int32

    init() throws(TransportError) {
        descriptor = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))
        guard descriptor >= 0 else { throw .system("eventfd", errno) }
    }

    deinit { close(descriptor) }

    /// Makes the turn under way, or the next, return without waiting. Wakes before a turn count once.
    /// Safe in a signal handler: one `write`, no lock, no allocation, errno as before.
    package func wake() {
        let before = errno
        var one: UInt64 = 1
        // A full counter (EAGAIN) means a wake is pending already.
        _ = unsafe write(descriptor, &one, 8)
        errno = before
    }

    /// Forgets the wakes so far.
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
