// Durations reported by Chat Completions servers. OpenAIResponsesDecoder uses them too, for llama.cpp. Each value is
// stored in the field in which Ollama's value of the same meaning is.

internal import Chat
internal import JSON

extension ServerTimings {
    private static let llamaKeys = JSONKeys("prompt_ms", "predicted_ms")
    private static let secondsKeys = JSONKeys("queue_time", "prompt_time", "completion_time")

    /// From llama.cpp's `timings`, in milliseconds (tools/server/README.md, "Result JSON").
    init?(llama node: JSONNode) {
        let parts = node.pick(Self.llamaKeys)
        self.init(queue: nil, promptEval: Self.seconds(parts[0], per: 1e3), eval: Self.seconds(parts[1], per: 1e3))
    }

    /// From Groq's `usage` (https://console.groq.com/docs/api-reference, `usage`) or Cerebras' `time_info`
    /// (https://inference-docs.cerebras.ai/api-reference/chat-completions), in seconds.
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
