// The engine with a real dialect: the two protocols fit.

import Dialects
import Testing
import Wire

@testable import Engine

@Suite struct OpenAIEngineTests {
    static func piece(_ text: String) -> String {
        "data: {\"id\":\"c1\",\"model\":\"m-1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"\(text)\"}}]}\n\n"
    }

    @Test func aContinuedReply() throws {
        let world = World()
        world.start(1, World.spec(dialect: "openai", retry: RetryPolicy(afterOutput: .continue)))
        world.head()
        world.send(Self.piece("Hello, "))
        world.turnAndTake()
        world.end(.cut(how: "reset"))
        world.turnAndTake()
        world.advance(5)
        #expect(String(decoding: world.last.request.body, as: UTF8.self).contains("Hello, "))
        world.head()
        world.send(Self.piece("moon"))
        world.send("data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n")
        world.turnAndTake()
        let reply = try #require(world.finish)
        #expect(reply.text == "Hello, moon")
        #expect(reply.finishReason == .stop)
        #expect(reply.message["content"]?.string == "Hello, moon")
        #expect(reply.id == "c1")
        #expect(reply.model == "m-1")
    }

    @Test func theLastEventWithoutItsBlankLine() {
        let world = World()
        world.start(1, World.spec(dialect: "openai", retry: RetryPolicy(max: 0)))
        world.head()
        world.send(Self.piece("x"))
        world.send("data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"length\"}]}\n")
        world.end()
        world.turnAndTake()
        #expect(world.finish?.finishReason == .length)
    }

    @Test func anErrorDocumentUnder200() {
        let world = World()
        world.start(1, World.spec(dialect: "openai"))
        world.head(200, ["Content-Type": "application/json"])
        world.send("{\"error\":{\"message\":\"You exceeded your quota\",\"type\":\"insufficient_quota\"}}")
        world.end()
        world.turnAndTake()
        #expect(world.failure?.kind == .quota)
        #expect(world.retries.isEmpty)
    }
}
