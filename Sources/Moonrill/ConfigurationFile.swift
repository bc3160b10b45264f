// The user's configuration file: its path and its settings.

internal import Glibc
public import Providers
internal import Script

/// The file in which users define providers: Lua that calls `llm.provider{...}`, and may set `log`.
public enum ConfigurationFile {
    /// The default path: `moonrill/config.lua` in `$XDG_CONFIG_HOME`, else in `~/.config` (XDG Base Directory Specification).
    /// Nil if neither variable is set.
    public static var defaultPath: String? {
        let folder =
            ProcessEnvironment.value("XDG_CONFIG_HOME") ?? ProcessEnvironment.value("HOME").map { $0 + "/.config" }
        return folder.map { $0 + "/moonrill/config.lua" }
    }

    /// What a configuration file says.
    public struct Settings: Sendable {
        /// The providers that it defines.
        public var providers: [Provider] = []
        /// Whether requests are recorded in the log (`log = true`); nil if it does not say.
        public var log: Bool?

        /// Those of an empty file.
        public init() {}
    }

    /// The providers of the file at `path`; none if it does not exist.
    /// - Throws: ``ScriptHostError`` with file and line.
    public static func providers(at path: String?) throws(ScriptHostError) -> [Provider] {
        try settings(at: path).providers
    }

    /// The settings of the file at `path`; those of an empty file if it does not exist. The file runs without network, files,
    /// environment and modules.
    /// - Throws: ``ScriptHostError`` with the file, and the line where there is one.
    public static func settings(at path: String?) throws(ScriptHostError) -> Settings {
        var settings = Settings()
        guard let path, access(path, F_OK) == 0 else { return settings }
        let source = try ScriptFile.read(path)
        do throws(ScriptFailure) {
            let result = try ConfigurationScript.run(source: source, name: path)
            (settings.providers, settings.log) = (result.providers, result.log)
            return settings
        } catch {
            throw ScriptHostError(message: SyntaxErrorSnippet.add(to: error.message, source: source))
        }
    }
}
