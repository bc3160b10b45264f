// Operations of the disk fail while a job runs: no reply without a record, and the store opens again.

import CFaultVFS
import Chat
import Foundation
import Testing

@testable import Journal

@Suite struct DiskFaultTests {
    private static let count = 5

    /// Runs five requests; the first failing operation is the one with that number.
    /// - Returns: what the script got, or nil if the job could not begin.
    private static func run(_ folder: StoreFolder, vfs: String) -> [[ChatEvent]]? {
        guard let run = try? JournaledRun(folder, vfs: vfs) else { return nil }
        let events = (1...count).map { run.ask("question \($0)") }
        run.end()
        return events
    }

    /// Without faults, the replies of an earlier run that the store has.
    private static func recorded(_ folder: StoreFolder, vfs: String) throws -> [Int: String] {
        fvfs_reset(vfs)
        let run = try JournaledRun(folder, vfs: vfs)
        var found: [Int: String] = [:]
        for number in 1...count {
            let before = run.inner.started.count
            let text = JournaledRun.text(run.ask("question \(number)"))
            guard run.inner.started.count == before else { continue }
            found[number] = text
        }
        run.end()
        return found
    }

    @Test(arguments: [FVFS_OPEN, FVFS_WRITE, FVFS_SYNC, FVFS_TRUNCATE], [false, true])
    func noReplyComesWithoutARecord(operation: fvfs_operation, isForGood: Bool) throws {
        let vfs = "journal-\(operation.rawValue)-\(isForGood)"
        #expect(fvfs_register(vfs) == 0)
        fvfs_reset(vfs)
        let whole = StoreFolder()
        #expect(Self.run(whole, vfs: vfs)?.map(JournaledRun.text).contains("failed") == false)
        let total = Int(fvfs_count(vfs, operation))
        let errors = operation == FVFS_WRITE ? [FVFS_EIO, FVFS_ENOSPC, FVFS_SHORT_WRITE, FVFS_TORN_WRITE] : [FVFS_EIO]
        for number in 1...max(1, total) {
            for error in errors {
                let folder = StoreFolder()
                fvfs_reset(vfs)
                fvfs_fail(vfs, operation, Int32(number), error, isForGood)
                let events = Self.run(folder, vfs: vfs)
                let recorded = try Self.recorded(folder, vfs: vfs)
                for (index, events) in (events ?? []).enumerated() {
                    switch events.last {
                    case .finish(let reply): #expect(recorded[index + 1] == reply.text, "operation \(number)")
                    case .failed(let failure):
                        #expect(failure.kind == .journal && failure.message.contains(folder.path))
                    default: Issue.record("operation \(number): no end")
                    }
                }
            }
        }
    }
}
