// Suggests names for "Did you mean ...?" messages.

/// Finds the known name that is most similar to an unknown one.
package enum NearestName {
    /// The most similar candidate, ignoring case, if at most a third of its letters differ (two letters for short
    /// names) but not all. The first one of several with the same distance.
    package static func suggestion(for name: String, among candidates: some Sequence<String>) -> String? {
        let wanted = Array(name.lowercased().unicodeScalars)
        guard !wanted.isEmpty, wanted.count <= 64 else { return nil }
        var best: (name: String, distance: Int)?
        for candidate in candidates {
            let letters = Array(candidate.lowercased().unicodeScalars)
            let limit = max(2, max(letters.count, wanted.count) / 3)
            guard abs(letters.count - wanted.count) <= limit else { continue }
            let found = distance(wanted, letters)
            guard found <= limit, found < min(letters.count, wanted.count) else { continue }
            if best.map({ found < $0.distance }) ?? true { best = (candidate, found) }
        }
        return best?.name
    }

    /// Optimal string alignment distance (Damerau-Levenshtein).
    package static func distance(_ a: some Collection<Unicode.Scalar>, _ b: some Collection<Unicode.Scalar>) -> Int {
        let a = Array(a)
        let b = Array(b)
        var beforeLast: [Int] = []
        var last = Array(0...b.count)
        for i in a.indices {
            var row = [i + 1]
            row.reserveCapacity(b.count + 1)
            for j in b.indices {
                let substitution = last[j] + (a[i] == b[j] ? 0 : 1)
                var cost = min(substitution, last[j + 1] + 1, row[j] + 1)
                if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { cost = min(cost, beforeLast[j - 1] + 1) }
                row.append(cost)
            }
            (beforeLast, last) = (last, row)
        }
        return last[b.count]
    }
}
