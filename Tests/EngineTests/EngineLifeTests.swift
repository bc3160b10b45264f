// Requests from start to end: outcomes, order of events, retries, partial replies.

import Chat
import HTTP
import Testing

@testable import Engine

@Suite struct EngineLifeTests {
    @Test func aReplyFromStartToEnd() throws {
        let world = EngineHarness()
        world.start()
        world.head()
        world.send(
            events: "start:x1", "r:hm", "t:Hello", "t:, moon", "usage:3 4", "call:f {\"a\":1}", "finish:stop", "[DONE]")
        world.time.now += 2
        world.turnAndTake()
        #expect(world.names == ["start", "r:hm", "t:Hello", "t:, moon", "usage", "call:f", "finish"])
        let reply = try #require(world.finish)
        #expect(reply.text == "Hello, moon")
        #expect(reply.reasoning == "hm")
        #expect(reply.finishReason == .stop)
        #expect(reply.usage?.outputTokens == 4)
        #expect(reply.usage?.estimated == false)
        #expect(reply.id == "x1")
        #expect(reply.attempts == 1)
        #expect(reply.firstTokenTime == 2)
        #expect(reply.toolCalls.count == 1)
        #expect(world.engine.activeCount == 0)
    }

    @Test func callsWithBrokenArgumentsAreNotDispatched() throws {
        let world = EngineHarness()
        world.start()
        world.head()
        world.send(events: "call:f {\"a\":", "call:g {}", "finish:length", "[DONE]")
        world.turnAndTake()
        #expect(world.names == ["call:g", "finish"])
        #expect(try #require(world.finish).toolCalls.count == 2)
    }

    @Test func callsOfACutStreamAreNotDispatched() throws {
        let world = EngineHarness()
        world.start(1, EngineHarness.spec(retry: RetryPolicy(max: 0)))
        world.head()
        world.send(events: "t:x", "call:f {}")
        world.end()
        world.turnAndTake()
        #expect(world.names == ["t:x", "failed"])
        #expect(try #require(world.failure?.partial).toolCalls.isEmpty)
    }

    // MARK: Ends

