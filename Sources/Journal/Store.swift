// The store: one SQLite file for the requests of all runs.

internal import Base
internal import Chat
internal import Dispatch
internal import JSON
internal import SQLite
internal import Synchronization

/// A store, used by the brokers of this process and by other processes at the same time. Two queues do all its work, one
/// for writing and one for looking up, so that no caller waits for the disk except in `flush` and `beginJob`.
package final class Store: Sendable {
    /// The file.
    package let path: String
    let writer: StoreWriter
    let reader: StoreReader
    private let nextNumber = Atomic<UInt64>(1)

    /// A store in a file, which is opened or made on first use.
    /// - Parameters:
    ///   - vfs: SQLite's file system; nil for that of the system. For tests.
    ///   - retryDelay: seconds before the second attempt of a transaction that has failed; twice that before the third.
    ///   - onFailure: called once if records cannot be written that nobody waits for, with the reason. On a queue of the
    ///     store.
    package init(
        path: String, vfs: String? = nil, retryDelay: Double = 0.02,
        onFailure: @escaping @Sendable (StoreError) -> Void = { _ in }
    ) {
        self.path = path
        writer = StoreWriter(StoreConnection(path: path, vfs: vfs, retryDelay: retryDelay), onFailure: onFailure)
        reader = StoreReader(StoreConnection(path: path, vfs: vfs, access: .existing, retryDelay: retryDelay))
    }

    /// A number for a run or a request, unique in this process.
    func makeNumber() -> UInt64 { nextNumber.add(1, ordering: .relaxed).oldValue }

    /// Waits until everything that was given to the store so far is written, or is lost and reported.
    package func flush() { writer.flush() }

    /// Writes what waits and closes the file.
    package func close() {
        writer.close()
        reader.close()
    }
}
