// What the threads of a store report to a client on another thread.

internal import Base
internal import Chat
internal import Synchronization

/// Reports for one broker. Writing wakes the broker's thread.
final class JournalInbox: Sendable {
    enum Report: Sendable {
        /// What has the number is on the disk.
        case recorded(UInt64)
        /// What has the number could not be written.
        case lost(UInt64, StoreError)
        /// The answer to a look-up of a request.
        case answered(UInt64, LookUp.Answer)
        /// The answer to a look-up of a step: its result, or nil, with a warning if the record is damaged.
        case step(UInt64, [UInt8]?, warning: String?)
        /// The record of a step cannot be read.
        case stepFailed(UInt64, StoreError)
    }

    private let reports = Mutex<[Report]>([])
    /// Whether there may be reports: read without the lock.
    private let hasReports = Atomic<Bool>(false)
    private let wake: @Sendable () -> Void

    init(wake: @escaping @Sendable () -> Void) { self.wake = wake }

    func add(_ report: Report) { add([report]) }

    func add(_ new: [Report]) {
        guard !new.isEmpty else { return }
        reports.withLock { $0 += new }
        hasReports.store(true, ordering: .releasing)
        wake()
    }

    var isEmpty: Bool { !hasReports.load(ordering: .acquiring) }

    /// Removes and returns the reports, oldest first.
    func take() -> [Report] {
        guard hasReports.exchange(false, ordering: .acquiringAndReleasing) else { return [] }
        return reports.withLock { reports in
            defer { reports = [] }
            return reports
        }
    }
}
