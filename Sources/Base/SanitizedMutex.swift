// A mutex for sanitizer builds. The thread sanitizer does not see the futex calls of Synchronization's `Mutex`, which
// is not instrumented, and reports false races.

#if SANITIZED
    internal import Dispatch

    /// Replaces Synchronization's `Mutex` by the same name. The compiler cannot check that it is Sendable: `value` is
    /// accessed only between `wait` and `signal` of the semaphore.
    final class Mutex<Value>: @unchecked Sendable {  // `turn` guards `value`
        private let turn = DispatchSemaphore(value: 1)
        private var value: Value

        init(_ value: sending Value) { self.value = value }

        func withLock<Answer, Failure: Error>(
            _ body: (inout Value) throws(Failure) -> Answer
        ) throws(Failure) -> Answer {
            turn.wait()
            defer { turn.signal() }
            return try body(&value)
        }
    }
#endif
