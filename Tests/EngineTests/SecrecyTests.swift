// Keys in what a server sends back, wherever the engine shortens it: no message, log line or chunk shows them.

import Dialects
import Testing
import Wire

@testable import Engine

@Suite struct SecrecyTests {
    /// A key that the server sends back, wherever a message is shortened.
    @Test(arguments: Array(stride(from: 0, through: 260, by: 4))) func noExcerptShowsAKey(offset: Int) throws {
        let key = "sk-canary-0123456789abcdefghijABCDEFGHIJ"
        let lead = String(repeating: "a", count: offset)
        for (status, type, body) in [
            (307, "text/plain", ""), (200, "text/event-stream", "data: {\"x\":\"\(lead)\(key)\n\n"),
            (200, "text/html", "<html>\(lead)" + String(repeating: key, count: 9)), (403, "text/plain", lead + key),
            (403, "text/plain", lead + key.dropLast(5)),
            (
                500, "application/json",
                "{\"error\":{\"message\":\"x\",\"metadata\":{\"raw\":\"\(lead)\(lead)\(escaped(key))\"}}}"
            ),
        ] {
            let world = World(keys: ["KEY": key])
            var spec = World.spec(dialect: "openai", retry: RetryPolicy(max: 0))
            spec.endpoint.keyVariable = "KEY"
            world.start(1, spec)
            world.head(status, ["Content-Type": type, "Location": "http://login.example/?\(lead)\(key)"])
            world.send(body)
            world.end()
            world.turnAndTake()
            let failure = try #require(world.failure)
            for text in world.log + [failure.message] {
                #expect(
                    !text.contains("canary-01") && !text.contains("0123456789") && !text.contains("\\u0061"), "\(text)")
            }
        }
    }

    private func escaped(_ text: String) -> String {
        text.utf8.map { "\\u00" + String($0, radix: 16) }.joined()
    }
}
