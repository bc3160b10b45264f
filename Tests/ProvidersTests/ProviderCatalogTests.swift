// The presets hold together, and wrong names find the right ones.

import Base
import Chat
import Formats
import JSON
import Providers
import Testing

@Suite struct ProviderCatalogTests {
    @Test func namesAreKnown() {
        #expect(
            ProviderCatalog.all.map(\.name) == [
                "openai", "anthropic", "deepseek", "gemini", "openrouter", "groq", "mistral", "xai", "together",
                "fireworks",
                "qwen",
                "moonshot",
                "zhipu", "siliconflow", "cohere", "azure", "huggingface", "vertex", "ollama", "tgi", "vllm", "llamacpp",
            ])
    }

    @Test(arguments: ProviderCatalog.all) func preset(_ preset: Provider) throws {
        for endpoint in preset.endpoints where !endpoint.baseURL.isEmpty {
            let base = try BaseURL(endpoint.baseURL)
            // Only servers on this machine need no key.
            #expect(base.scheme == (preset.keyVariable == nil ? "http" : "https"))
            #expect(["127.0.0.1", "localhost"].contains(base.host) == (preset.keyVariable == nil))
            #expect(!endpoint.baseURL.hasSuffix("/"))
            if let other = endpoint.quirks.continuationBaseURL { #expect(try BaseURL(other).origin == base.origin) }
        }
        #expect(preset.endpoints.allSatisfy { FormatCatalog.named($0.dialect) != nil })
        #expect(Set(preset.endpoints.map(\.dialect)).count == preset.endpoints.count)
        #expect(preset.model?.isEmpty != true)
        #expect(!preset.title.isEmpty)
        #expect(preset.documentation.hasPrefix("https://"))
        #expect(ProviderCatalog.named(preset.name.uppercased()) == preset)
        if let variable = preset.keyVariable {
            #expect(variable.allSatisfy { $0.isUppercase || $0 == "_" })
        }
    }

    @Test func unknownNames() {
        #expect(ProviderCatalog.named("nobody") == nil)
        #expect(Set(ProviderCatalog.all.compactMap(\.keyVariable)).count == 18)
    }

    @Test(
        arguments: [
            ("deepseak", "deepseek"), ("DeepSeek", "deepseek"), ("opnai", "openai"), ("openia", "openai"),
            ("mistrl", "mistral"), ("olama", "ollama"), ("huggingfaces", "huggingface"), ("xia", "xai"),
            ("completely-else", nil), ("", nil), ("zz", nil),
        ] as [(String, String?)]) func suggestions(wrong: String, right: String?)
    {
        #expect(ProviderCatalog.suggestion(for: wrong) == right)
    }

    @Test(arguments: [
        ("", "", 0), ("a", "", 1), ("", "ab", 2), ("abc", "abc", 0), ("abc", "acb", 1), ("abc", "abd", 1),
        ("abc", "bc", 1),
        ("kitten", "sitting", 3), ("ca", "abc", 3), ("über", "uber", 1),
    ]) func distances(a: String, b: String, distance: Int) {
        #expect(NearestName.distance(Array(a.unicodeScalars), Array(b.unicodeScalars)) == distance)
        #expect(NearestName.distance(Array(b.unicodeScalars), Array(a.unicodeScalars)) == distance)
    }

    // MARK: Defined by users

    private static func defined(_ definition: JSONObject, over known: Provider? = nil) throws(APIError) -> Provider {
        try Provider(definition, over: known)
    }

    @Test func definition() throws {
        let preset = try Self.defined([
            "name": "mine", "title": "My gateway", "base_url": "https://llm.example/v1", "key_env": "MINE_KEY",
            "model": "m-1",
            "quirks": [
                "usage": "none", "continuation": "prefill", "key_header": "x-key", "thinking": "flag",
                "max_tokens": "max_completion_tokens", "reasoning_echo": "drop", "takes_schema": false,
            ],
        ])
        #expect(preset.dialect == "openai")
        #expect(preset.baseURL == "https://llm.example/v1")
        #expect(preset.keyVariable == "MINE_KEY")
        #expect(
            preset.endpoints[0].quirks
                == Quirks(
                    usage: .none, continuation: .prefill, keyField: .header("x-key"),
                    lengthField: .maxCompletionTokens, thinking: .flag, reasoningEcho: .drop, takesSchema: false))
    }

    @Test func definitionsChangeOnlyWhatTheySay() throws {
        let known = try #require(ProviderCatalog.named("deepseek"))
        let preset = try Self.defined(["name": "deepseek", "base_url": "https://proxy.example/ds"], over: known)
        #expect(preset.baseURL == "https://proxy.example/ds")
        #expect(preset.keyVariable == known.keyVariable)
        #expect(preset.model == known.model)
        #expect(preset.endpoints[0].quirks == known.endpoints[0].quirks)
        for name in ["azure", "vertex"] {
            let preset = try Self.defined(["name": .string(name), "model": "m"], over: ProviderCatalog.named(name))
            #expect(preset.model == "m")
            #expect(preset.baseURL.isEmpty)
        }
        let keyless = try Self.defined(["name": "deepseek", "key_env": false], over: known)
        #expect(keyless.keyVariable == nil)
    }

    @Test(
        arguments: [
            (["base_url": "https://a.example"], "name is missing"),
            (["name": "My", "base_url": "https://a.example"], "small letters"),
            (["name": "a"], "base_url is missing"),
            (["name": "a", "base_url": "ftp://a.example"], "ftp"),
            (["name": "a", "base_url": "https://a.example", "dialect": "opnai"], "did you mean \"openai\""),
            (["name": "a", "base_url": "https://a.example", "key": "sk"], "unknown member \"key\""),
            (["name": "a", "base_url": "https://a.example", "quirks": ["usag": "none"]], "did you mean \"usage\""),
            (
                ["name": "a", "base_url": "https://a.example", "quirks": ["usage": "some"]],
                "quirks.usage must be one of \"stream_options\", \"none\""
            ),
            (["name": "a", "base_url": "https://a.example", "quirks": ["key_header": "x y"]], "quirks.key_header"),
            (["name": "a", "base_url": "https://a.example", "model": 3], "model must be a string"),
            (["name": "a", "base_url": "https://a.example", "key_env": "sk-1"], "key_env must be the name of"),
        ] as [(JSONObject, String)]) func wrongDefinitions(definition: JSONObject, says: String)
    {
        let error = #expect(throws: APIError.self) { try Self.defined(definition) }
        #expect(error?.kind == .config)
        #expect(error?.message.contains(says) == true, "\(error?.message ?? "")")
    }
}
