// A value behind a lock, for servers on threads.

internal import Foundation

/// A locked value. Uses a pthread mutex: the thread sanitizer does not see the futex of `Synchronization.Mutex` on
/// Linux and reports false races.
public final class Locked<Value>: @unchecked Sendable {  // every access to `value` holds `lock`
    private let lock = NSLock()
    private var value: Value

    /// Guards `value`.
    public init(_ value: sending Value) { self.value = value }

    /// Runs `body` with exclusive access to the value.
    public func withLock<Result>(_ body: (inout Value) throws -> Result) rethrows -> Result {
        lock.lock()
        defer { lock.unlock() }
        return try body(&value)
    }
}
