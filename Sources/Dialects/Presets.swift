// The providers known by name. Data alone: a new provider of a known dialect is one entry here and no code.

/// A provider known by name.
public struct Preset: Sendable, Equatable {
    /// One wire format that a provider speaks.
    public struct Face: Sendable, Equatable {
        /// The dialect's name.
        public var dialect: String
        /// The API's root; empty where each customer has one of their own.
        public var baseURL: String
        /// What the provider does differently.
        public var quirks: Quirks

        /// A face of the given parts.
        public init(dialect: String, baseURL: String, quirks: Quirks = Quirks()) {
            self.dialect = dialect
            self.baseURL = baseURL
            self.quirks = quirks
        }
    }

    /// The name used in scripts: "deepseek".
    public var name: String
    /// The name shown to people: "DeepSeek".
    public var title: String
    /// The wire formats it speaks, the usual one first; never empty.
    public var faces: [Face]
    /// The environment variable that holds the key; nil for servers on this machine, which need none.
    public var keyVariable: String?
    /// A model to begin with; providers rename theirs often. Nil where there is no good guess.
    public var model: String?
    /// The page that says all this.
    public var documentation: String

    /// A provider with the given faces.
    /// - Parameters:
    ///   - face: the wire format it is asked in unless the client names another.
    ///   - others: further wire formats.
    public init(
        name: String, title: String, face: Face, others: [Face] = [], keyVariable: String? = nil,
        model: String? = nil, documentation: String = ""
    ) {
        self.name = name
        self.title = title
        faces = [face] + others
        self.keyVariable = keyVariable
        self.model = model
        self.documentation = documentation
    }

    /// The usual wire format.
    public var dialect: String { faces[0].dialect }
    /// The usual root.
    public var baseURL: String { faces[0].baseURL }
    /// True for servers that run on this machine and need no key.
    public var isLocal: Bool { keyVariable == nil }

    /// How it is asked in that dialect (nil: the usual one); nil if it does not speak it.
    public func face(_ dialect: String?) -> Face? {
        dialect.map { name in faces.first { $0.dialect == name } } ?? faces[0]
    }
}

/// The presets, and how to find one.
public enum Presets {
    /// All of them: hosted ones in the order in which a key is looked for, then local ones.
    public static let all: [Preset] = hosted + local

    /// The preset of that name, case aside.
    public static func named(_ name: String) -> Preset? { ProviderTable().named(name) }

    /// The preset's name that was probably meant by `name`.
    public static func suggestion(for name: String) -> String? { ProviderTable().suggestion(for: name) }

    /// Chat Completions at that root.
    private static func chat(_ baseURL: String, _ quirks: Quirks = Quirks()) -> Preset.Face {
        var quirks = quirks
        quirks.takesThinkingParts = quirks.reasoningEcho == .parts
        return Preset.Face(dialect: "openai", baseURL: baseURL, quirks: quirks)
    }

    /// Responses at that root.
    private static func responses(_ baseURL: String, _ quirks: Quirks = Quirks()) -> Preset.Face {
        Preset.Face(dialect: "responses", baseURL: baseURL, quirks: quirks)
    }

    /// Messages at that root.
    private static func messages(
        _ baseURL: String, _ quirks: Quirks = Quirks(continuation: .prefill)
    ) -> Preset.Face {
        Preset.Face(dialect: "anthropic", baseURL: baseURL, quirks: quirks)
    }

