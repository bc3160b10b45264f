// The user's configuration file: where it is, and the providers in it.

internal import Glibc
public import Providers
internal import Script

/// The file in which users define providers of their own: Lua that calls `llm.provider{...}`.
public enum ConfigurationFile {
    /// Its usual place: `moonrill/config.lua` in `$XDG_CONFIG_HOME`, else in `~/.config` (XDG Base Directory
    /// Specification). Nil where neither variable is set.
    public static var defaultPath: String? {
        let folder =
            ProcessEnvironment.value("XDG_CONFIG_HOME") ?? ProcessEnvironment.value("HOME").map { $0 + "/.config" }
        return folder.map { $0 + "/moonrill/config.lua" }
    }

    /// The providers that the file at `path` defines; none if there is no such file. The file runs without network,
    /// files, environment or modules.
    /// - Throws: ``ScriptHostError`` that names the file and the line.
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
