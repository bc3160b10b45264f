// docs/providers.md lists the providers of the catalog.

import Foundation
import Providers
import Support
import Testing

@Suite struct ProviderPageTests {
    @Test func theTableOfThePageIsTheCatalog() throws {
        let page = try String(contentsOfFile: MoonrillBinary.packageRoot + "/docs/providers.md", encoding: .utf8)
        let lines = page.split(separator: "\n").map(String.init)
        let start = try #require(lines.firstIndex(of: "| provider | key variable | dialects | model | base URL |"))
        let rows = lines[(start + 2)...].prefix { $0.hasPrefix("|") }
        #expect(Array(rows) == ProviderCatalog.all.map(row))
    }

    private func row(of provider: Provider) -> String {
        let dialects = provider.endpoints.map { "`\($0.dialect)`" }.joined(separator: ", ")
        let cells = [
            "`\(provider.name)` ([\(provider.title)](\(provider.documentation)))",
            provider.keyVariable.map { "`\($0)`" } ?? "none needed", dialects, code(provider.model ?? ""),
            code(provider.baseURL),
        ]
        return "| " + cells.joined(separator: " | ") + " |"
    }

    private func code(_ text: String) -> String { text.isEmpty ? "" : "`\(text)`" }
}