    private static let hosted: [Preset] = [
        Preset(
            name: "openai", title: "OpenAI",
            face: chat(
                "https://api.openai.com/v1", Quirks(lengthField: .maxCompletionTokens, reasoningEcho: .drop)),
            others: [responses("https://api.openai.com/v1")],
            keyVariable: "OPENAI_API_KEY", model: "gpt-5-mini",
            documentation: "https://platform.openai.com/docs/api-reference/chat"),
        Preset(
            name: "anthropic", title: "Anthropic", face: messages("https://api.anthropic.com/v1"),
            keyVariable: "ANTHROPIC_API_KEY", model: "claude-sonnet-4-6",
            documentation: "https://docs.anthropic.com/en/api/messages"),
        Preset(
            name: "deepseek", title: "DeepSeek",
            face: chat(
                "https://api.deepseek.com",
                Quirks(
                    continuation: .prefixFlag, continuationBaseURL: "https://api.deepseek.com/beta", thinking: .type,
                    reasoningEcho: .toolLoop, takesSchema: false)),
            keyVariable: "DEEPSEEK_API_KEY", model: "deepseek-chat",
            documentation: "https://api-docs.deepseek.com/guides/chat_prefix_completion"),
        Preset(
            name: "gemini", title: "Google Gemini",
            face: Preset.Face(dialect: "gemini", baseURL: "https://generativelanguage.googleapis.com/v1beta"),
            others: [
                chat(
                    "https://generativelanguage.googleapis.com/v1beta/openai",
                    Quirks(keyField: .bearer, reasoningEcho: .drop))
            ], keyVariable: "GEMINI_API_KEY", model: "gemini-2.5-flash",
            documentation: "https://ai.google.dev/api/generate-content"),
        Preset(
            name: "openrouter", title: "OpenRouter",
            face: chat("https://openrouter.ai/api/v1", Quirks(continuation: .prefill, thinking: .reasoning)),
            others: [messages("https://openrouter.ai/api/v1", Quirks(continuation: .prefill, keyField: .bearer))],
            keyVariable: "OPENROUTER_API_KEY", model: "openrouter/auto",
            documentation: "https://openrouter.ai/docs/api-reference/overview"),
        Preset(
            name: "groq", title: "Groq",
            face: chat("https://api.groq.com/openai/v1", Quirks(continuation: .prefill, reasoningEcho: .drop)),
            keyVariable: "GROQ_API_KEY", model: "llama-3.3-70b-versatile",
            documentation: "https://console.groq.com/docs/openai"),
        // Mistral refuses `stream_options` with 422, and reports usage unasked. Its reasoning stands in the content.
        Preset(
            name: "mistral", title: "Mistral",
            face: chat(
                "https://api.mistral.ai/v1",
                Quirks(usage: .none, continuation: .prefixFlag, reasoningEcho: .parts)),
            keyVariable: "MISTRAL_API_KEY", model: "mistral-small-latest",
            documentation: "https://docs.mistral.ai/api/endpoint/chat"),
        Preset(
            name: "xai", title: "xAI", face: chat("https://api.x.ai/v1"), others: [responses("https://api.x.ai/v1")],
            keyVariable: "XAI_API_KEY", model: "grok-4-1-fast-non-reasoning",
            documentation: "https://docs.x.ai/docs/api-reference"),
        Preset(
            name: "together", title: "Together AI", face: chat("https://api.together.xyz/v1"),
            keyVariable: "TOGETHER_API_KEY", model: "meta-llama/Llama-3.3-70B-Instruct-Turbo",
            documentation: "https://docs.together.ai/docs/openai-api-compatibility"),
        Preset(
            name: "fireworks", title: "Fireworks AI", face: chat("https://api.fireworks.ai/inference/v1"),
            keyVariable: "FIREWORKS_API_KEY", model: "accounts/fireworks/models/llama-v3p3-70b-instruct",
            documentation: "https://docs.fireworks.ai/tools-sdks/openai-compatibility"),
        Preset(
            name: "qwen", title: "Qwen (DashScope)",
            face: chat(
                "https://dashscope.aliyuncs.com/compatible-mode/v1",
                Quirks(continuation: .partialFlag, thinking: .flag)),
            keyVariable: "DASHSCOPE_API_KEY", model: "qwen-plus",
            documentation: "https://help.aliyun.com/en/model-studio/partial-mode"),
        Preset(
            name: "moonshot", title: "Moonshot AI (Kimi)",
            face: chat("https://api.moonshot.cn/v1", Quirks(continuation: .partialFlag, thinking: .type)),
            keyVariable: "MOONSHOT_API_KEY", model: "kimi-latest",
            documentation: "https://platform.moonshot.cn/docs/api/partial"),
        Preset(
            name: "zhipu", title: "Zhipu AI (GLM)",
            face: chat(
                "https://open.bigmodel.cn/api/paas/v4", Quirks(usage: .none, thinking: .type, takesSchema: false)),
            keyVariable: "ZHIPUAI_API_KEY", model: "glm-4.5-flash",
            documentation: "https://docs.bigmodel.cn/cn/guide/develop/openai/introduction"),
        Preset(
            name: "siliconflow", title: "SiliconFlow",
            face: chat("https://api.siliconflow.cn/v1", Quirks(thinking: .flag)),
            keyVariable: "SILICONFLOW_API_KEY", model: "deepseek-ai/DeepSeek-V3",
            documentation: "https://docs.siliconflow.cn/en/api-reference/chat-completions/chat-completions"),
        Preset(
            name: "cohere", title: "Cohere", face: Preset.Face(dialect: "cohere", baseURL: "https://api.cohere.com"),
            others: [chat("https://api.cohere.ai/compatibility/v1")], keyVariable: "CO_API_KEY",
            model: "command-a-03-2025", documentation: "https://docs.cohere.com/reference/chat-stream"),
        // Each customer has a root of their own: https://RESOURCE.openai.azure.com/openai/v1.
        Preset(
            name: "azure", title: "Azure OpenAI",
            face: chat(
                "",
                Quirks(keyField: .header("api-key"), lengthField: .maxCompletionTokens, reasoningEcho: .drop)),
            others: [responses("", Quirks(keyField: .header("api-key")))], keyVariable: "AZURE_OPENAI_API_KEY",
            documentation: "https://learn.microsoft.com/azure/ai-foundry/openai/api-version-lifecycle"),
        Preset(
            name: "huggingface", title: "Hugging Face", face: chat("https://router.huggingface.co/v1"),
            keyVariable: "HF_TOKEN", model: "openai/gpt-oss-120b",
            documentation: "https://huggingface.co/docs/inference-providers/tasks/chat-completion"),
        // The root has the customer's project and place in it; the key is a short-lived token (gcloud auth
        // print-access-token).
        Preset(
            name: "vertex", title: "Google Vertex AI",
            face: Preset.Face(dialect: "gemini", baseURL: "", quirks: Quirks(keyField: .bearer)),
            keyVariable: "VERTEX_ACCESS_TOKEN", model: "gemini-2.5-flash",
            documentation:
                "https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/inference"),
    ]

