// Keys, removed from the environment before any script runs. Their values go to the engine only.

internal import CProcess
internal import Providers

/// The environment at the start of the process, and the variables that are hidden from scripts.
final class KeyStore {
    private var environment: [String: String] = [:]
    private var hidden: Set<String> = []
    private let passed: Set<String>
    /// A shorter value could occur in other variables by chance.
    private static let leastSecretLength = 8

    /// Reads the environment and removes the key variables of the built-in providers from it.
    /// - Parameter names: variables that are never removed.
    init(passing names: [String]) {
        passed = Set(names)
        var index = 0
        while let entry = mp_variable(index) {
            let parts = String(cString: entry).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            index += 1
            // If a name occurs twice, getenv(3) finds the first.
            if parts.count == 2, environment[String(parts[0])] == nil {
                environment[String(parts[0])] = String(parts[1])
            }
        }
        for name in names { mp_keep_variable(name) }
        hide(ProviderCatalog.all)
    }

    /// Removes the key variables of providers from the environment.
    func hide(_ providers: [Provider]) { for provider in providers { _ = provider.keyVariable.map(hide) } }

    /// Removes a variable, and all others that hold the same key, from the environment. Returns true if it has a value.
    func hide(_ name: String) -> Bool {
        guard let key = environment[name], !key.isEmpty else { return false }
        guard !passed.contains(name), hidden.insert(name).inserted else { return true }
        mp_erase_variable(name)
        if key.utf8.count >= Self.leastSecretLength { mp_erase_variables_holding(key) }
        mp_forbid_core_files()
        #if !SANITIZED
            // Not with the leak sanitizer, which traces its own process.
            mp_protect_memory()
        #endif
        return true
    }

    /// The key in the variable of that name.
    func value(_ name: String) -> String? { hide(name) ? environment[name] : nil }
}
