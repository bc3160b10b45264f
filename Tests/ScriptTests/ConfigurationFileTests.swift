// The configuration file of the user: the providers that it defines, and its errors.

import Foundation
import Moonrill
import Providers
import ScriptSupport
import Testing

@Suite struct ConfigurationFileTests {
    private func configured(_ lua: String) throws -> (path: String, providers: () throws -> [Provider]) {
        let folder = try TemporaryFolder(["config.lua": lua])
        let path = folder.url.appendingPathComponent("config.lua").path
        return (path, { [folder] in try withExtendedLifetime(folder) { try ConfigurationFile.providers(at: path) } })
    }

    @Test func itDefinesAndChangesProviders() throws {
        let (_, providers) = try configured(
            """
            local llm = require "llm"
            for _, name in ipairs { "one", "two" } do
              llm.provider { name = name, base_url = "https://" .. name .. ".example/v1" }
            end
            llm.provider { name = "deepseek", model = "deepseek-reasoner" }
            llm.provider { name = "two", model = "m" }
            """)
        let found = try providers()
        #expect(found.map(\.name) == ["one", "deepseek", "two"])
        #expect(found[2].baseURL == "https://two.example/v1")
        #expect(found[2].model == "m")
        #expect(found[1].keyVariable == "DEEPSEEK_API_KEY")
    }

    @Test func anAbsentFileDefinesNoProvider() throws {
        #expect(try ConfigurationFile.providers(at: "/nowhere/config.lua").isEmpty)
        #expect(try ConfigurationFile.providers(at: nil).isEmpty)
    }

    @Test(
        arguments: [
            (#"io.open("/etc/passwd")"#, ":2: attempt to index a nil value (global 'io')"),
            (#"os.execute("true")"#, ":2: attempt to index a nil value (global 'os')"),
            (#"require "socket""#, ":2: the configuration file can require \"llm\" and nothing else"),
            (#"dofile "x""#, ":2: attempt to call a nil value (global 'dofile')"),
            (#"llm.provider { name = "a", base_ur = 3 }"#, ":2: llm.provider: unknown member \"base_ur\""),
            ("while true do end", ": did not end within 2.0 s"),
            ("local x = = 3", ":2: unexpected symbol near '='\n2 | local x = = 3\n"),
            ("local t = {} for i = 1, 1e9 do t[i] = ('x'):rep(1000000) .. i end", ": not enough memory"),
        ]) func errorsNameTheFileAndTheLine(lua: String, message: String) throws
    {
        let (path, providers) = try configured("local a = 1\n" + lua)
        let error = #expect(throws: ScriptHostError.self) { try providers() }
        #expect(error?.message.hasPrefix(path + message) == true, "\(error?.message ?? "")")
    }
}
