// Decides whether a reply calls tools, and with which arguments. Used by ReplyGenerator.

internal import Base
internal import Formats
internal import JSON

struct ToolCaller {
    let prompt: SimulatedPrompt
    let choice: UInt64
    let subject: String

    struct Call: Equatable {
        var id: String
        var name: String
        var arguments: String
    }

    /// The calls of the reply; none if the conversation ends with a tool's result or a message of the assistant.
    func calls() -> [Call] {
        guard prompt.toolResults.isEmpty, prompt.continued == nil else { return [] }
        var chosen = tools()
        if !prompt.allowsParallelCalls { chosen = Array(chosen.prefix(1)) }
        return chosen.enumerated().map { slot, tool in
            var id = Fingerprint(seed: choice)
            id.add(tool.name.utf8)
            id.add(UInt64(slot))
            let value = SchemaSampler(root: tool.parameters, subject: subject, hint: prompt.question).value()
            return Call(
                id: Self.id(String(id.value, radix: 36), tool.name, prompt.wireFormat), name: tool.name,
                arguments: value.object == nil ? "{}" : JSONWriter.text(value))
        }
    }

    /// An id as the provider of the format makes them.
    private static func id(_ text: String, _ name: String, _ wireFormat: String) -> String {
        switch wireFormat {
        case WireFormat.anthropicMessages.name: "toolu_" + text
        case WireFormat.cohere.name: "\(name)_\(text)"
        default: "call_" + text
        }
    }

    private func tools() -> [SimulatedPrompt.Tool] {
        let question = prompt.question.lowercased()
        let named = prompt.tools.filter { Self.mentions(question, $0.name) }
        switch prompt.toolChoice {
        case .none: return []
        case .named(let name): return prompt.tools.filter { $0.name == name }.suffix(1)
        case .required: return named.isEmpty ? Array(prompt.tools.prefix(1)) : named
        case .auto:
            if !named.isEmpty { return named }
            let asks = ["tool", "function", "工具", "调用"].contains { question.contains($0) }
            return asks ? Array(prompt.tools.prefix(1)) : []
        }
    }

    /// Whether the question has the tool's name, or a long word of it ("weather" of get_weather).
    private static func mentions(_ question: String, _ name: String) -> Bool {
        let name = name.lowercased()
        if question.contains(name) { return true }
        let chinese = ["weather": "天气", "time": "时间", "search": "搜索", "calculate": "计算", "price": "价格"]
        return name.split { !$0.isLetter }.contains { word in
            (word.count >= 4 && question.contains(word))
                || (chinese[String(word)].map { question.contains($0) } ?? false)
        }
    }
}
