// The user's configuration file: its path and its providers.

internal import Glibc
public import Providers
internal import Script

/// The file in which users define providers: Lua that calls `llm.provider{...}`.
public enum ConfigurationFile {
    /// The default path: `moonrill/config.lua` in `$XDG_CONFIG_HOME`, else in `~/.config` (XDG Base Directory Specification).
    /// Nil if neither variable is set.
    public static var defaultPath: String? {
        let folder =
            ProcessEnvironment.value("XDG_CONFIG_HOME") ?? ProcessEnvironment.value("HOME").map { $0 + "/.config" }
        return folder.map { $0 + "/moonrill/config.lua" }
    }

    /// The providers of the file at `path`; none if it does not exist. The file runs without network, files, environment and
    /// modules.
    /// - Throws: ``ScriptHostError`` with file and line.
    public static func providers(at path: String?) throws(ScriptHostError) -> [Provider] {
        guard let path, access(path, F_OK) == 0 else { return [] }
        let source = try ScriptFile.read(path)
        do throws(ScriptFailure) {
            return try ConfigurationScript.providers(source: source, name: path)
        } catch {
            throw ScriptHostError(message: SyntaxErrorSnippet.add(to: error.message, source: source))
        }
    }
}
