// The providers of one script or command: the built-in ones, changed and extended by the configuration file and the script.

internal import Base

/// Providers by name.
package struct ProviderTable: Sendable {
    /// All providers in the order in which their keys are searched.
    package private(set) var all: [Provider]

    /// The built-in providers, and others that replace or follow them.
    package init(defining own: [Provider] = []) {
        all = ProviderCatalog.all
        for preset in own { define(preset) }
    }

    /// Adds a provider, or replaces the one with its name.
    package mutating func define(_ preset: Provider) {
        if let index = all.firstIndex(where: { $0.name == preset.name }) {
            all[index] = preset
        } else {
            all.append(preset)
        }
    }

    /// The provider with that name, in any case.
    package func named(_ name: String) -> Provider? {
        let wanted = name.lowercased()
        return all.first { $0.name == wanted }
    }

    /// The most similar name.
    package func suggestion(for name: String) -> String? {
        NearestName.suggestion(for: name, among: all.map(\.name))
    }
}
