// Server-side times of Chat Completions servers. Called by OpenAIChatDecoder, and by OpenAIResponsesDecoder for
// llama.cpp; a field goes where it means what Ollama's do.

internal import Chat
internal import JSON

extension ServerTimings {
    private static let llamaKeys = JSONKeys("prompt_ms", "predicted_ms")
    private static let secondsKeys = JSONKeys("queue_time", "prompt_time", "completion_time")

    /// llama.cpp's `timings`, in milliseconds (tools/server/README.md, "Result JSON"); the last ones count.
    init?(llama node: JSONNode) {
        let parts = node.pick(Self.llamaKeys)
        self.init(queue: nil, promptEval: Self.seconds(parts[0], per: 1e3), eval: Self.seconds(parts[1], per: 1e3))
    }

    /// Seconds in Groq's `usage` (https://console.groq.com/docs/api-reference, `usage`) and in Cerebras' `time_info`
    /// (https://inference-docs.cerebras.ai/api-reference/chat-completions).
    init?(seconds node: JSONNode) {
        let parts = node.pick(Self.secondsKeys)
        self.init(
            queue: Self.seconds(parts[0], per: 1), promptEval: Self.seconds(parts[1], per: 1),
            eval: Self.seconds(parts[2], per: 1))
    }

    private init?(queue: Double?, promptEval: Double?, eval: Double?) {
        guard queue != nil || promptEval != nil || eval != nil else { return nil }
        self.init()
        self.queue = queue
        self.promptEval = promptEval
        self.eval = eval
    }

    private static func seconds(_ node: JSONNode?, per unit: Double) -> Double? {
        node?.double.flatMap { WireNumber.delay($0 / unit) }
    }
}
