// `moonrill providers`: the providers and which of them have a key. Keys are not shown.

internal import ArgumentParser
internal import Glibc
internal import Moonrill
internal import Providers

struct Providers: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "providers",
        abstract: "List the providers and which of them have a key.",
        discussion: "A key is set in its environment variable, for example: export DEEPSEEK_API_KEY=...")

    func run() throws { try StandardOutput.write(table(try ProviderTable(defining: ownProviders()).all)) }

    private func table(_ providers: [Provider]) -> String {
        let chosen = ProcessEnvironment.defaultProvider(among: providers)
        var rows = [["PROVIDER", "KEY", "VARIABLE", "DIALECTS", "MODEL", "BASE URL"]]
        for provider in providers {
            let key = provider.keyVariable.map { ProcessEnvironment.has($0) ? "set" : "-" } ?? "not needed"
            let mark = provider.name == chosen ? "\(provider.name) *" : provider.name
            rows.append([
                mark, key, provider.keyVariable ?? "", provider.endpoints.map(\.dialect).joined(separator: ", "),
                provider.model ?? "", provider.baseURL.isEmpty ? "(one for each customer)" : provider.baseURL,
            ])
        }
        let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        var text = ""
        for row in rows {
            let cells = zip(row, widths).map { cell, width in cell + String(repeating: " ", count: width - cell.count) }
            var line = cells.joined(separator: "  ")
            while line.last == " " { line.removeLast() }
            text += line + "\n"
        }
        return text + (chosen == nil ? "" : "* the default\n")
    }
}
