// The keys, taken out of the environment before any script runs. Their values go from here to the engine, and nowhere else.

internal import CProcess
internal import Providers

/// The environment as it was when the process began, and which of its variables scripts no longer see.
final class KeyStore {
    private var environment: [String: String] = [:]
    private var hidden: Set<String> = []
    private let passed: Set<String>
    /// A shorter value could be part of an ordinary variable by chance.
    private static let leastSecretLength = 8

    /// Notes the environment and takes the presets' key variables out of it.
    /// - Parameter names: variables that stay whatever they hold.
    init(passing names: [String]) {
        passed = Set(names)
        var index = 0
        while let entry = mp_variable(index) {
            let parts = String(cString: entry).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            index += 1
            // Of a name that stands there twice, the first one counts (getenv(3)).
            if parts.count == 2, environment[String(parts[0])] == nil {
                environment[String(parts[0])] = String(parts[1])
            }
        }
        for name in names { mp_keep_variable(name) }
        hide(ProviderCatalog.all)
    }

    /// Takes the key variables of providers out of the environment.
    func hide(_ providers: [Provider]) { for provider in providers { _ = provider.keyVariable.map(hide) } }

    /// Takes a variable out of the environment, and all others that hold the same key. True if it has a value.
    func hide(_ name: String) -> Bool {
        guard let key = environment[name], !key.isEmpty else { return false }
        guard !passed.contains(name), hidden.insert(name).inserted else { return true }
        mp_erase_variable(name)
        if key.utf8.count >= Self.leastSecretLength { mp_erase_variables_holding(key) }
        mp_forbid_core_files()
        #if !SANITIZED
            // The leak sanitizer traces its own process, which this forbids.
            mp_protect_memory()
        #endif
        return true
    }

    /// The key in the variable of that name, for a request.
    func value(_ name: String) -> String? { hide(name) ? environment[name] : nil }
}