    private static let local: [Preset] = [
        Preset(
            name: "ollama", title: "Ollama",
            face: chat("http://127.0.0.1:11434/v1", Quirks(continuation: .prefill)),
            others: [
                Preset.Face(
                    dialect: "ollama", baseURL: "http://127.0.0.1:11434", quirks: Quirks(continuation: .prefill))
            ], model: "qwen3", documentation: "https://docs.ollama.com/api/openai-compatibility"),
        Preset(
            name: "tgi", title: "Text Generation Inference",
            face: Preset.Face(
                dialect: "tgi", baseURL: "http://127.0.0.1:3000", quirks: Quirks(continuation: .prefill)),
            others: [chat("http://127.0.0.1:3000/v1")], model: "tgi",
            documentation: "https://huggingface.co/docs/text-generation-inference/reference/api_reference"),
        Preset(
            name: "vllm", title: "vLLM",
            face: chat("http://127.0.0.1:8000/v1", Quirks(continuation: .bodyFlag, thinking: .template)),
            model: "Qwen/Qwen3-8B",
            documentation: "https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html"),
        Preset(
            name: "llamacpp", title: "llama.cpp",
            face: chat("http://127.0.0.1:8080/v1", Quirks(continuation: .prefill, thinking: .template)),
            others: [
                responses("http://127.0.0.1:8080/v1"),
                messages("http://127.0.0.1:8080/v1", Quirks(continuation: .prefill, takesSchema: false)),
            ], model: "default",
            documentation: "https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md"),
    ]
}
