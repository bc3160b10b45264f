// In the sanitizers' builds alone: a mutex that the thread sanitizer can see, under the name of the one that it cannot.
// Synchronization's takes a contended lock by a futex in a library that is not instrumented, and what it guards then
// looks like a race.

#if SANITIZED
    internal import Dispatch

    /// Stands in for Synchronization's `Mutex`, which it hides.
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
