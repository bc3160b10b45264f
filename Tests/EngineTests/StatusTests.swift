// Status codes of replies.

import Chat
import Testing

@testable import Engine

@Suite struct StatusTests {
    /// Only 200 is a reply, whatever follows.
    @Test(arguments: [101, 102, 199, 201, 202, 203, 204, 205, 206, 207, 208, 226, 299, 0])
    func noOtherStatusIsAReply(status: Int) throws {
        let world = EngineHarness()
        world.start(1)
        world.head(status)
        world.send(events: "t:x", "finish:stop", "[DONE]")
        world.end()
        world.turnAndTake()
        let failure = try #require(world.failure)
        #expect(failure.kind == .protocol && failure.status == status && failure.attempts == 1)
        #expect(failure.partial == nil && world.terminals == 1)
    }
}
