// Separates reasoning that a model writes as `<think>...</think>` into its text (R1 and its distills, Qwen), for
// servers that do not separate it themselves. Pieces may end anywhere in a tag.

internal import Base
internal import Chat

/// Separates text from tagged reasoning. Only a tag at the beginning of the reply counts; a later one is text. White
/// space around the tags belongs to neither.
struct ThinkTagSplitter: Sendable {
    private enum State {
        /// Only white space and the beginning of a tag have arrived.
        case opening
        /// The same for a reply that begins inside the reasoning: the opening tag is in the prompt, and may be
        /// repeated.
        case openingInside
        /// After the opening tag, before the first character that is not white space.
        case beforeReasoning
        case reasoning
        /// After the closing tag, before the first character that is not white space.
        case beforeText
        case text
    }

    private static let open = Array("<think>".utf8)
    private static let close = Array("</think>".utf8)

    private var state: State
    /// White space and the beginning of a possible tag at the end of the input.
    private var held: [UInt8] = []

    /// - Parameter isOpen: the text begins inside the reasoning, and `</think>` ends it.
    init(isOpen: Bool = false) { state = isOpen ? .openingInside : .opening }

    /// The splitter for a request; nil for none.
    init?(_ mode: Quirks.ThinkTags) {
        guard mode != .off else { return nil }
        self.init(isOpen: mode == .open)
    }

    /// True once all further output is text.
    var isDone: Bool { state == .text }

    /// Reads the next piece of the model's output.
    mutating func push(_ piece: String) -> [TextBatch] {
        if isDone { return [TextBatch(piece)] }
        held += piece.utf8
        var pieces: [TextBatch] = []
        while let next = step(&pieces) { state = next }
        return pieces
    }

    /// Called when reasoning arrives in a member of its own: tags in the text are then plain text.
    mutating func noteSeparateReasoning() -> [TextBatch] {
        guard state == .opening || state == .openingInside else { return [] }
        state = .opening
        return finish()
    }

    /// Returns the held bytes at the end of the reply.
    mutating func finish() -> [TextBatch] {
        let rest = take(held.count)
        defer { state = .text }
        guard !rest.isEmpty else { return [] }
        switch state {
        case .opening, .text: return [TextBatch(rest)]
        case .reasoning: return [.reasoning(rest)]
        case .openingInside: return rest.utf8.allSatisfy(Self.isBlank) ? [] : [.reasoning(rest)]
        case .beforeReasoning, .beforeText: return []
        }
    }

    /// One step of the current state.
    /// - Returns: the next state; nil if more input is needed.
    private mutating func step(_ pieces: inout [TextBatch]) -> State? {
        switch state {
        case .opening, .openingInside:
            let start = held.firstIndex { !Self.isBlank($0) } ?? held.count
            let rest = held[start...]
            if rest.starts(with: Self.open) {
                held.removeFirst(start + Self.open.count)
                return .beforeReasoning
            }
            if Self.open.starts(with: rest) { return nil }
            return state == .opening ? .text : .beforeReasoning
        case .beforeReasoning, .beforeText:
            held.removeFirst(held.firstIndex { !Self.isBlank($0) } ?? held.count)
            if held.isEmpty { return nil }
            return state == .beforeText ? .text : .reasoning
        case .reasoning: return reason(&pieces)
        case .text:
            let text = take(held.count)
            if !text.isEmpty { pieces.append(TextBatch(text)) }
            return nil
        }
    }

    private mutating func reason(_ pieces: inout [TextBatch]) -> State? {
        var tag = 0
        while tag < held.count, !Self.matches(held, at: tag) { tag += 1 }
        var end = tag
        while end > 0, Self.isBlank(held[end - 1]) { end -= 1 }
        let isWhole = held.count - tag >= Self.close.count
        let reasoning = take(end)
        if !reasoning.isEmpty { pieces.append(.reasoning(reasoning)) }
        guard isWhole else { return nil }
        held.removeFirst(tag - end + Self.close.count)
        return .beforeText
    }

    /// Whether the closing tag, or a prefix of it at the end, is at `index`.
    private static func matches(_ bytes: [UInt8], at index: Int) -> Bool {
        var length = 0
        while length < close.count, index + length < bytes.count {
            if bytes[index + length] != close[length] { return false }
            length += 1
        }
        return true
    }

    /// Removes bytes from the front. Pieces end at character boundaries and tags are ASCII, so no character is divided.
    private mutating func take(_ count: Int) -> String {
        let text = String(decoding: held.prefix(count), as: UTF8.self)
        held.removeFirst(count)
        return text
    }

    private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }
}
