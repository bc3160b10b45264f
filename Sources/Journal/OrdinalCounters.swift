// Which of several equal requests of a run one is.

internal import Base
internal import Chat

/// Counts equal requests and steps of equal names, by run.
struct OrdinalCounters {
    private var counts: [UInt64: [[UInt8]: Int]] = [:]

    /// The place of the next request with that identity.
    mutating func place(of identity: RequestIdentity, run: UInt64, isShared: Bool = false) -> RequestRecord.Place {
        let digest = SHA256.digest(of: identity.bytes)
        if isShared { return RequestRecord.Place(digest: digest, ordinal: 0) }
        return RequestRecord.Place(digest: digest, ordinal: next(digest, run: run))
    }

    /// The number of the next use of a key, from 0.
    mutating func next(_ key: [UInt8], run: UInt64) -> Int {
        let ordinal = counts[run]?[key] ?? 0
        counts[run, default: [:]][key] = ordinal + 1
        return ordinal
    }

    mutating func remove(run: UInt64) { counts[run] = nil }
}
