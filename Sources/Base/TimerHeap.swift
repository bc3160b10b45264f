// A heap of deadlines, for the engine's requests and the script's sleeping tasks. Reads no clock.

public import HeapModule

/// Entries ordered by deadline. Entries with the same deadline are removed in the order of insertion. Single entries
/// cannot be removed: the owner recognizes a stale entry when it is removed, and ignores it.
///
/// Public and inlinable, so that other modules specialize it: unspecialized, a push costs thousands of instructions.
public struct TimerHeap<Payload> {
    @usableFromInline
    struct Entry: Comparable {
        @usableFromInline let deadline: Double
        @usableFromInline let order: UInt64
        @usableFromInline let payload: Payload

        @inlinable
        init(deadline: Double, order: UInt64, payload: Payload) {
            self.deadline = deadline
            self.order = order
            self.payload = payload
        }

        @inlinable
        static func < (a: Entry, b: Entry) -> Bool {
            a.deadline != b.deadline ? a.deadline < b.deadline : a.order < b.order
        }

        @inlinable
        static func == (a: Entry, b: Entry) -> Bool { a.order == b.order }
    }

    @usableFromInline var entries = Heap<Entry>()
    @usableFromInline var nextOrder: UInt64 = 0

    @usableFromInline var earliest: Double?

    /// The earliest deadline. Cached, because every turn of a loop reads it.
    @inlinable public var nextDeadline: Double? { earliest }

    /// An empty heap.
    @inlinable
    public init() {}

    /// Whether the earliest entry is due.
    @inlinable
    public func isDue(now: Double) -> Bool { earliest.map { $0 <= now } ?? false }

    /// The number of entries, stale ones included.
    @inlinable
    public var count: Int { entries.count }

    /// True without entries.
    @inlinable
    public var isEmpty: Bool { entries.isEmpty }

    /// The earliest entry, without removing it.
    @inlinable
    public var next: (deadline: Double, payload: Payload)? { entries.min.map { ($0.deadline, $0.payload) } }

    /// Adds an entry, in O(log n). A deadline of NaN is due at once.
    @inlinable
    public mutating func push(_ payload: Payload, at deadline: Double) {
        let deadline = deadline.isNaN ? -.infinity : deadline
        entries.insert(Entry(deadline: deadline, order: nextOrder, payload: payload))
        nextOrder &+= 1
        earliest = min(deadline, earliest ?? .infinity)
    }

    /// Removes and returns the earliest entry if its deadline is not after `now`.
    @inlinable
    public mutating func popDue(now: Double) -> (deadline: Double, payload: Payload)? {
        guard isDue(now: now), let first = entries.popMin() else { return nil }
        earliest = entries.min?.deadline
        return (first.deadline, first.payload)
    }

    /// Removes every entry for which `isStale` is true, in O(n). For owners whose stale entries accumulate.
    @inlinable
    public mutating func removeAll(where isStale: (_ deadline: Double, _ payload: Payload) -> Bool) {
        entries = Heap(entries.unordered.filter { !isStale($0.deadline, $0.payload) })
        earliest = entries.min?.deadline
    }
}
