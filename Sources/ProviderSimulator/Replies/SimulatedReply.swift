// A reply as a value, before any dialect has made frames of it.

internal import JSON

/// What the provider answers. Made by ReplyGenerator; a SimulatedFormat turns it into bytes.
struct SimulatedReply {
    /// Without the dialect's prefix; the same request gives the same one.
    var id: String
    /// Seconds since 1970, made up: the same request gives the same one.
    var created: Int
    var model: String
    var choices: [Choice]
    var promptTokens: Int
    /// Whether frames have a place for reasoning.
    var showsReasoning: Bool
    var includesUsage: Bool
    /// Members that the dialect repeats from the request.
    var repeated: JSONObject

    struct Choice {
        var pieces: PieceSource
        var finish: Finish
    }

    enum Finish: String { case stop, length, toolCalls = "tool_calls" }

    /// The pieces of all choices: what the reply costs. Nil for an endless one.
    var replyTokens: Int? {
        var sum = 0
        for choice in choices {
            guard let count = choice.pieces.remaining else { return nil }
            sum += count
        }
        return sum
    }

    var reasoningTokens: Int {
        choices.reduce(0) { sum, choice in
            guard case .list(let pieces) = choice.pieces.storage else { return sum }
            return sum + pieces.count { if case .reasoning = $0 { true } else { false } }
        }
    }
}

/// One delta's worth of a reply.
enum ReplyPiece: Equatable {
    case reasoning(String)
    case text(String)
    /// A tool call begins.
    case call(slot: Int, id: String, name: String)
    /// A part of its arguments' JSON.
    case arguments(slot: Int, String)
}

/// The pieces of one choice: a list, or "tok1 tok2 ..." counted up without being stored.
struct PieceSource: Sequence, IteratorProtocol {
    enum Storage {
        case list([ReplyPiece])
        /// Numbers from `next` up to and including `last`; nil never ends. `rest` completes a number cut in two.
        case counted(rest: String, next: Int, last: Int?)
    }

    private(set) var storage: Storage
    private var at = 0

    init(_ pieces: [ReplyPiece]) { storage = .list(pieces) }

    /// "tok1 tok2 ..." up to `count`, without what `said` already holds of it. Where `said` says something else,
    /// counting begins at 1.
    init(count: Int?, after said: String) {
        var left = said.utf8[...]
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

    /// How many pieces are left; nil when they never end.
    var remaining: Int? {
        switch storage {
        case .list(let pieces): return pieces.count - at
        case .counted(let rest, let next, let last):
            return last.map { Swift.max(0, $0 - next + 1) + (rest.isEmpty ? 0 : 1) }
        }
    }

    /// Keeps only the first `count` pieces. True when something was cut away.
    mutating func limit(to count: Int) -> Bool {
        if let remaining, remaining <= count { return false }
        switch storage {
        case .list(let pieces): storage = .list(Array(pieces[at..<at + count]))
        case .counted(let rest, let next, _):
            storage =
                count == 0
                ? .list([]) : .counted(rest: rest, next: next, last: next - 1 + count - (rest.isEmpty ? 0 : 1))
        }
        return true
    }

    mutating func next() -> ReplyPiece? {
        switch storage {
        case .list(let pieces):
            guard at < pieces.count else { return nil }
            at += 1
            return pieces[at - 1]
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
