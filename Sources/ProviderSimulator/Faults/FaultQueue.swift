// Assigns the faults of a plan to requests. One a server; used on its event loop alone.

/// The faults of one request.
struct ActiveFaults {
    var status: Fault.Kind?
    /// Where and how the body is cut.
    var cut: (at: Int, ending: Ending)?
    var promisesMore = false
    var stalls: [(at: Int, seconds: Double)] = []
    var slowHead: Double?
    var drip: Int?
    var splitsUTF8 = false
    var comments: Double?
    var errorFrame: Int?
    var badJSON: Int?
    var omitsDone = false
    var omitsFinish = false
    var whole = false
    var page: Page?

    enum Ending { case reset, close, closeInsideChunk }
    enum Page { case garbage, html, empty }

    /// Whether FaultyBodyWriter writes the body.
    var shapesBody: Bool { cut != nil || promisesMore || !stalls.isEmpty || drip != nil || splitsUTF8 }

    mutating func add(_ kind: Fault.Kind) {
        switch kind {
        case .status, .quota: status = kind
        case .cut(let at): cut = (at, .reset)
        case .eof(let at): cut = (at, .close)
        case .chunkCut(let at): cut = (at, .closeInsideChunk)
        case .shortLength(let at): (cut, promisesMore) = ((at, .close), true)
        case .stall(let at, let seconds): stalls.append((at, seconds))
        case .slowHead(let seconds): slowHead = seconds
        case .drip(let bytes): drip = bytes
        case .splitUTF8: splitsUTF8 = true
        case .comments(let seconds): comments = seconds
        case .errorFrame(let after): errorFrame = after
        case .badJSON(let after): badJSON = after
        case .noDone: omitsDone = true
        case .noFinish: omitsFinish = true
        case .whole: whole = true
        case .garbage: page = .garbage
        case .html: page = .html
        case .empty: page = .empty
        }
    }
}

struct FaultQueue {
    private var left: [Fault]

    init(_ plan: FaultPlan) { left = plan.faults }

    /// The faults of the next request for a reply: the first unused status fault alone, or all others.
    mutating func next() -> ActiveFaults {
        var active = ActiveFaults()
        if let index = left.firstIndex(where: { $0.isStatus && $0.times != 0 }) {
            active.add(left[index].kind)
            left[index].times = left[index].times.map { $0 - 1 }
            return active
        }
        for index in left.indices where !left[index].isStatus && left[index].times != 0 {
            active.add(left[index].kind)
            left[index].times = left[index].times.map { $0 - 1 }
        }
        active.stalls.sort { $0.at < $1.at }
        return active
    }
}
