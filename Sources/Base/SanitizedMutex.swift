// A mutex for sanitizer builds. Synchronization's `Mutex` waits by a futex in a library that is not instrumented, so
// the thread sanitizer reports false races.

#if SANITIZED
    internal import Dispatch

    /// Shadows Synchronization's `Mutex`.
    final class Mutex<Value>: @unchecked Sendable {  // every access to `value` lies between wait and signal
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
