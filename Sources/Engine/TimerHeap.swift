// A binary heap of deadlines. Used for the engine's request timers and for the scheduler's sleeps. Knows no clock:
// the caller says what time it is.

/// Entries ordered by deadline; entries of one deadline come out in the order they went in. There is no removal from
/// the middle: an owner that has lost interest recognises its stale entry when it comes out and ignores it.
package struct TimerHeap<Payload> {
    private struct Entry {
        var deadline: Double
        var order: UInt64
        var payload: Payload

        func isBefore(_ other: Entry) -> Bool {
            deadline != other.deadline ? deadline < other.deadline : order < other.order
        }
    }

    private var entries: [Entry] = []
    private var nextOrder: UInt64 = 0

    /// An empty heap.
    package init() {}

    /// How many entries there are, stale ones included.
    package var count: Int { entries.count }

    /// True when there is none.
    package var isEmpty: Bool { entries.isEmpty }

    /// The earliest deadline.
    package var nextDeadline: Double? { entries.first?.deadline }

    /// The earliest entry, left in place: lets an owner see whether it has gone stale.
    package var next: (deadline: Double, payload: Payload)? { entries.first.map { ($0.deadline, $0.payload) } }

    /// Adds an entry, in O(log n). A deadline that is not a number counts as now.
    package mutating func push(_ payload: Payload, at deadline: Double) {
        entries.append(Entry(deadline: deadline.isNaN ? -.infinity : deadline, order: nextOrder, payload: payload))
        nextOrder &+= 1
        var child = entries.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard entries[child].isBefore(entries[parent]) else { break }
            entries.swapAt(child, parent)
            child = parent
        }
    }

    /// Removes and returns the earliest entry if its deadline is not after `now`.
    package mutating func popDue(now: Double) -> (deadline: Double, payload: Payload)? {
        guard let first = entries.first, first.deadline <= now else { return nil }
        removeFirst()
        return (first.deadline, first.payload)
    }

    /// Removes every entry for which `isStale` is true, in O(n). For owners whose stale entries pile up.
    package mutating func removeAll(where isStale: (_ deadline: Double, _ payload: Payload) -> Bool) {
        var kept = TimerHeap()
        for entry in entries where !isStale(entry.deadline, entry.payload) { kept.entries.append(entry) }
        kept.nextOrder = nextOrder
        for root in stride(from: kept.entries.count / 2 - 1, through: 0, by: -1) { kept.sink(root) }
        self = kept
    }

    private mutating func removeFirst() {
        let last = entries.removeLast()
        guard !entries.isEmpty else { return }
        entries[0] = last
        sink(0)
    }

    private mutating func sink(_ start: Int) {
        var parent = start
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < entries.count {
                if entries[child].isBefore(entries[least]) { least = child }
            }
            guard least != parent else { return }
            entries.swapAt(parent, least)
            parent = least
        }
    }
}
