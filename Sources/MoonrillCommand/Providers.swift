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

    @Flag(help: "Print a Markdown table, without what is set here.")
    var markdown = false

    func run() throws {
        let text = markdown ? markdownTable() : table(try ProviderTable(defining: ownProviders()).all)
        try StandardOutput.write(text)
    }

    private func table(_ providers: [Provider]) -> String {
        let chosen = ProcessEnvironment.defaultProvider(among: providers)
        var rows = [["PROVIDER", "KEY", "VARIABLE", "DIALECTS", "MODEL", "BASE URL"]]
        for preset in providers {
            let key = preset.keyVariable.map { ProcessEnvironment.has($0) ? "set" : "-" } ?? "not needed"
            let mark = preset.name == chosen ? "\(preset.name) *" : preset.name
            rows.append([
                mark, key, preset.keyVariable ?? "", preset.endpoints.map(\.dialect).joined(separator: ", "),
                preset.model ?? "", preset.baseURL.isEmpty ? "(one for each customer)" : preset.baseURL,
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

    private func markdownTable() -> String {
        var text = "| provider | key variable | dialects | model | base URL |\n|---|---|---|---|---|\n"
        for preset in ProviderCatalog.all {
            let dialects = preset.endpoints.map { "`\($0.dialect)`" }.joined(separator: ", ")
            let variable = preset.keyVariable.map { "`\($0)`" } ?? "none needed"
            text +=
                "| `\(preset.name)` ([\(preset.title)](\(preset.documentation))) | \(variable) | \(dialects) | \(Self.code(preset.model)) | \(Self.code(preset.baseURL)) |\n"
        }
        return text
    }

    private static func code(_ text: String?) -> String { text.flatMap { $0.isEmpty ? nil : "`\($0)`" } ?? "" }
}
