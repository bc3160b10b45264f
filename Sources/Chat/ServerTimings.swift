// Times that the server measured.

/// How long parts of the work took by the server's own clock, in seconds (Ollama, llama.cpp, Groq and Cerebras tell).
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

    /// Nothing told.
    public init() {}
}
