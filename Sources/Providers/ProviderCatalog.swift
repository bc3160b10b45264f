// The built-in providers. To add one with a known wire format, add an entry.

internal import Chat

/// The built-in providers.
package enum ProviderCatalog {
    /// Hosted providers in the order in which their keys are searched, then local ones.
    package static let all: [Provider] = hosted + local

    /// The provider with that name, in any case.
    package static func named(_ name: String) -> Provider? { ProviderTable().named(name) }

    /// The name most similar to `name`.
    package static func suggestion(for name: String) -> String? { ProviderTable().suggestion(for: name) }

    /// Chat Completions at a base URL.
    private static func chat(_ baseURL: String, _ quirks: Quirks = Quirks()) -> Provider.Endpoint {
        var quirks = quirks
        quirks.takesThinkingParts = quirks.reasoningEcho == .parts
        return Provider.Endpoint(dialect: "openai", baseURL: baseURL, quirks: quirks)
    }

    /// Responses at a base URL.
    private static func responses(_ baseURL: String, _ quirks: Quirks = Quirks()) -> Provider.Endpoint {
        Provider.Endpoint(dialect: "responses", baseURL: baseURL, quirks: quirks)
    }

    /// Messages at a base URL.
    private static func messages(
        _ baseURL: String, _ quirks: Quirks = Quirks(continuation: .prefill)
    ) -> Provider.Endpoint {
        Provider.Endpoint(dialect: "anthropic", baseURL: baseURL, quirks: quirks)
    }

    private static let hosted: [Provider] = [
        Provider(
            name: "openai", title: "OpenAI",
            endpoint: chat(
                "https://api.openai.com/v1", Quirks(lengthField: .maxCompletionTokens, reasoningEcho: .drop)),
            others: [responses("https://api.openai.com/v1")],
            keyVariable: "OPENAI_API_KEY", model: "gpt-5-mini",
            documentation: "https://platform.openai.com/docs/api-reference/chat"),
        Provider(
            name: "anthropic", title: "Anthropic", endpoint: messages("https://api.anthropic.com/v1"),
            keyVariable: "ANTHROPIC_API_KEY", model: "claude-sonnet-4-6",
            documentation: "https://docs.anthropic.com/en/api/messages"),
        Provider(
            name: "deepseek", title: "DeepSeek",
            endpoint: chat(
                "https://api.deepseek.com",
                Quirks(
                    continuation: .prefixFlag, continuationBaseURL: "https://api.deepseek.com/beta", thinking: .type,
                    reasoningEcho: .toolLoop, takesSchema: false)),
            keyVariable: "DEEPSEEK_API_KEY", model: "deepseek-chat",
            documentation: "https://api-docs.deepseek.com/guides/chat_prefix_completion"),
        Provider(
            name: "gemini", title: "Google Gemini",
            endpoint: Provider.Endpoint(dialect: "gemini", baseURL: "https://generativelanguage.googleapis.com/v1beta"),
            others: [
                chat(
                    "https://generativelanguage.googleapis.com/v1beta/openai",
                    Quirks(keyField: .bearer, reasoningEcho: .drop))
            ], keyVariable: "GEMINI_API_KEY", model: "gemini-2.5-flash",
            documentation: "https://ai.google.dev/api/generate-content"),
        Provider(
            name: "openrouter", title: "OpenRouter",
            endpoint: chat("https://openrouter.ai/api/v1", Quirks(continuation: .prefill, thinking: .reasoning)),
            others: [messages("https://openrouter.ai/api/v1", Quirks(continuation: .prefill, keyField: .bearer))],
            keyVariable: "OPENROUTER_API_KEY", model: "openrouter/auto",
            documentation: "https://openrouter.ai/docs/api-reference/overview"),
        Provider(
            name: "groq", title: "Groq",
            endpoint: chat("https://api.groq.com/openai/v1", Quirks(continuation: .prefill, reasoningEcho: .drop)),
            keyVariable: "GROQ_API_KEY", model: "llama-3.3-70b-versatile",
            documentation: "https://console.groq.com/docs/openai"),
        // Mistral refuses `stream_options` with 422, and always reports usage. Its reasoning is in the content.
        Provider(
            name: "mistral", title: "Mistral",
            endpoint: chat(
                "https://api.mistral.ai/v1",
                Quirks(usage: .none, continuation: .prefixFlag, reasoningEcho: .parts)),
            keyVariable: "MISTRAL_API_KEY", model: "mistral-small-latest",
            documentation: "https://docs.mistral.ai/api/endpoint/chat"),
        Provider(
            name: "xai", title: "xAI", endpoint: chat("https://api.x.ai/v1"),
            others: [responses("https://api.x.ai/v1")],
            keyVariable: "XAI_API_KEY", model: "grok-4-1-fast-non-reasoning",
            documentation: "https://docs.x.ai/docs/api-reference"),
        Provider(
            name: "together", title: "Together AI", endpoint: chat("https://api.together.xyz/v1"),
            keyVariable: "TOGETHER_API_KEY", model: "meta-llama/Llama-3.3-70B-Instruct-Turbo",
            documentation: "https://docs.together.ai/docs/openai-api-compatibility"),
        Provider(
            name: "fireworks", title: "Fireworks AI", endpoint: chat("https://api.fireworks.ai/inference/v1"),
            keyVariable: "FIREWORKS_API_KEY", model: "accounts/fireworks/models/llama-v3p3-70b-instruct",
            documentation: "https://docs.fireworks.ai/tools-sdks/openai-compatibility"),
        Provider(
            name: "qwen", title: "Qwen (DashScope)",
            endpoint: chat(
                "https://dashscope.aliyuncs.com/compatible-mode/v1",
                Quirks(continuation: .partialFlag, thinking: .flag)),
            keyVariable: "DASHSCOPE_API_KEY", model: "qwen-plus",
            documentation: "https://help.aliyun.com/en/model-studio/partial-mode"),
        Provider(
            name: "moonshot", title: "Moonshot AI (Kimi)",
            endpoint: chat("https://api.moonshot.cn/v1", Quirks(continuation: .partialFlag, thinking: .type)),
            keyVariable: "MOONSHOT_API_KEY", model: "kimi-latest",
            documentation: "https://platform.moonshot.cn/docs/api/partial"),
        Provider(
            name: "zhipu", title: "Zhipu AI (GLM)",
            endpoint: chat(
                "https://open.bigmodel.cn/api/paas/v4", Quirks(usage: .none, thinking: .type, takesSchema: false)),
            keyVariable: "ZHIPUAI_API_KEY", model: "glm-4.5-flash",
            documentation: "https://docs.bigmodel.cn/cn/guide/develop/openai/introduction"),
        Provider(
            name: "siliconflow", title: "SiliconFlow",
            endpoint: chat("https://api.siliconflow.cn/v1", Quirks(thinking: .flag)),
            keyVariable: "SILICONFLOW_API_KEY", model: "deepseek-ai/DeepSeek-V3",
            documentation: "https://docs.siliconflow.cn/en/api-reference/chat-completions/chat-completions"),
        Provider(
            name: "cohere", title: "Cohere",
            endpoint: Provider.Endpoint(dialect: "cohere", baseURL: "https://api.cohere.com"),
            others: [chat("https://api.cohere.ai/compatibility/v1")], keyVariable: "CO_API_KEY",
            model: "command-a-03-2025", documentation: "https://docs.cohere.com/reference/chat-stream"),
        // Each customer has a base URL: https://RESOURCE.openai.azure.com/openai/v1.
        Provider(
            name: "azure", title: "Azure OpenAI",
            endpoint: chat(
                "",
                Quirks(keyField: .header("api-key"), lengthField: .maxCompletionTokens, reasoningEcho: .drop)),
            others: [responses("", Quirks(keyField: .header("api-key")))], keyVariable: "AZURE_OPENAI_API_KEY",
            documentation: "https://learn.microsoft.com/azure/ai-foundry/openai/api-version-lifecycle"),
        Provider(
            name: "huggingface", title: "Hugging Face", endpoint: chat("https://router.huggingface.co/v1"),
            keyVariable: "HF_TOKEN", model: "openai/gpt-oss-120b",
            documentation: "https://huggingface.co/docs/inference-providers/tasks/chat-completion"),
        // The base URL has the customer's project and region; the key is a short-lived token (gcloud auth
        // print-access-token).
        Provider(
            name: "vertex", title: "Google Vertex AI",
            endpoint: Provider.Endpoint(dialect: "gemini", baseURL: "", quirks: Quirks(keyField: .bearer)),
            keyVariable: "VERTEX_ACCESS_TOKEN", model: "gemini-2.5-flash",
            documentation:
                "https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/inference"),
    ]

    private static let local: [Provider] = [
        Provider(
            name: "ollama", title: "Ollama",
            endpoint: chat("http://127.0.0.1:11434/v1", Quirks(continuation: .prefill)),
            others: [
                Provider.Endpoint(
                    dialect: "ollama", baseURL: "http://127.0.0.1:11434", quirks: Quirks(continuation: .prefill))
            ], model: "qwen3", documentation: "https://docs.ollama.com/api/openai-compatibility"),
        Provider(
            name: "tgi", title: "Text Generation Inference",
            endpoint: Provider.Endpoint(
                dialect: "tgi", baseURL: "http://127.0.0.1:3000", quirks: Quirks(continuation: .prefill)),
            others: [chat("http://127.0.0.1:3000/v1")], model: "tgi",
            documentation: "https://huggingface.co/docs/text-generation-inference/reference/api_reference"),
        Provider(
            name: "vllm", title: "vLLM",
            endpoint: chat("http://127.0.0.1:8000/v1", Quirks(continuation: .bodyFlag, thinking: .template)),
            model: "Qwen/Qwen3-8B",
            documentation: "https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html"),
        Provider(
            name: "llamacpp", title: "llama.cpp",
            endpoint: chat("http://127.0.0.1:8080/v1", Quirks(continuation: .prefill, thinking: .template)),
            others: [
                responses("http://127.0.0.1:8080/v1"),
                messages("http://127.0.0.1:8080/v1", Quirks(continuation: .prefill, takesSchema: false)),
            ], model: "default",
            documentation: "https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md"),
    ]
}
