// Faults after the head of a stream, over real sockets. Each row is a fault, its outcome and its duration. Delivered
// output is kept; there is no retry after it.

import Chat
import Foundation
import Testing

@testable import Engine

@Suite(.serialized) struct FaultsInStreamTests {
    @Test(arguments: broken) func brokenStream(_ row: FaultCase) throws { try row.check() }
    @Test(arguments: odd) func oddStream(_ row: FaultCase) throws { try row.check() }
    @Test(arguments: endless) func endlessStream(_ row: FaultCase) throws { try row.check() }

    /// The head and a token, which the reader has taken before the rest is sent.
    static func begun(_ rest: Step...) -> [Step] { [.send(Chat.head + Chat.token("half ")), .awaitToken] + rest }
    static func begunInChunks(_ rest: Step...) -> [Step] {
        [.send(Chat.chunkedHead + chunk(Chat.token("half "))), .awaitToken] + rest
    }
    static let cut = Expected.failure(.truncated, partial: "half ", says: ["cut before its end"])

    static let broken = [
        FaultCase("closed without finish reason and without [DONE]", begun(), expect: cut),
        FaultCase("closed inside an event", begun(.send("data: {\"choi")), expect: cut),
        FaultCase("chunks cut between two", begunInChunks(), expect: cut),
        FaultCase("chunks cut inside one", begunInChunks(.send("40\r\ndata: {")), expect: cut),
        FaultCase("chunks that end, the reply does not", begunInChunks(.send("0\r\n\r\n")), expect: cut),
        FaultCase("a chunk size that is none", begunInChunks(.send("zz\r\n" + Chat.moon)), expect: cut),
        FaultCase("a reset", begun(.reset), expect: cut),
        FaultCase(
            "shorter than Content-Length",
            [
                .send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 9000\r\n\r\n"),
                .send(Chat.token("half ")), .awaitToken,
            ], expect: cut),
        FaultCase(
            "cut before the first token, then whole", [.send(Chat.head + ": hello\n\n")],
            [.send(Chat.head + Chat.moon)],
            expect: .reply("moon", attempts: 2)),
        FaultCase(
            "an error in the stream, as an error object",
            begun(.send("data: " + Chat.error("overloaded_error") + "\n\n")),
            expect: .failure(.overloaded, partial: "half ", says: ["said the provider"])),
        FaultCase(
            "an error in the stream, as an error event",
            begun(.send("event: error\ndata: " + Chat.error("server_error") + "\n\n")),
            expect: .failure(.provider, partial: "half ", says: ["said the provider"])),
        FaultCase(
            "an error in the stream, before any token",
            [.send(Chat.head + "data: " + Chat.error("server_error") + "\n\n")],
            [.send(Chat.head + Chat.moon)], expect: .reply("moon", attempts: 2)),
        FaultCase(
            "an event that is no JSON", begun(.send("data: {\"choices\":[}\n\n" + Chat.moon)),
            expect: .failure(.protocol, partial: "half ", says: ["{\"choices\":[}"])),
        FaultCase(
            "silence behind the head", [.send(Chat.head), .silence],
            expect: .failure(.timeout, .first, seconds: 0.3...4), retries: 0,
            timeouts: Timeouts(connect: 2, first: 0.3, idle: 10)),
        FaultCase(
            "silence behind output", begun(.silence),
            expect: .failure(.timeout, .idle, partial: "half ", seconds: 0.3...4),
            timeouts: Timeouts(connect: 2, first: 10, idle: 0.3)),
    ]

