// Generates replies. The text depends on the model, the conversation and the seed alone, so that a cut reply can be
// continued to the same text.

internal import Base
internal import Chat
internal import Formats

struct ReplyGenerator {
    let prompt: SimulatedPrompt
    /// The server's seed, or the one a request asked for.
    let seed: UInt64
    /// A synthetic reply of this many deltas in place of a text.
    let deltas: DeltaCount?

    /// - Parameter fingerprint: that of the whole request. The id is made of it.
    func reply(to request: DecodedRequest, fingerprint: Fingerprint) -> SimulatedReply {
        var choices = (0..<prompt.choices).map { choice($0) }
        if let limit = prompt.maxTokens {
            for index in choices.indices where choices[index].parts.limit(to: limit) {
                choices[index].reason = .length
            }
        }
        let head = ReplyHead(
            id: fingerprint.hex, created: 1_750_000_000 + Int(fingerprint.value % 10_000_000), model: prompt.model,
            inputTokens: prompt.tokens, choices: choices.count, showsReasoning: prompt.showsReasoning,
            includesUsage: request.includesUsage, echoed: request.echoed,
            isEndless: choices.contains { $0.parts.remaining == nil })
        return SimulatedReply(head: head, choices: choices)
    }

    private func choice(_ index: Int) -> SimulatedReply.Choice {
        if let deltas {
            let count: Int? = if case .exactly(let count) = deltas { count } else { nil }
            return .init(parts: PartSource(count: count, after: prompt.continued ?? ""), reason: .stop)
        }
        var choice = Fingerprint(seed: seed)
        choice.add(prompt.model.utf8)
        choice.add(prompt.question.utf8)
        choice.add(UInt64(index))
        let theme = ReplyTheme(prompt: prompt, choice: choice.value)
        let calls = ToolCaller(prompt: prompt, choice: choice.value, subject: theme.subject).calls()
        var parts: [ReplyPart] = []
        let plans = prompt.plansCalls && !calls.isEmpty
        if prompt.showsReasoning || plans, prompt.continued == nil {
            let thought = calls.isEmpty ? theme.reasoning() : theme.reasoning(before: calls.map(\.name))
            parts = Pieces(thought).map { .reasoning($0) }
        }
        if !calls.isEmpty {
            for (index, call) in calls.enumerated() {
                parts.append(.toolCall(index: index, id: call.id, name: call.name))
                parts += Pieces(call.arguments).map { .arguments(index: index, $0) }
            }
            return .init(parts: PartSource(parts), reason: .toolCalls)
        }
        parts += Pieces(rest(of: stopped(theme.text()))).map { .text($0) }
        return .init(parts: PartSource(parts), reason: .stop)
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

    /// The rest of the reply after the partial text at the end of the conversation. A fixed phrase if that text is not a
    /// prefix of the reply.
    private func rest(of text: String) -> String {
        guard let said = prompt.continued else { return text }
        let (whole, start) = (Array(text.utf8), Array(said.utf8))
        if whole.starts(with: start) { return String(decoding: whole[start.count...], as: UTF8.self) }
        return said.containsHan ? "，如此流向远方，直到月亮落下。" : " and so on, until the moon has set."
    }
}

extension String {
    /// Whether it has a Chinese character.
    var containsHan: Bool {
        unicodeScalars.contains { (0x3400...0x9FFF).contains($0.value) || (0x20000...0x3FFFF).contains($0.value) }
    }

    /// At most `count` characters on one line.
    func shortened(to count: Int) -> String {
        let line = String(prefix(count + 1).map { $0.isNewline ? " " : $0 })
        return line.count > count ? String(line.prefix(count)).trimmed + "…" : line.trimmed
    }
}
