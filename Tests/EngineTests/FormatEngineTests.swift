// The engine with real wire formats.

import Chat
import HTTP
import JSON
import Testing

@testable import Engine

@Suite struct DialectEngineTests {
    static func piece(_ text: String) -> String {
        "data: {\"id\":\"c1\",\"model\":\"m-1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"\(text)\"}}]}\n\n"
    }

    @Test func aContinuedReply() throws {
        let world = EngineHarness()
        world.start(1, EngineHarness.spec(dialect: "openai", retry: RetryPolicy(afterOutput: .continue)))
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

    /// Anthropic rejects a prefill that ends in white space, and repeats the white space.
    @Test func aContinuedMessageHasItsSpacesOnce() throws {
        func event(_ members: String) -> String { "data: {\"type\":\(members)}\n\n" }
        func piece(_ text: String) -> String {
            event("\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"\(text)\"}")
        }
        let begin =
            event("\"message_start\",\"message\":{\"id\":\"m1\",\"usage\":{\"input_tokens\":1,\"output_tokens\":1}}")
            + event("\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}")
        let world = EngineHarness()
        world.start(1, EngineHarness.spec(dialect: "anthropic", retry: RetryPolicy(afterOutput: .continue)))
        world.head()
        world.send(begin + piece("Hello,") + piece("\\n "))
        world.turnAndTake()
        world.end(.cut(how: "reset"))
        world.turnAndTake()
        world.advance(5)
        #expect(String(decoding: world.last.request.body, as: UTF8.self).contains("\"Hello,\""))
        world.head()
        world.send(begin + piece("\\n moon") + event("\"content_block_stop\",\"index\":0"))
        world.send(event("\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"}") + event("\"message_stop\""))
        world.turnAndTake()
        #expect(try #require(world.finish).text == "Hello,\n moon")
    }

    @Test func theLastEventWithoutItsBlankLine() {
        let world = EngineHarness()
        world.start(1, EngineHarness.spec(dialect: "openai", retry: RetryPolicy(max: 0)))
        world.head()
        world.send(Self.piece("x"))
        world.send("data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"length\"}]}\n")
        world.end()
        world.turnAndTake()
        #expect(world.finish?.finishReason == .length)
    }

    /// Frames after the finish reason are read too.
    @Test func theUsageWithoutItsBlankLine() {
        let world = EngineHarness()
        world.start(1, EngineHarness.spec(dialect: "openai", retry: RetryPolicy(max: 0)))
        world.head()
        world.send(Self.piece("x"))
        world.send("data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n")
        world.send(
            "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":4,\"total_tokens\":7}}\n")
        world.end()
        world.turnAndTake()
        #expect(world.finish?.usage?.totalTokens == 7)
    }

    /// A Gemini chunk with a finish reason may not be the last: further output without one is not a complete reply.
    @Test(arguments: ["cut", "end", "error", "line", "whole"]) func aReplyThatGoesOnBehindItsEnd(how: String) {
        func chunk(_ text: String, _ rest: String = "") -> String {
            "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"\(text)\"}]}\(rest)}]}"
        }
        let stop = ",\"finishReason\":\"STOP\""
        let world = EngineHarness()
        world.start(1, EngineHarness.spec(dialect: "gemini", retry: RetryPolicy(max: 0)))
        world.head()
        world.send(chunk("one", stop) + "\n\n")
        switch how {
        case "cut":
            world.send(chunk(" two") + "\n\n")
            world.end(.cut(how: "reset"))
        case "end":
            world.send(chunk(" two") + "\n\n")
            world.end()
        case "error":
            world.send(chunk(" two") + "\n\n")
            world.send("data: {\"error\":{\"code\":503,\"status\":\"UNAVAILABLE\",\"message\":\"busy\"}}\n\n")
        case "line":
            world.send(chunk(" two"))
            world.end()
        default:
            world.send(chunk(" two") + "\n\n" + chunk(" three", stop) + "\n\n")
            world.end()
        }
        world.turnAndTake()
        switch how {
        case "whole": #expect(world.finish?.text == "one two three")
        case "error": #expect(world.failure?.kind == .overloaded)
        default: #expect(world.failure?.kind == .truncated)
        }
        #expect(world.finish == nil || how == "whole")
    }

    @Test func anErrorDocumentUnder200() {
        let world = EngineHarness()
        world.start(1, EngineHarness.spec(dialect: "openai"))
        world.head(200, ["Content-Type": "application/json"])
        world.send("{\"error\":{\"message\":\"You exceeded your quota\",\"type\":\"insufficient_quota\"}}")
        world.end()
        world.turnAndTake()
        #expect(world.failure?.kind == .quota)
        #expect(world.retries.isEmpty)
    }
}
