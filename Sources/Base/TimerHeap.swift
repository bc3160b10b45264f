// A heap of deadlines, for the engine's requests and the script's sleeping tasks. It reads no clock.

internal import HeapModule

/// Entries ordered by deadline; entries of one deadline come out in the order they went in. There is no removal from the
/// middle: an owner recognises a stale entry when it comes out, and ignores it.
package struct TimerHeap<Payload> {
    private struct Entry: Comparable {
        var deadline: Double
        var order: UInt64
        var payload: Payload

        static func < (a: Entry, b: Entry) -> Bool {
            a.deadline != b.deadline ? a.deadline < b.deadline : a.order < b.order
        }

        static func == (a: Entry, b: Entry) -> Bool { a.order == b.order }
    }

    private var entries = Heap<Entry>()
    private var nextOrder: UInt64 = 0

    /// The earliest deadline. Kept beside the heap, as every turn of a loop asks for it.
    package private(set) var nextDeadline: Double?

    /// An empty heap.
    package init() {}

    /// The number of entries, stale ones included.
    package var count: Int { entries.count }

    /// True when there is none.
    package var isEmpty: Bool { entries.isEmpty }

    /// The earliest entry, left in place.
    package var next: (deadline: Double, payload: Payload)? { entries.min.map { ($0.deadline, $0.payload) } }

    /// Adds an entry, in O(log n). A deadline of NaN counts as now.
    package mutating func push(_ payload: Payload, at deadline: Double) {
        let deadline = deadline.isNaN ? -.infinity : deadline
        entries.insert(Entry(deadline: deadline, order: nextOrder, payload: payload))
        nextOrder &+= 1
        nextDeadline = min(deadline, nextDeadline ?? .infinity)
    }

    /// Removes and returns the earliest entry if its deadline is not after `now`.
    package mutating func popDue(now: Double) -> (deadline: Double, payload: Payload)? {
        guard let nextDeadline, nextDeadline <= now, let first = entries.popMin() else { return nil }
        self.nextDeadline = entries.min?.deadline
        return (first.deadline, first.payload)
    }

    /// Removes every entry for which `isStale` is true, in O(n). For owners whose stale entries pile up.
    package mutating func removeAll(where isStale: (_ deadline: Double, _ payload: Payload) -> Bool) {
        entries = Heap(entries.unordered.filter { !isStale($0.deadline, $0.payload) })
        nextDeadline = entries.min?.deadline
    }
}
