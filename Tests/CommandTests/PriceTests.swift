// llm.budget { usd } and models without a price.

import Support
import Testing

@Suite struct PriceTests {
    /// The usual models of the providers whose key is here: those without a price are named once, on standard error.
    @Test func aBudgetOfDollarsNamesModelsWithoutAPrice() throws {
        let result = try MoonrillBinary.run(
            script: "local llm = require 'llm' llm.budget { usd = 1 } llm.budget { usd = 1 } print('over')",
            environment: ["CO_API_KEY": "k", "XAI_API_KEY": "k"])
        #expect(result.output == "over\n")
        let lines = result.errorOutput.split(separator: "\n")
        #expect(lines.count == 1 && lines[0].contains("command-a-03-2025 (cohere)"), "\(result.errorOutput)")
        #expect(!result.errorOutput.contains("grok"))
    }
}
