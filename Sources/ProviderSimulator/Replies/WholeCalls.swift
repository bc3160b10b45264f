// Tool calls for formats that send each in one piece: the pieces of a call are gathered until it is whole.

internal import JSON

/// A part of a reply in which calls come whole.
enum WholePart: Equatable {
    case reasoning(String)
    case text(String)
    /// A call; `count` is what it cost, in pieces.
    case call(id: String, name: String, arguments: JSONValue, count: Int)
}

/// The parts of one choice, in their order. A call whose arguments the token limit cut is left out: it is no JSON.
struct WholeParts: Sequence, IteratorProtocol {
    private var pieces: PieceSource
    private var held: ReplyPiece?

    init(_ pieces: PieceSource) {
        self.pieces = pieces
        held = self.pieces.next()
    }

    mutating func next() -> WholePart? {
        while let piece = held {
            held = pieces.next()
            switch piece {
            case .reasoning(let text): return .reasoning(text)
            case .text(let text): return .text(text)
            case .arguments: continue
            case .call(_, let id, let name):
                var json = ""
                var count = 1
                while case .arguments(_, let part) = held {
                    json += part
                    count += 1
                    held = pieces.next()
                }
                // Where the limit cut them, no JSON is what they are meant to be.
                guard let arguments = try? RequestJSON.read(Array(json.utf8)) else { continue }
                return .call(id: id, name: name, arguments: arguments, count: count)
            }
        }
        return nil
    }
}
