// The providers known by name. Data alone: a new provider of a known dialect is one entry here and no code.

/// A provider known by name.
public struct Preset: Sendable, Equatable {
    /// The name used in scripts: "deepseek".
    public var name: String
    /// The name shown to people: "DeepSeek".
    public var title: String
    /// The dialect's name.
    public var dialect: String
    /// The API's root.
    public var baseURL: String
    /// The environment variable that holds the key; nil for servers on this machine, which need none.
    public var keyVariable: String?
    /// A model to begin with; providers rename theirs often.
    public var model: String
    /// What the provider does differently.
    public var quirks: Quirks
    /// The page that says all this.
    public var documentation: String

    /// True for servers that run on this machine and need no key.
    public var isLocal: Bool { keyVariable == nil }

    /// Where requests go if the client changes nothing.
    public var endpoint: Endpoint {
        Endpoint(provider: name, dialect: dialect, baseURL: baseURL, keyVariable: keyVariable, quirks: quirks)
    }
}

/// The presets, and how to find one.
public enum Presets {
    /// All of them: hosted ones in the order in which a key is looked for, then local ones.
    public static let all: [Preset] = hosted + local

    /// The preset of that name, case aside.
    public static func named(_ name: String) -> Preset? {
        let wanted = name.lowercased()
        return all.first { $0.name == wanted }
    }

    /// The preset's name that was probably meant by `name`.
    public static func suggestion(for name: String) -> String? {
        NearestName.suggestion(for: name, among: all.map(\.name))
    }

    private static let hosted: [Preset] = [
        Preset(
            name: "openai", title: "OpenAI", dialect: "openai", baseURL: "https://api.openai.com/v1",
            keyVariable: "OPENAI_API_KEY", model: "gpt-5-mini", quirks: Quirks(),
            documentation: "https://platform.openai.com/docs/api-reference/chat"),
        Preset(
            name: "deepseek", title: "DeepSeek", dialect: "openai", baseURL: "https://api.deepseek.com",
            keyVariable: "DEEPSEEK_API_KEY", model: "deepseek-chat",
            quirks: Quirks(continuation: .prefixFlag, continuationBaseURL: "https://api.deepseek.com/beta"),
            documentation: "https://api-docs.deepseek.com/guides/chat_prefix_completion"),
        Preset(
            name: "openrouter", title: "OpenRouter", dialect: "openai", baseURL: "https://openrouter.ai/api/v1",
            keyVariable: "OPENROUTER_API_KEY", model: "openrouter/auto", quirks: Quirks(continuation: .prefill),
            documentation: "https://openrouter.ai/docs/api-reference/overview"),
        Preset(
            name: "groq", title: "Groq", dialect: "openai", baseURL: "https://api.groq.com/openai/v1",
            keyVariable: "GROQ_API_KEY", model: "llama-3.3-70b-versatile", quirks: Quirks(continuation: .prefill),
            documentation: "https://console.groq.com/docs/openai"),
        // Mistral refuses `stream_options` with 422, and reports usage unasked.
        Preset(
            name: "mistral", title: "Mistral", dialect: "openai", baseURL: "https://api.mistral.ai/v1",
            keyVariable: "MISTRAL_API_KEY", model: "mistral-small-latest",
            quirks: Quirks(usage: .none, continuation: .prefixFlag),
            documentation: "https://docs.mistral.ai/api/endpoint/chat"),
        Preset(
            name: "xai", title: "xAI", dialect: "openai", baseURL: "https://api.x.ai/v1",
            keyVariable: "XAI_API_KEY", model: "grok-4-1-fast-non-reasoning", quirks: Quirks(),
            documentation: "https://docs.x.ai/docs/api-reference"),
        Preset(
            name: "together", title: "Together AI", dialect: "openai", baseURL: "https://api.together.xyz/v1",
            keyVariable: "TOGETHER_API_KEY", model: "meta-llama/Llama-3.3-70B-Instruct-Turbo", quirks: Quirks(),
            documentation: "https://docs.together.ai/docs/openai-api-compatibility"),
        Preset(
            name: "fireworks", title: "Fireworks AI", dialect: "openai",
            baseURL: "https://api.fireworks.ai/inference/v1", keyVariable: "FIREWORKS_API_KEY",
            model: "accounts/fireworks/models/llama-v3p3-70b-instruct", quirks: Quirks(),
            documentation: "https://docs.fireworks.ai/tools-sdks/openai-compatibility"),
        Preset(
            name: "qwen", title: "Qwen (DashScope)", dialect: "openai",
            baseURL: "https://dashscope.aliyuncs.com/compatible-mode/v1", keyVariable: "DASHSCOPE_API_KEY",
            model: "qwen-plus", quirks: Quirks(continuation: .partialFlag),
            documentation: "https://help.aliyun.com/en/model-studio/partial-mode"),
        Preset(
            name: "moonshot", title: "Moonshot AI (Kimi)", dialect: "openai", baseURL: "https://api.moonshot.cn/v1",
            keyVariable: "MOONSHOT_API_KEY", model: "kimi-latest", quirks: Quirks(continuation: .partialFlag),
            documentation: "https://platform.moonshot.cn/docs/api/partial"),
        Preset(
            name: "zhipu", title: "Zhipu AI (GLM)", dialect: "openai",
            baseURL: "https://open.bigmodel.cn/api/paas/v4", keyVariable: "ZHIPUAI_API_KEY", model: "glm-4.5-flash",
            quirks: Quirks(usage: .none), documentation: "https://docs.bigmodel.cn/cn/guide/develop/openai/introduction"
        ),
        Preset(
            name: "siliconflow", title: "SiliconFlow", dialect: "openai", baseURL: "https://api.siliconflow.cn/v1",
            keyVariable: "SILICONFLOW_API_KEY", model: "deepseek-ai/DeepSeek-V3", quirks: Quirks(),
            documentation: "https://docs.siliconflow.cn/en/api-reference/chat-completions/chat-completions"),
        Preset(
            name: "huggingface", title: "Hugging Face", dialect: "openai",
            baseURL: "https://router.huggingface.co/v1", keyVariable: "HF_TOKEN", model: "openai/gpt-oss-120b",
            quirks: Quirks(), documentation: "https://huggingface.co/docs/inference-providers/tasks/chat-completion"),
    ]

    private static let local: [Preset] = [
        Preset(
            name: "ollama", title: "Ollama", dialect: "openai", baseURL: "http://127.0.0.1:11434/v1",
            keyVariable: nil, model: "qwen3", quirks: Quirks(continuation: .prefill),
            documentation: "https://docs.ollama.com/api/openai-compatibility"),
        Preset(
            name: "vllm", title: "vLLM", dialect: "openai", baseURL: "http://127.0.0.1:8000/v1", keyVariable: nil,
            model: "Qwen/Qwen3-8B", quirks: Quirks(continuation: .bodyFlag),
            documentation: "https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html"),
        Preset(
            name: "llamacpp", title: "llama.cpp", dialect: "openai", baseURL: "http://127.0.0.1:8080/v1",
            keyVariable: nil, model: "default", quirks: Quirks(continuation: .prefill),
            documentation: "https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md"),
    ]
}
