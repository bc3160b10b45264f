// Makes up replies: what is said depends on the model, the conversation, the seed, and on nothing else, so that a
// reply cut in the middle can be continued to the very text it would have had.

struct ReplyGenerator {
    let prompt: SimulatedPrompt
    /// The server's seed, or the one a request asked for.
    let seed: UInt64
    /// A synthetic reply of this many deltas in place of a text.
    let deltas: DeltaCount?

    /// The reply; `fingerprint` is the whole request's and only names it.
    func reply(fingerprint: UInt64) -> SimulatedReply {
        var choices = (0..<prompt.choices).map { choice($0) }
        if let limit = prompt.maxTokens {
            for index in choices.indices where choices[index].pieces.limit(to: limit) {
                choices[index].finish = .length
            }
        }
        let hex = String(fingerprint, radix: 16)
        return SimulatedReply(
            id: String(repeating: "0", count: 16 - hex.count) + hex,
            created: 1_750_000_000 + Int(fingerprint % 10_000_000),
            model: prompt.model, choices: choices, promptTokens: prompt.tokens,
            showsReasoning: prompt.showsReasoning, includesUsage: prompt.includesUsage,
            repeated: prompt.repeated)
    }

    private func choice(_ index: Int) -> SimulatedReply.Choice {
        if let deltas {
            let count: Int? = if case .exactly(let count) = deltas { count } else { nil }
            return .init(pieces: PieceSource(count: count, after: prompt.continued ?? ""), finish: .stop)
        }
        var choice = Fingerprint(seed: seed)
        choice.add(prompt.model.utf8)
        choice.add(prompt.question.utf8)
        choice.add(UInt64(index))
        let theme = ReplyTheme(prompt: prompt, choice: choice.value)
        let calls = ToolCaller(prompt: prompt, choice: choice.value, subject: theme.subject).calls()
        var pieces: [ReplyPiece] = []
        let plans = prompt.plansCalls && !calls.isEmpty
        if prompt.showsReasoning || plans, prompt.continued == nil {
            let thought = calls.isEmpty ? theme.reasoning() : theme.reasoning(before: calls.map(\.name))
            pieces = Pieces(thought).map { .reasoning($0) }
        }
        if !calls.isEmpty {
            for (slot, call) in calls.enumerated() {
                pieces.append(.call(slot: slot, id: call.id, name: call.name))
                pieces += Pieces(call.arguments).map { .arguments(slot: slot, $0) }
            }
            return .init(pieces: PieceSource(pieces), finish: .toolCalls)
        }
        pieces += Pieces(rest(of: stopped(theme.text()))).map { .text($0) }
        return .init(pieces: PieceSource(pieces), finish: .stop)
    }

    /// `text` up to the first stop string in it.
    private func stopped(_ text: String) -> String {
        let bytes = Array(text.utf8)
        let ends = prompt.stops.compactMap { Self.find(Array($0.utf8), in: bytes) }
        guard let end = ends.min() else { return text }
        return String(decoding: bytes[..<end], as: UTF8.self)
    }

    private static func find(_ needle: [UInt8], in bytes: [UInt8]) -> Int? {
        guard needle.count <= bytes.count else { return nil }
        return (0...bytes.count - needle.count).first { bytes[$0...].starts(with: needle) }
    }

    /// What is left to say after the text that the conversation ends with. Where that text is not the beginning of
    /// the reply, a short sentence carries it on.
    private func rest(of text: String) -> String {
        guard let said = prompt.continued else { return text }
        let (whole, start) = (Array(text.utf8), Array(said.utf8))
        if whole.starts(with: start) { return String(decoding: whole[start.count...], as: UTF8.self) }
        return said.containsHan ? "，如此流向远方，直到月亮落下。" : " and so on, until the moon has set."
    }
}

extension String {
    /// Whether a Chinese character is in it.
    var containsHan: Bool {
        unicodeScalars.contains { (0x3400...0x9FFF).contains($0.value) || (0x20000...0x3FFFF).contains($0.value) }
    }

    /// At most `count` characters on one line.
    func shortened(to count: Int) -> String {
        let line = String(prefix(count + 1).map { $0.isNewline ? " " : $0 })
        return line.count > count ? String(line.prefix(count)).trimmed + "…" : line.trimmed
    }
}
