// Durations that the server measured.

/// Durations by the server's clock, in seconds (Ollama, llama.cpp, Groq and Cerebras report them).
public struct ServerTimings: Codable, Hashable, Sendable {
    private enum CodingKeys: String, CodingKey {
        case queue, load
        case promptEval = "prompt_eval"
        case eval
    }

    /// Waiting in the server's queue.
    public var queue: Double?
    /// Loading the model.
    public var load: Double?
    /// Reading the prompt.
    public var promptEval: Double?
    /// Writing the reply.
    public var eval: Double?

    /// No durations.
    public init() {}
}
