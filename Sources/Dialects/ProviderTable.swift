// The providers that are known to one script or command: the presets, what the configuration file made of them, and what
// the script defines itself. Data alone.

/// Providers by name.
public struct ProviderTable: Sendable {
    /// All of them, in the order in which a key is looked for.
    public private(set) var all: [Preset]

    /// The presets, and those that replace or follow them.
    public init(defining own: [Preset] = []) {
        all = Presets.all
        for preset in own { define(preset) }
    }

    /// Adds a provider, or replaces the one of that name.
    public mutating func define(_ preset: Preset) {
        if let index = all.firstIndex(where: { $0.name == preset.name }) {
            all[index] = preset
        } else {
            all.append(preset)
        }
    }

    /// The provider of that name, case aside.
    public func named(_ name: String) -> Preset? {
        let wanted = name.lowercased()
        return all.first { $0.name == wanted }
    }

    /// The name that was probably meant.
    public func suggestion(for name: String) -> String? {
        NearestName.suggestion(for: name, among: all.map(\.name))
    }
}
