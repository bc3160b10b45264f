// A key in the environment appears in nothing that a run writes: a marked one is looked for in every output, with logs
// at their loudest, against a server that sends it back wherever it can.

import Foundation
import HTTP
import ProviderSimulator
import Support
import Testing

@Suite struct KeySecrecyTests {
    static let key = "sk-moonrill-marked-0123456789abcdef"

    /// A server whose bodies repeat the request's Authorization header.
    static func echo(status: String, stream: Bool) throws -> RawServer {
        try RawServer { connection in
            guard let request = connection.readRequest() else { return }
            let sent = request["Authorization"] ?? "none"
            let error =
                "{\"error\":{\"message\":\"wrong key: \(sent)\",\"type\":\"invalid_request_error\",\"code\":\"\(sent)\"}}"
            let body = stream ? "data: \(error)\n\n" : error
            let type = stream ? "text/event-stream" : "application/json"
            _ = connection.write(
                "HTTP/1.1 \(status)\r\nContent-Type: \(type)\r\nX-Request-Id: \(sent)\r\nContent-Length: \(body.utf8.count)\r\nConnection: close\r\n\r\n\(body)"
            )
            connection.close()
        }
    }

    static let dump = """
        local llm = require 'llm'
        local function dump(value, seen)
          if type(value) ~= 'table' then return tostring(value) end
          if seen[value] then return '...' end
          seen[value] = true
          local parts = { tostring(value) }
          for k, v in pairs(value) do parts[#parts + 1] = dump(k, seen) .. '=' .. dump(v, seen) end
          return '{' .. table.concat(parts, ', ') .. '}'
        end
        local options = { provider = 'deepseek', base_url = arg and arg[1] or URL, model = 'm', retry = { max = 1, base = 0.01 } }
        local client = llm.client(options)
        print(dump(client, {}), dump(llm.providers(), {}), os.getenv('DEEPSEEK_API_KEY'))
        local out = function(...) print(dump({ ... }, {})) end
        print(dump({ client:ask('x', { on_chunk = out, on_event = out, on_retry = out, on_error = out, on_finish = out }) }, {}))
        print(pcall(function() for e in client:stream('x') do out(e) end end))
        assert(client:ask('x'))
        """

    private func expectNoKey(_ result: MoonrillBinary.Result) {
        for text in [result.output, result.errorOutput] {
            #expect(!text.contains(Self.key))
            #expect(!text.contains("marked"), "\(text)")
        }
        #expect(!result.output.isEmpty)
    }

    @Test(
        arguments: ["401 Unauthorized", "400 Bad Request", "500 Internal Server Error", "302 Found", "200 OK"],
        [true, false])
    func neverComesBack(status: String, stream: Bool) throws {
        let server = try Self.echo(status: status, stream: stream)
        defer { server.stop() }
        let script = "URL = 'http://127.0.0.1:\(server.port)/v1'\n" + Self.dump
        expectNoKey(
            try MoonrillBinary.run(
                script: script, ["--log-level", "trace"], environment: ["DEEPSEEK_API_KEY": Self.key]))
    }

    /// Written where the variable's name belongs, it is not repeated.
    @Test(arguments: [
        "print(pcall(llm.client, { base_url = 'https://x.example', key_env = KEY, model = 'm' }))",
        "print(pcall(llm.provider, { name = 'p', base_url = 'https://x.example', key_env = KEY }))",
        "llm.client { base_url = 'https://x.example', key_env = KEY, model = 'm' }",
    ]) func inPlaceOfTheVariablesName(line: String) throws {
        let script = "local llm, KEY = require 'llm', '\(Self.key)' print('ran')\n\(line)"
        let result = try MoonrillBinary.run(script: script, ["--log-level", "trace"])
        expectNoKey(result)
        #expect((result.output + result.errorOutput).contains("must be the name of an environment variable"))
    }

    @Test(arguments: ["", "429:1@0", "cut@500", "eof@500", "bad-json@3", "html", "error-frame@2", "garbage"])
    func staysInTheHeader(fault: String) throws {
        let seen = Locked(false)
        var options = SimulatorOptions()
        options.rate = 0
        options.onRequest = { request in
            if request.headers["Authorization"] == "Bearer \(Self.key)" { seen.withLock { $0 = true } }
        }
        if !fault.isEmpty { options.faults = try FaultPlan.parse(fault) }
        let server = try SimulatorServer.start(options)
        defer { server.stop() }
        let script = "URL = '\(server.baseURL)'\n" + Self.dump
        let result = try MoonrillBinary.run(
            script: script, ["--log-level", "trace"], environment: ["DEEPSEEK_API_KEY": Self.key])
        expectNoKey(result)
        #expect(seen.withLock { $0 }, "the key never reached the server, so nothing was tested")
    }
}
