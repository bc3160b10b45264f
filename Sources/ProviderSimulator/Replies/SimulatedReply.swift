// A reply before it is encoded.

internal import Chat
internal import Formats

/// What ReplyGenerator makes of a prompt.
struct SimulatedReply {
    var head: ReplyHead
    var choices: [Choice]
    /// Token counts of a recorded reply; nil: they are counted.
    var recordedUsage: Usage?
    /// The text of a refusal, apart from the content.
    var refusal: String?

    struct Choice {
        var parts: PartSource
        var reason: FinishReason
    }

    /// The tokens of all choices; nil for an endless reply.
    var tokenCount: Int? {
        var sum = 0
        for choice in choices {
            guard let count = choice.parts.remaining else { return nil }
            sum += count
        }
        return sum
    }

    /// - Parameters:
    ///   - hasReason: whether the reply has a finish reason.
    ///   - hasEndMarker: whether the stream has the format's end marker.
    func ending(hasReason: Bool = true, hasEndMarker: Bool = true) -> ReplyEnding {
        var usage = Usage()
        usage.inputTokens = head.inputTokens
        usage.outputTokens = tokenCount ?? 0
        usage.reasoningTokens = choices.reduce(0) { $0 + $1.parts.reasoningCount }
        var ending = ReplyEnding(
            reasons: hasReason ? choices.map(\.reason) : [], usage: recordedUsage ?? usage, hasEndMarker: hasEndMarker)
        ending.refusal = refusal
        return ending
    }

    /// The reply for one body. It must not be endless.
    var whole: WholeReply {
        WholeReply(
            head: head,
            choices: choices.map { ReplyBlock.blocks(of: $0.parts, isCut: $0.reason == .length) },
            ending: ending())
    }
}

/// The parts of one choice: a list, or "tok1 tok2 ..." counted up without being stored.
struct PartSource: Sequence, IteratorProtocol {
    private enum Storage {
        case list([ReplyPart])
        /// Numbers from `next` up to and including `last`; nil never ends. `rest` completes a number cut in two.
        case counted(rest: String, next: Int, last: Int?)
    }

    private var storage: Storage
    private var position = 0

    init(_ parts: [ReplyPart]) { storage = .list(parts) }

    /// "tok1 tok2 ..." up to `count`, without the beginning that `text` has already. If `text` is something else,
    /// counting begins at 1.
    init(count: Int?, after text: String) {
        var left = text.utf8[...]
        var next = 1
        while !left.isEmpty, count.map({ next <= $0 }) ?? true {
            let token = Self.token(next).utf8
            if left.starts(with: token) {
                left = left.dropFirst(token.count)
                next += 1
            } else if token.starts(with: left) {
                let rest = String(Self.token(next).dropFirst(left.count))
                storage = .counted(rest: rest, next: next + 1, last: count)
                return
            } else {
                next = 1
                break
            }
        }
        storage = .counted(rest: "", next: next, last: count)
    }

    /// The number of parts left; nil if they never end.
    var remaining: Int? {
        switch storage {
        case .list(let parts): return parts.count - position
        case .counted(let rest, let next, let last):
            return last.map { Swift.max(0, $0 - next + 1) + (rest.isEmpty ? 0 : 1) }
        }
    }

    var reasoningCount: Int {
        guard case .list(let parts) = storage else { return 0 }
        return parts.count { if case .reasoning = $0 { true } else { false } }
    }

    /// Keeps the first `count` parts. Returns true if parts were removed.
    mutating func limit(to count: Int) -> Bool {
        if let remaining, remaining <= count { return false }
        switch storage {
        case .list(let parts): storage = .list(Array(parts[position..<position + count]))
        case .counted(let rest, let next, _):
            storage =
                count == 0
                ? .list([]) : .counted(rest: rest, next: next, last: next - 1 + count - (rest.isEmpty ? 0 : 1))
        }
        return true
    }

    mutating func next() -> ReplyPart? {
        switch storage {
        case .list(let parts):
            guard position < parts.count else { return nil }
            position += 1
            return parts[position - 1]
        case .counted(let rest, let number, let last):
            if !rest.isEmpty {
                storage = .counted(rest: "", next: number, last: last)
                return .text(rest)
            }
            if let last, number > last { return nil }
            storage = .counted(rest: "", next: number + 1, last: last)
            return .text(Self.token(number))
        }
    }

    private static func token(_ number: Int) -> String { "tok\(number) " }
}
