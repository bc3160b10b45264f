// A heap of deadlines, for the engine's requests and the script's sleeping tasks. Reads no clock.

internal import HeapModule

/// Entries ordered by deadline. Entries with the same deadline are removed in the order of insertion. Single entries
/// cannot be removed: the owner recognizes a stale entry when it is removed, and ignores it.
package struct TimerHeap<Payload> {
    private struct Entry: Comparable {
        let deadline: Double
        let order: UInt64
        let payload: Payload

        static func < (a: Entry, b: Entry) -> Bool {
            a.deadline != b.deadline ? a.deadline < b.deadline : a.order < b.order
        }

        static func == (a: Entry, b: Entry) -> Bool { a.order == b.order }
    }

    private var entries = Heap<Entry>()
    private var nextOrder: UInt64 = 0

    /// The earliest deadline. Cached, because every turn of a loop reads it.
    package private(set) var nextDeadline: Double?

    /// An empty heap.
    package init() {}

    /// Whether the earliest entry is due. To be asked before ``popDue(now:)`` in loops: other modules call that one
    /// unspecialized, which costs hundreds of instructions.
    package func isDue(now: Double) -> Bool { nextDeadline.map { $0 <= now } ?? false }

    /// The number of entries, stale ones included.
    package var count: Int { entries.count }

    /// True without entries.
    package var isEmpty: Bool { entries.isEmpty }

    /// The earliest entry, without removing it.
    package var next: (deadline: Double, payload: Payload)? { entries.min.map { ($0.deadline, $0.payload) } }

    /// Adds an entry, in O(log n). A deadline of NaN is due at once.
    package mutating func push(_ payload: Payload, at deadline: Double) {
        let deadline = deadline.isNaN ? -.infinity : deadline
        entries.insert(Entry(deadline: deadline, order: nextOrder, payload: payload))
        nextOrder &+= 1
        nextDeadline = min(deadline, nextDeadline ?? .infinity)
    }

    /// Removes and returns the earliest entry if its deadline is not after `now`.
    package mutating func popDue(now: Double) -> (deadline: Double, payload: Payload)? {
        guard isDue(now: now), let first = entries.popMin() else { return nil }
        nextDeadline = entries.min?.deadline
        return (first.deadline, first.payload)
    }

    /// Removes every entry for which `isStale` is true, in O(n). For owners whose stale entries accumulate.
    package mutating func removeAll(where isStale: (_ deadline: Double, _ payload: Payload) -> Bool) {
        entries = Heap(entries.unordered.filter { !isStale($0.deadline, $0.payload) })
        nextDeadline = entries.min?.deadline
    }
}
