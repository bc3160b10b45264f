// The providers that are known to one script or command: the presets, what the configuration file made of them, and what
// the script defines itself. Data alone.

internal import Base

/// Providers by name.
package struct ProviderTable: Sendable {
    /// All of them, in the order in which a key is looked for.
    package private(set) var all: [Provider]

    /// The presets, and those that replace or follow them.
    package init(defining own: [Provider] = []) {
        all = ProviderCatalog.all
        for preset in own { define(preset) }
    }

    /// Adds a provider, or replaces the one of that name.
    package mutating func define(_ preset: Provider) {
        if let index = all.firstIndex(where: { $0.name == preset.name }) {
            all[index] = preset
        } else {
            all.append(preset)
        }
    }

    /// The provider of that name, case aside.
    package func named(_ name: String) -> Provider? {
        let wanted = name.lowercased()
        return all.first { $0.name == wanted }
    }

    /// The name that was probably meant.
    package func suggestion(for name: String) -> String? {
        NearestName.suggestion(for: name, among: all.map(\.name))
    }
}
