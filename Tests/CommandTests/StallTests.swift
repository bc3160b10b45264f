// timeout.stall as a script sets it: a stream that sends heartbeats and nothing else after its first token.

import Foundation
import Support
import Testing

@Suite struct StallTests {
    @Test func heartbeatsForEverEnd() throws {
        let server = try RawServer { connection in
            guard connection.readRequest() != nil else { return }
            connection.write("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
            connection.write("data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"half \"}}]}\n\n")
            // The server's pace, not a wait of the test: it goes on until the client leaves.
            while connection.write(": ping\n\n") { usleep(20_000) }
        }
        defer { server.stop() }
        let script = """
            local llm = require "llm"
            local client = llm.client { base_url = "\(server.url)/v1", model = "m", timeout = { stall = 0.5 } }
            local _, err = client:ask("hi", { retry = { max = 0 } })
            print(err.kind, err.phase, err.partial.text)
            print(pcall(client.ask, client, "hi", { timeout = { stal = 1 } }))
            """
        let result = try MoonrillBinary.run(script: script)
        let lines = result.output.split(separator: "\n")
        #expect(lines.first == "timeout\tstall\thalf ", "\(result)")
        #expect(lines.last?.contains("stal") == true && lines.last?.hasPrefix("false") == true, "\(result)")
    }
}
