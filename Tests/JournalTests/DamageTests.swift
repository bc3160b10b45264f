// A store that is cut or has a flipped bit gives no wrong reply.

import Chat
import Foundation
import Support
import Testing

@testable import Journal

@Suite struct DamageTests {
    private static let count = 5
    /// Long replies, so that damage meets them.
    private static let suffix = (1...1000).map { " \($0)" }.joined()

    /// A store with five requests of a job that is not finished, in one file.
    private static func recorded() throws -> (folder: StoreFolder, bytes: Data) {
        let folder = StoreFolder()
        let run = try JournaledRun(folder)
        run.inner.suffix = suffix
        for number in 1...count { _ = run.ask("question \(number)") }
        run.end()
        try folder.checkpoint()
        return (folder, try Data(contentsOf: URL(fileURLWithPath: folder.path)))
    }

    /// Asks the same again of a damaged copy.
    private static func check(_ bytes: Data, _ what: String) throws {
        let folder = StoreFolder()
        try folder.write(bytes)
        // A store that cannot be opened is named.
        let run: JournaledRun
        do { run = try JournaledRun(folder) } catch let error as StoreError {
            #expect(error.message.contains(folder.path), "\(what)")
            return
        }
        run.inner.suffix = suffix
        for number in 1...count {
            let before = run.inner.started.count
            let events = run.ask("question \(number)")
            switch events.last {
            case .finish(let reply):
                // From the store, or asked again.
                let asked = run.inner.started.count > before
                #expect(reply.text == "reply to \(asked ? before + 1 : number)\(suffix)", "\(what)")
            case .failed(let failure): #expect(failure.kind == .journal, "\(what)")
            default: Issue.record("\(what): no end")
            }
        }
        run.end()
    }

    @Test func aCutStoreGivesNoWrongReply() throws {
        let (_, bytes) = try Self.recorded()
        for end in stride(from: 0, to: bytes.count, by: 4096) { try Self.check(bytes.prefix(end), "cut at \(end)") }
    }

    @Test func aFlippedBitGivesNoWrongReply() throws {
        let (_, bytes) = try Self.recorded()
        var generator = SeededGenerator(seed: 19)
        for _ in 1...500 {
            var damaged = bytes
            let place = Int.random(in: 0..<bytes.count, using: &generator)
            let bit = UInt8.random(in: 0..<8, using: &generator)
            damaged[damaged.startIndex + place] ^= 1 << bit
            try Self.check(damaged, "bit \(bit) of byte \(place)")
        }
    }
}
