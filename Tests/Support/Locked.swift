// A value behind a lock, for tests whose servers run on threads. For tests only.

internal import Foundation

/// A value that only one thread touches at a time. Unlike `Synchronization.Mutex`, whose futex the thread sanitizer
/// does not see on Linux (it then reports races that are none), this one rests on a pthread mutex.
public final class Locked<Value>: @unchecked Sendable {  // every access to `value` holds `lock`
    private let lock = NSLock()
    private var value: Value

    /// Guards `value`.
    public init(_ value: sending Value) { self.value = value }

    /// Runs `body` alone with the value.
    public func withLock<Result>(_ body: (inout Value) throws -> Result) rethrows -> Result {
        lock.lock()
        defer { lock.unlock() }
        return try body(&value)
    }
}
