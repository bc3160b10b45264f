// The presets hold together, and wrong names find the right ones.

import Dialects
import Testing

@Suite struct PresetTests {
    @Test func namesAreKnown() {
        #expect(
            Presets.all.map(\.name) == [
                "openai", "deepseek", "openrouter", "groq", "mistral", "xai", "together", "fireworks", "qwen",
                "moonshot",
                "zhipu", "siliconflow", "huggingface", "ollama", "vllm", "llamacpp",
            ])
    }

    @Test(arguments: Presets.all) func preset(_ preset: Preset) throws {
        let base = try BaseURL(preset.baseURL)
        #expect(base.isLoopback == preset.isLocal)
        #expect(base.scheme == (preset.isLocal ? "http" : "https"))
        #expect(!preset.baseURL.hasSuffix("/"))
        #expect(!preset.model.isEmpty)
        #expect(!preset.title.isEmpty)
        #expect(preset.documentation.hasPrefix("https://"))
        #expect(preset.dialect == "openai")
        #expect(Presets.named(preset.name.uppercased()) == preset)
        #expect(preset.endpoint.baseURL == preset.baseURL)
        #expect(preset.endpoint.keyVariable == preset.keyVariable)
        #expect(preset.endpoint.quirks == preset.quirks)
        if let variable = preset.keyVariable {
            #expect(variable.allSatisfy { $0.isUppercase || $0 == "_" })
        }
        if let other = preset.quirks.continuationBaseURL { #expect(try BaseURL(other).origin == base.origin) }
    }

    @Test func unknownNames() {
        #expect(Presets.named("nobody") == nil)
        #expect(Set(Presets.all.compactMap(\.keyVariable)).count == 13)
    }

    @Test(
        arguments: [
            ("deepseak", "deepseek"), ("DeepSeek", "deepseek"), ("opnai", "openai"), ("openia", "openai"),
            ("mistrl", "mistral"), ("olama", "ollama"), ("huggingfaces", "huggingface"), ("xia", "xai"),
            ("completely-else", nil), ("", nil), ("zz", nil),
        ] as [(String, String?)]) func suggestions(wrong: String, right: String?)
    {
        #expect(Presets.suggestion(for: wrong) == right)
    }

    @Test(arguments: [
        ("", "", 0), ("a", "", 1), ("", "ab", 2), ("abc", "abc", 0), ("abc", "acb", 1), ("abc", "abd", 1),
        ("abc", "bc", 1),
        ("kitten", "sitting", 3), ("ca", "abc", 3), ("über", "uber", 1),
    ]) func distances(a: String, b: String, distance: Int) {
        #expect(NearestName.distance(Array(a.unicodeScalars), Array(b.unicodeScalars)) == distance)
        #expect(NearestName.distance(Array(b.unicodeScalars), Array(a.unicodeScalars)) == distance)
    }
}
