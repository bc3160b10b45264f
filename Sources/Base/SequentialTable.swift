// Values by numbers that count up. For the tables of requests and transfers, which are read with every delta.

public import DequeModule

/// Values by numbers that are given out in ascending order, as the ids of requests are.
///
/// A look-up is an index into a queue of the recent numbers, and hashes nothing. Values that outlive many later ones move to a
/// dictionary: after an insertion the queue has at most 65 places more than twice its values.
///
/// Public and inlinable, so that other modules specialize it.
public struct SequentialTable<Value> {
    /// The values from the number `first` on; nil for those that were removed.
    @usableFromInline var recent = Deque<Value?>()
    @usableFromInline var first: UInt64 = 0
    /// Values with lower numbers.
    @usableFromInline var old: [UInt64: Value] = [:]
    /// Number of values in `recent`.
    @usableFromInline var recentCount = 0

    /// An empty table.
    @inlinable
    public init() {}

    /// Number of values.
    @inlinable
    public var count: Int { recentCount + old.count }

    /// True without values.
    @inlinable
    public var isEmpty: Bool { count == 0 }

    /// The value of a number; setting nil removes it.
    @inlinable
    public subscript(number: UInt64) -> Value? {
        get {
            if number >= first, number - first < UInt64(recent.count) { return recent[Int(number - first)] }
            return old.isEmpty ? nil : old[number]
        }
        set {
            if let newValue { insert(newValue, number) } else { remove(number) }
        }
    }

    /// All values: the old ones in any order, then the recent ones by number.
    @inlinable
    public var values: [Value] {
        var values = Array(old.values)
        values.reserveCapacity(count)
        for case let value? in recent { values.append(value) }
        return values
    }

    /// Whether a value satisfies the predicate.
    @inlinable
    public func contains(where predicate: (Value) -> Bool) -> Bool {
        for case let value? in recent where predicate(value) { return true }
        return !old.isEmpty && old.values.contains(where: predicate)
    }

    /// Removes all values.
    @inlinable
    public mutating func removeAll() { self = SequentialTable() }

    @inlinable
    mutating func insert(_ value: Value, _ number: UInt64) {
        if recentCount == 0, number > first {
            recent.removeAll(keepingCapacity: true)
            first = number
        }
        guard number >= first else {
            old[number] = value
            return
        }
        // The queue has a place for each number, also for those that are not in use.
        if number - first > UInt64(2 * recentCount + 64) { retire(before: number) }
        let index = Int(number - first)
        while recent.count <= index { recent.append(nil) }
        if recent[index] == nil { recentCount += 1 }
        recent[index] = value
    }

    @inlinable
    mutating func remove(_ number: UInt64) {
        guard number >= first, number - first < UInt64(recent.count) else {
            old[number] = nil
            return
        }
        let index = Int(number - first)
        guard recent[index] != nil else { return }
        recent[index] = nil
        recentCount -= 1
        // The last place stays: after the largest number there is none.
        while recent.count > 1, let head = recent.first, head == nil {
            recent.removeFirst()
            first += 1
        }
    }

    /// Moves all values to the dictionary. The queue then begins at `number`.
    @inlinable
    mutating func retire(before number: UInt64) {
        for (index, value) in recent.enumerated() {
            if let value { old[first + UInt64(index)] = value }
        }
        recent.removeAll(keepingCapacity: true)
        recentCount = 0
        first = number
    }
}

extension SequentialTable: Sendable where Value: Sendable {}
