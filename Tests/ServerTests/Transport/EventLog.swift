// What happened on the server's thread, in order, for a test that waits for it.

import Foundation

final class EventLog: @unchecked Sendable {  // every access to `events` holds `condition`
    private let condition = NSCondition()
    private var events: [String] = []

    struct NotSeen: Error, CustomStringConvertible {
        let description: String
    }

    var all: [String] {
        condition.lock()
        defer { condition.unlock() }
        return events
    }

    func count(_ event: String) -> Int { all.count { $0 == event } }

    func add(_ event: String) {
        condition.lock()
        events.append(event)
        condition.broadcast()
        condition.unlock()
    }

    /// Waits until the event has come `count` times.
    func wait(for event: String, count: Int = 1) throws {
        condition.lock()
        defer { condition.unlock() }
        let deadline = Date.now + 60
        while events.count(where: { $0 == event }) < count {
            guard condition.wait(until: deadline) else {
                throw NotSeen(description: "\(event) has not come \(count) times: \(events)")
            }
        }
    }
}
