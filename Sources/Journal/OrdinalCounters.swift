// Which of several equal requests of a run one is.

internal import Base
internal import Chat

/// Counts equal requests and steps of equal names, by run.
struct OrdinalCounters {
    private var counts: [UInt64: [[UInt8]: Int]] = [:]
    /// Places of requests that have failed, by run.
    private var free: [UInt64: [[UInt8]: [Int]]] = [:]

    /// The place of the next request with that identity.
    mutating func place(of identity: RequestIdentity, run: UInt64, isShared: Bool = false) -> RequestRecord.Place {
        let digest = SHA256.digest(of: identity.bytes)
        if isShared { return RequestRecord.Place(digest: digest, ordinal: 0) }
        return RequestRecord.Place(digest: digest, ordinal: next(digest, run: run))
    }

    /// The number of the next use of a key, from 0.
    private mutating func next(_ key: [UInt8], run: UInt64) -> Int {
        if var released = free[run]?[key] {
            let least = released.removeFirst()
            free[run]?[key] = released.isEmpty ? nil : released
            return least
        }
        let ordinal = counts[run]?[key] ?? 0
        counts[run, default: [:]][key] = ordinal + 1
        return ordinal
    }

    /// Gives a place to the next equal request.
    mutating func release(_ place: RequestRecord.Place, run: UInt64) {
        // Not of one that all equal requests share, nor of a run that has ended.
        guard let count = counts[run]?[place.digest], place.ordinal < count else { return }
        var released = free[run]?[place.digest] ?? []
        released.insert(place.ordinal, at: released.firstIndex { $0 > place.ordinal } ?? released.endIndex)
        free[run, default: [:]][place.digest] = released
    }

    mutating func remove(run: UInt64) {
        counts[run] = nil
        free[run] = nil
    }
}