    @Test(arguments: [TransferEnding.complete, .cut(how: "connection reset")])
    func theEndMarkAloneMakesAReplyWhole(ending: TransferEnding) {
        for (payloads, isWhole) in [
            (["t:x", "finish:stop", "[DONE]"], true), (["t:x", "finish:stop"], true), (["t:x", "[DONE]"], true),
            (["t:x"], false), (["finish:stop"], true), ([": "], false),
        ] {
            let world = EngineHarness()
            world.start(1, EngineHarness.spec(retry: RetryPolicy(max: 0)))
            world.head()
            for payload in payloads { world.send(events: payload) }
            world.end(ending)
            world.turnAndTake()
            #expect(world.terminals == 1)
            #expect((world.finish != nil) == isWhole, "\(payloads)")
            if !isWhole { #expect(world.failure?.kind == .truncated, "\(payloads)") }
        }
    }

    @Test func truncationTellsHow() throws {
        for (ending, word) in [
            (TransferEnding.complete, "closed cleanly"), (.cut(how: "connection reset"), "connection reset"),
        ] {
            let world = EngineHarness()
            world.start()
            world.head()
            world.send(events: "t:ab", "t:cdé")
            world.turnAndTake()
            world.end(ending)
            world.turnAndTake()
            let failure = try #require(world.failure)
            #expect(failure.message.contains(word))
            #expect(failure.partial?.text == "abcdé")
            #expect(failure.partial?.finishReason == nil)
            #expect(failure.partial?.usage?.estimated == true)
            #expect(failure.position.events == 2)
            #expect(failure.position.chars == 5)
            #expect(failure.position.bytes == "data: t:ab\n\ndata: t:cdé\n\n".utf8.count)
        }
    }

    @Test func doneFinishesAtOnceAndTheRestIsDrained() {
        let world = EngineHarness()
        world.start()
        world.head()
        world.send(events: "t:x", "finish:stop", "[DONE]", "t:after the end")
        world.turnAndTake()
        #expect(world.names == ["t:x", "finish"])
        #expect(!world.last.isCancelled)
        world.end()
        world.advance(1)
        #expect(!world.last.isCancelled)
        #expect(world.engine.transferCount == 0)
    }

    @Test func aBodyThatGoesOnIsCutOff() {
        for isLong in [true, false] {
            let world = EngineHarness()
            world.start()
            world.head()
            world.send(events: "[DONE]")
            world.turnAndTake()
            if isLong {
                world.send(String(repeating: "x", count: 70_000))
                world.turn()
            } else {
                world.advance(0.3)
            }
            #expect(world.last.isCancelled || world.last.isEnded)
            #expect(world.engine.transferCount == 0)
            #expect(world.terminals == 1)
        }
    }

    @Test func aWholeReplyWhoseBodyNeverEnds() {
        let world = EngineHarness()
        world.start()
        world.head()
        world.send(events: "t:x", "finish:stop")
        world.turnAndTake()
        #expect(world.finish == nil)
        world.advance(RequestStateMachine.tailGrace)
        world.takeAll()
        #expect(world.finish?.text == "x")
    }

    // MARK: Bodies that are no stream

    static let bodies: [(String, String, ErrorKind, String)] = [
        ("text/html", "<html>captive portal</html>", .protocol, "got text/html"),
        ("text/html", "\n\n  <!DOCTYPE html>", .protocol, "expected text/event-stream"),
        ("text/event-stream", "<html>", .protocol, "<html>"),
        ("text/plain", "upstream connect error\n", .protocol, "upstream connect error"),
        ("text/event-stream", "", .protocol, "empty stream"),
        ("text/event-stream", "\n\n", .protocol, "empty stream"),
        ("application/json", "{\"error\": {\"message\": \"no\"}}", .provider, "body: {\"error\""),
        ("text/event-stream", "{\n  \"error\": \"pretty\"\n}\n", .provider, "body: {\n"),
        ("application/json", "[{\"error\": 1}]", .provider, "body: [{"),
        ("text/event-stream", "\u{1F}\u{8B}\u{8}\u{0}", .protocol, "compressed"),
    ]

    @Test(arguments: bodies.indices) func bodiesThatAreNoStream(index: Int) throws {
        let (type, body, kind, word) = Self.bodies[index]
        for pieces in [1, body.utf8.count] {
            let world = EngineHarness()
            world.start()
            world.head(200, ["Content-Type": type])
            if pieces == 1 {
                world.last.incoming.append(.body(Self.bytes(body)))
            } else {
                for byte in Self.bytes(body) { world.last.incoming.append(.body([byte])) }
            }
            world.end()
            world.turnAndTake()
            let failure = try #require(world.failure, "\(body)")
            #expect(failure.kind == kind, "\(failure.message)")
            #expect(failure.message.contains(word) || pieces > 1, "\(failure.message)")
            #expect(!failure.isRetryable)
        }
    }

    /// "\u{8B}" means the byte, not its UTF-8 form.
    static func bytes(_ text: String) -> [UInt8] {
        text.unicodeScalars.flatMap { $0.value == 0x8B ? [0x8B] : Array(String($0).utf8) }
    }

    @Test func bareJSONLinesAreAStream() {
        let world = EngineHarness()
        world.start(1, EngineHarness.spec(dialect: "lines"))
        world.head(200, ["Content-Type": "application/x-ndjson"])
        world.send("t:a\nt:b\r\nfin")
        world.send("ish:stop\n")
        world.end()
        world.turnAndTake()
        #expect(world.names == ["t:a", "t:b", "finish"])
    }

    @Test func bareJSONBeforeEvents() {
        let world = EngineHarness()
        world.start()
        world.head()
        world.send("{\"note\":1}\ndata: t:a\n\ndata: [DONE]\n\n")
        world.end()
        world.turnAndTake()
        #expect(world.failure?.message.contains("stray: {\"note\":1}") == true, "the decoder is shown the stray line")
    }

    // MARK: Statuses

    @Test(arguments: [204, 206, 301, 307, 308]) func statusesThatAreNoReply(status: Int) throws {
        let world = EngineHarness()
        world.start()
        world.head(status, ["Location": "https://elsewhere.example/v1"])
        world.turnAndTake()
        let failure = try #require(world.failure)
        #expect(failure.kind == .protocol)
        #expect(failure.status == status)
        #expect(!failure.isRetryable)
        if status > 300 { #expect(failure.message.contains("https://elsewhere.example/v1")) }
        #expect(world.transport.transfers.count == 1)
    }

    @Test(arguments: [400, 401, 403, 404, 422]) func statusesThatEndARequest(status: Int) throws {
        let world = EngineHarness()
        world.start()
        world.head(status, ["x-request-id": "r7"])
        world.send("the API's own ")
        world.send("message")
        world.end()
        world.turnAndTake()
        let failure = try #require(world.failure)
        #expect(failure.message == "the API's own message")
        #expect(failure.status == status)
        #expect(failure.requestID == "r7")
        #expect(failure.attempts == 1)
        #expect(world.retries.isEmpty)
    }

    @Test(arguments: [408, 409, 429, 500, 502, 503, 504, 529]) func statusesThatAreTriedAgain(status: Int) throws {
        let world = EngineHarness()
        world.start()
        world.head(status)
        world.send("busy")
        world.end()
        world.turnAndTake()
        let retry = try #require(world.retries.first)
        #expect(retry.error.status == status)
        #expect(retry.attempt == 1)
        #expect(retry.delay > 0)
        world.advance(retry.delay - 0.01)
        #expect(world.transport.transfers.count == 1)
        world.advance(0.02)
        #expect(world.transport.transfers.count == 2)
        world.head()
        world.send(events: "t:y", "[DONE]")
        world.turnAndTake()
        #expect(world.finish?.text == "y")
        #expect(world.finish?.attempts == 2)
        #expect(world.terminals == 1)
    }

    @Test func retryAfterIsHonouredInTheTurnItIsDue() {
        let world = EngineHarness()
        world.start()
        world.head(429, ["Retry-After": "7"])
        world.end()
        world.turnAndTake()
        #expect(world.retries.first?.delay == 7.35)
        #expect(!world.client.hasReady)
        world.engine.turn(waitingUpTo: nil)
        let wait = world.transport.lastWait.flatMap { $0 } ?? -1
        #expect(abs(wait - 7.35) < 1e-6, "sleeps until then, no longer")
        world.advance(7.4)
        #expect(world.transport.transfers.count == 2)
    }

    @Test func anErrorWhoseBodyDripsIsThatError() throws {
        let world = EngineHarness()
        world.start(1, EngineHarness.spec(timeouts: Timeouts(first: 10)))
        world.head(401)
        world.send("bad key")
        world.turn()
        world.advance(10)
        world.takeAll()
        #expect(try #require(world.failure).status == 401)
        #expect(world.last.isCancelled)
    }

    @Test func anErrorBodyIsBounded() throws {
        let world = EngineHarness()
        world.start()
        world.head(400)
        for _ in 0..<40 { world.send(String(repeating: "e", count: 10_000)) }
        world.turnAndTake()
        #expect(try #require(world.failure).message.utf8.count == Attempt.errorBodyLimit)
    }

    // MARK: Errors in the stream

    @Test func errorsInTheStreamAreJudgedLikeStatuses() throws {
        let world = EngineHarness()
        world.start()
        world.head()
        world.send(events: "start:1", "error:overloaded busy")
        world.turnAndTake()
        #expect(world.retries.first?.error.kind == .overloaded)
        world.advance(60)
        world.head()
        world.send(events: "error:invalid_request no")
        world.turnAndTake()
        let failure = try #require(world.failure)
        #expect(failure.kind == .invalidRequest)
        #expect(failure.message == "no")
        #expect(failure.attempts == 2)
    }

    @Test func anErrorBehindTheEndMarkIsNone() {
        let world = EngineHarness()
        world.start()
        world.head()
        world.send(events: "t:x", "finish:stop", "[DONE]", "error:provider late")
        world.turnAndTake()
        #expect(world.finish?.text == "x")
    }

    // MARK: Configuration

    @Test func aMissingKeyNamesItsVariable() throws {
        let world = EngineHarness()
        var spec = EngineHarness.spec(baseURL: "https://api.example/v1")
        spec.endpoint.keyVariable = "EXAMPLE_API_KEY"
        world.start(1, spec)
        world.turnAndTake()
        let failure = try #require(world.failure)
        #expect(failure.kind == .config)
        #expect(failure.message.contains("EXAMPLE_API_KEY"))
        #expect(world.transport.transfers.isEmpty)
    }

    @Test(arguments: [
        ("http://127.0.0.1:80/v1", true), ("http://127.9.9.9/v1", true), ("http://[::1]:8080", true),
        ("http://LOCALHOST:1234", true), ("https://127.evil.example", false), ("http://localhost.example", false),
        ("http://127.0.0.1@evil.example", false), ("http://1270.0.0.1", false),
        ("http://evil.example/127.0.0.1", false),
        ("http://127.0.0.1.example", false),
    ]) func loopback(_ row: (String, Bool)) {
        #expect(Endpoint(provider: "", baseURL: row.0).isLoopback == row.1, "\(row.0)")
        let world = EngineHarness()
        var spec = EngineHarness.spec(baseURL: row.0)
        spec.endpoint.keyVariable = "K"
        world.start(1, spec)
        world.turnAndTake()
        #expect((world.failure?.kind == .config) == !row.1)
    }

    @Test func keysStayInside() throws {
        let key = "sk-very-secret-0123456789"
        let world = EngineHarness(keys: ["K": key + "\n"])
        var spec = EngineHarness.spec(baseURL: "https://api.example/v1", retry: RetryPolicy(max: 1))
        spec.endpoint.keyVariable = "K"
        spec.wantsChunks = true
        world.start(1, spec)
        #expect(world.last.request.headers["Authorization"] == "Bearer \(key)")
        world.head(500)
        world.send("Incorrect API key: \(key)")
        world.end()
        world.turnAndTake()
        world.advance(30)
        world.head()
        world.send(events: "echo \(key)", "error:provider bad \(key)")
        world.turnAndTake()
        #expect(world.names.contains("chunk:echo [key]"))
        #expect(try #require(world.failure).message == "bad [key]")
        #expect(world.retries.first?.error.message == "Incorrect API key: [key]")
        #expect(!world.log.isEmpty)
        #expect(!"\(world.events)\(world.log)".contains(key))
    }

    @Test func aKeyWithAControlCharacterIsRefused() throws {
        let world = EngineHarness(keys: ["K": "sk-a\r\nX-Evil: 1"])
        var spec = EngineHarness.spec()
        spec.endpoint.keyVariable = "K"
        world.start(1, spec)
        world.turnAndTake()
        #expect(try #require(world.failure).kind == .config)
        #expect(try #require(world.failure).message.contains("K"))
        #expect(world.failure?.message.contains("Evil") == false)
    }

    @Test func whatCannotBeAskedFailsAtOnce() throws {
        for dialect in ["plain", "nonesuch"] {
            let world = EngineHarness()
            var spec = EngineHarness.spec(dialect: dialect)
            if dialect == "plain" { spec.chat.model = "refused" }
            world.start(1, spec)
            world.turnAndTake()
            #expect(try #require(world.failure).kind == (dialect == "plain" ? .invalidRequest : .config))
            #expect(world.transport.transfers.isEmpty)
        }
    }
}
