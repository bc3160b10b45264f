// All wire formats. To add one, add a folder beside this file and one value here.

internal import JSON

/// The formats by the names that scripts use.
package enum FormatCatalog {
    package static let all: [WireFormat] = [
        .openAIChat, .openAIResponses, .anthropicMessages, .gemini, .tgi, .ollama, .cohere,
    ]

    package static var names: [String] { all.map(\.name) }

    package static func named(_ name: String) -> WireFormat? { all.first { $0.name == name } }
}

extension WireFormat {
    /// OpenAI's Chat Completions and what other providers and servers made of it
    /// (https://platform.openai.com/docs/api-reference/chat).
    package static let openAIChat = WireFormat(
        name: "openai", framing: .serverSentEvents, fields: .openAIChat, encode: OpenAIChatRequestEncoder.encode,
        decoder: { TemplateDecoder(OpenAIChatDecoder(reader: $0)) }, server: .openAIChat)

    /// OpenAI's Responses (https://platform.openai.com/docs/api-reference/responses, streams:
    /// https://platform.openai.com/docs/api-reference/responses-streaming).
    package static let openAIResponses = WireFormat(
        name: "responses", framing: .serverSentEvents, fields: .openAIResponses,
        encode: OpenAIResponsesRequestEncoder.encode, decoder: { TemplateDecoder(OpenAIResponsesDecoder(reader: $0)) },
        server: ServerCoders(requests: OpenAIResponsesRequestDecoder()) { _ in OpenAIResponsesReplyEncoder() })

    /// Anthropic's Messages (https://docs.anthropic.com/en/api/messages, .../messages-streaming).
    package static let anthropicMessages = WireFormat(
        name: "anthropic", framing: .serverSentEvents, fields: .anthropicMessages,
        encode: AnthropicMessagesRequestEncoder.encode, resume: AnthropicMessagesRequestEncoder.resumed,
        decoder: { TemplateDecoder(AnthropicMessagesDecoder(reader: $0)) },
        server: ServerCoders(requests: AnthropicMessagesRequestDecoder()) { _ in AnthropicMessagesReplyEncoder() })

    /// Gemini's `streamGenerateContent` (https://ai.google.dev/api/generate-content), by events or in one growing JSON
    /// array. Vertex AI's is the same (https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/inference).
    package static let gemini = WireFormat(
        name: "gemini", framing: .serverSentEvents, streamsArrays: true, fields: .gemini,
        encode: GeminiRequestEncoder.encode, decoder: { TemplateDecoder(GeminiDecoder(reader: $0)) },
        server: ServerCoders(requests: GeminiRequestDecoder()) { GeminiReplyEncoder(isArray: $0 == .jsonArray) })

    /// TGI's `/generate_stream` (https://huggingface.co/docs/text-generation-inference/reference/api_reference). Its
    /// router and recent servers speak Chat Completions too.
    package static let tgi = WireFormat(
        name: "tgi", framing: .serverSentEvents, fields: .tgi, encode: TGIRequestEncoder.encode,
        decoder: { TemplateDecoder(TGIDecoder(reader: $0)) },
        server: ServerCoders(requests: TGIRequestDecoder()) { _ in TGIReplyEncoder() })

    /// Ollama's `/api/chat` (https://docs.ollama.com/api/chat, https://docs.ollama.com/api/streaming).
    package static let ollama = WireFormat(
        name: "ollama", framing: .newlineDelimitedJSON, fields: .ollama, encode: OllamaRequestEncoder.encode,
        decoder: { TemplateDecoder(OllamaDecoder(reader: $0)) },
        server: ServerCoders(requests: OllamaRequestDecoder()) { _ in OllamaReplyEncoder() })

    /// Cohere's `/v2/chat` (https://docs.cohere.com/reference/chat-stream). Streams of the older `/v1/chat`, JSON lines,
    /// are decoded too (https://docs.cohere.com/v1/reference/chat-stream).
    package static let cohere = WireFormat(
        name: "cohere", framing: .serverSentEvents, fields: .cohere, encode: CohereRequestEncoder.encode,
        decoder: { TemplateDecoder(CohereDecoder(reader: $0)) },
        server: ServerCoders(requests: CohereRequestDecoder()) { _ in CohereReplyEncoder() })
}

extension ServerCoders {
    /// Chat Completions, in which a server answers requests of no known format too.
    package static let openAIChat = ServerCoders(requests: OpenAIChatRequestDecoder()) { _ in OpenAIChatReplyEncoder() }
}
