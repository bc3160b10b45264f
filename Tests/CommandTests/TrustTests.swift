// Whom the command trusts: the system's certificates, or those in the file that SSL_CERT_FILE names.

import Foundation
import Support
import Testing

@Suite(
    .serialized,
    .enabled(
        if: ChildServer.isInstalled("openssl") && ChildServer.isInstalled("python3"),
        "openssl or python3 is not installed"))
struct TrustTests {
    static let script = """
        local llm = require 'llm'
        local reply, err = llm.client { provider = 'deepseek', base_url = arg[1], model = 'm' }:ask('x')
        print(reply or err.kind, err and err.retryable, err and err.attempts)
        io.stderr:write(err and err.message or '')
        """

    /// Asks a server whose certificate signs itself; `trusting` gives the file in a folder that holds it as cert.pem.
    private func ask(trusting file: (String) -> String?) throws -> MoonrillBinary.Result {
        var result: MoonrillBinary.Result?
        try withCertificate(for: "IP:127.0.0.1") { folder in
            let server = try ChildServer(tls: "http1", in: folder)
            defer { server.stop() }
            let path = folder + "/ask.lua"
            try Data(Self.script.utf8).write(to: URL(fileURLWithPath: path))
            var environment = ["DEEPSEEK_API_KEY": "sk-none"]
            environment["SSL_CERT_FILE"] = file(folder)
            result = try MoonrillBinary.run(
                ["run", path, "https://127.0.0.1:\(server.port)/v1"], environment: environment)
        }
        return try #require(result)
    }

    @Test func aNamedFileIsTrusted() throws {
        let result = try ask { $0 + "/cert.pem" }
        #expect(result.output == "one two three\tnil\tnil\n", "\(result.errorOutput)")
    }

    @Test func withoutItTheErrorSaysTheWayOut() throws {
        let result = try ask { _ in nil }
        #expect(result.output == "network\tfalse\t1\n")
        #expect(result.errorOutput.contains("self-signed certificate"))
        #expect(result.errorOutput.contains("SSL_CERT_FILE"))
    }

    @Test func aFileThatIsNotThereIsNamed() throws {
        let result = try ask { $0 + "/none.pem" }
        #expect(result.output == "network\tfalse\t1\n")
        #expect(result.errorOutput.contains("/none.pem"), "\(result.errorOutput)")
    }
}