    static let odd = [
        FaultCase(
            "a finish reason, then cut", [.send(Chat.head + Chat.token("moon") + Chat.finish)], expect: .reply("moon")),
        FaultCase(
            "a finish reason, then chunks that are cut",
            [.send(Chat.chunkedHead + chunk(Chat.token("moon") + Chat.finish))], expect: .reply("moon")),
        FaultCase(
            "[DONE] without a finish reason", [.send(Chat.head + Chat.token("moon") + Chat.done)],
            expect: .reply("moon", .other)),
        FaultCase(
            "events and fields that nobody knows",
            [
                .send(
                    Chat.head + "event: ping\ndata: {\"type\":\"ping\"}\n\nid: 7\nretry: 10\nstrange: x\n"
                        + "data: {\"object\":\"what.is.this\",\"new\":[1,{\"a\":null}]}\n\n" + Chat.moon)
            ], expect: .reply("moon")),
        FaultCase(
            "an event twice is passed on twice", [.send(Chat.head + Chat.token("a") + Chat.token("a") + Chat.moon)],
            expect: .reply("aamoon")),
        FaultCase(
            "a second choice in between",
            [
                .send(
                    Chat.head + Chat.token("mo")
                        + "data: {\"choices\":[{\"index\":1,\"delta\":{\"content\":\"sun\"},\"finish_reason\":\"stop\"}]}\n\n"
                        + Chat.token("on") + Chat.finish + Chat.done)
            ], expect: .reply("moon")),
        FaultCase(
            "a byte every ten milliseconds",
            [.send(Chat.head), .drip("data: {\"choices\":[{\"delta\":{\"content\":\"é\"}}]}\n\n"), .send(Chat.finish)],
            expect: .reply("é", seconds: 0.4...15), timeouts: Timeouts(connect: 2, first: 20, idle: 2)),
        FaultCase(
            "bytes that are no UTF-8",
            [
                .send(Chat.head + "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a"),
                .sendBytes([0xFF, 0xE9, 0x87]),
                .send("b\"}}]}\n\n" + Chat.finish + Chat.done),
            ], expect: .reply("a\u{FFFD}\u{FFFD}b")),
        FaultCase(
            "ten thousand events at once",
            [.send(Chat.head + (0..<10_000).map { Chat.token("\($0),") }.joined() + Chat.finish + Chat.done)],
            expect: .reply((0..<10_000).map { "\($0)," }.joined(), seconds: 0...20)),
        FaultCase(
            "more behind [DONE]", [.send(Chat.head + Chat.moon + Chat.token("never") + "data: {broken\n\n")],
            expect: .reply("moon")),
        FaultCase(
            "a body that does not end behind [DONE]", [.send(Chat.head + Chat.moon), .silence],
            expect: .reply("moon", seconds: 0...4)),
    ]

    /// Long, so that an unoptimized test spends its time in the engine.
    static let remark = ": " + String(repeating: "still here ", count: 2000) + "\n\n"

    /// A fast machine reads 256 MiB of comments before the timeout.
    static let unbounded = RequestLimits(maxBodyBytes: .max)

    static let endless = [
        FaultCase(
            "a line without end", begun(.send("data: "), .endless(String(repeating: "x", count: 65536))),
            expect: .failure(.protocol, partial: "half ", says: ["1048576"], seconds: 0...10),
            limits: RequestLimits(maxEventBytes: 1 << 20)),
        FaultCase(
            "comments without end, before any token", [.send(Chat.head), .endless(remark)],
            expect: .failure(.timeout, .first, seconds: 0.3...10), retries: 0,
            timeouts: Timeouts(connect: 2, first: 0.3, idle: 10), limits: unbounded),
        FaultCase(
            "comments without end, behind output", begun(.endless(remark)),
            expect: .failure(.timeout, .total, partial: "half ", seconds: 0.6...10),
            timeouts: Timeouts(connect: 2, first: 10, idle: 5, total: 0.6), limits: unbounded),
        FaultCase(
            "a drip without end", begun(.drip(String(repeating: ": x\n", count: 100_000))),
            expect: .failure(.timeout, .total, partial: "half ", seconds: 0.6...10),
            timeouts: Timeouts(connect: 2, first: 10, idle: 5, total: 0.6)),
    ]

    @Test func tokensWithoutEnd() throws {
        let server = LoopbackServer { connection in
            guard connection.readRequest() != nil else { return }
            connection.send(Chat.head)
            while connection.send(Chat.token(String(repeating: "x", count: 1000))) {}
        }
        var spec = EngineHarness.spec(dialect: "openai", baseURL: server.baseURL)
        spec.limits.maxBodyBytes = 1 << 20
        let (outcome, _) = try Driver().time(spec)
        #expect(outcome.failure?.kind == .truncated)
        #expect(outcome.failure?.isRetryable == false)
        #expect((outcome.failure?.partial?.text.count ?? 0) > 900_000)
        #expect(outcome.failure?.partial?.text == outcome.text)
    }

    /// The last counts win; without any they are unknown, not zero.
    @Test(arguments: [([], nil), ([7], 7), ([3, 9], 9)] as [([Int], Int?)])
    func usage(counts: [Int], total: Int?) throws {
        let events = counts.map { "data: {\"choices\":[],\"usage\":{\"completion_tokens\":\($0)}}\n\n" }.joined()
        let server = LoopbackServer { connection in
            guard connection.readRequest() != nil else { return }
            connection.send(Chat.head + Chat.token("moon") + Chat.finish + events + Chat.done)
        }
        let (outcome, _) = try Driver().time(EngineHarness.spec(dialect: "openai", baseURL: server.baseURL))
        #expect(outcome.reply?.usage?.outputTokens == total)
        #expect((outcome.reply?.usage == nil) == counts.isEmpty)
    }
}
