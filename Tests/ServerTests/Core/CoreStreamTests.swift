// Streams through the core: start, resume at every byte, leaving and coming back, stopping, expiry.

import Chat
import HTTP
import JSON
import Testing

@testable import Server

@Suite struct CoreStreamTests {
    // MARK: Begin

    /// The first event is sent before the handler has begun.
    @Test func startIsSentAtOnce() throws {
        let server = try CoreHarness(models: ["m", "n"])
        let client = server.get("/stream?prompt=hi&model=n&system=be%20brief")
        #expect(client.status == 200)
        #expect(client.headers["content-type"] == "text/event-stream; charset=utf-8")
        #expect(client.headers["cache-control"] == "no-cache, no-transform")
        #expect(client.headers["x-accel-buffering"] == "no")
        #expect(client.text.hasPrefix("retry: 1000\nid: \(client.stream)-1\nevent: start\ndata: "))
        #expect(client.frames[0].data == #"{"stream":"\#(client.stream)","model":"n"}"#)
        let request = server.request()
        #expect(request.handler == 1)
        #expect(request.chat?.model == "n")
        #expect(request.chat?.system == "be brief")
        #expect(request.chat?.messages == [["role": "user", "content": "hi"]])
        #expect(request.requestID == client.headers["x-request-id"])
    }

    /// A request that names no model gets the first.
    @Test func theFirstModelIsTheDefault() throws {
        let server = try CoreHarness(models: ["m", "n"])
        _ = server.ask("POST", "/stream", body: #"{"prompt":"hi"}"#)
        let request = server.request()
        #expect((request.handler, request.chat?.model) == (0, "m"))
    }

    @Test func unnamedModelsAreThoseOfTheStar() throws {
        let server = try CoreHarness(models: ["m", "*"])
        _ = server.get("/stream?prompt=hi&model=any")
        let request = server.request()
        #expect((request.handler, request.chat?.model) == (1, "any"))
        #expect(!server.get("/v1/models").text.contains("*"))
    }

    @Test(arguments: [
        ("GET", "/stream", "", 400), ("GET", "/stream?prompt=a&promt=b", "", 400), ("GET", "/stream?prompt=", "", 400),
        ("GET", "/stream?prompt=a&model=x", "", 404), ("POST", "/stream", "{", 400), ("POST", "/stream", "[]", 400),
        ("POST", "/stream", #"{"messages":[]}"#, 400), ("POST", "/stream", #"{"prompt":"a","messages":[]}"#, 400),
        ("POST", "/stream", #"{"messages":[{"role":"user","content":[{"type":"image","path":"/etc/passwd"}]}]}"#, 400),
    ])
    func refusalsArePlain(method: String, target: String, body: String, status: Int) throws {
        let server = try CoreHarness(models: ["m"])
        let client = server.ask(method, target, body: body)
        #expect(client.status == status, "\(client.text)")
        #expect(client.json["error"]?["message"]?.string?.isEmpty == false)
        #expect(client.json["error"]?["request_id"]?.string == client.headers["x-request-id"])
        #expect(server.take().isEmpty)
        #expect(client.writer.isEnded)
    }

    @Test func theWholeReply() throws {
        let server = try CoreHarness(models: ["m"])
        let client = server.get("/stream?prompt=hi")
        let id = server.request().id
        server.send(id, "Hel", "lo")
        server.perform(.emit(id, name: "step", ["n": 1]))
        server.finish(id)
        #expect(client.frames.map { $0.event ?? "message" } == ["start", "message", "message", "step", "finish"])
        #expect(client.frames.map(\.number) == [1, 2, 3, 4, 5])
        #expect(client.frames[1].data == #"{"content":"Hel"}"#)
        #expect(client.writer.isEnded)
        // What a handler still sends is ignored.
        server.send(id, "late")
        server.perform(.raised(id), .end(id))
        #expect(client.frames.count == 5)
        #expect(server.take().isEmpty)
    }

    @Test func aFailure() throws {
        let server = try CoreHarness(models: ["m"])
        let client = server.get("/stream?prompt=hi")
        let id = server.request().id
        server.send(id, "Hel")
        server.perform(.events(id, [CoreHarness.failure(.rateLimit, "too many", retryAfter: 12)]))
        let last = try #require(client.frames.last)
        #expect(last.event == "failure")
        #expect(last.data.contains(#""kind":"rate_limit""#) && last.data.contains(#""retry_after":12"#))
        #expect(client.writer.isEnded)
    }

    /// The reason of an error in a handler does not reach the client.
    @Test func anErrorInAHandler() throws {
        let server = try CoreHarness(models: ["m"])
        let client = server.get("/stream?prompt=hi")
        let request = server.request()
        server.perform(.raised(request.id))
        let last = try #require(client.frames.last)
        #expect(last.event == "failure" && last.data.contains(#""kind":"internal""#))
        #expect(last.data.contains(request.requestID))
    }

    // MARK: Resume

    /// A client that is cut after any byte, and comes back with the last id that it has seen, has every event once. While
    /// the stream runs and after it.
    @Test(arguments: [true, false]) func everyCutPoint(isOver: Bool) throws {
        let server = try CoreHarness(models: ["m"])
        let whole = server.get("/stream?prompt=hi")
        let id = server.request().id
        for number in 0..<6 { server.send(id, "tok\(number) \u{E9}\"\n") }
        if isOver { server.finish(id) }
        let bytes = whole.writer.body
        let expected = whole.frames
        #expect(expected.count == (isOver ? 8 : 7))
        for cut in bytes.indices {
            // Half a character at the end is no part of a whole frame.
            let had = Frame.read(String(decoding: bytes[..<cut], as: UTF8.self))
            guard let last = had.last else { continue }
            let again = server.get("/stream", ["last-event-id": last.id])
            #expect(again.status == 200)
            #expect(had + again.frames == expected, "cut at \(cut)")
            #expect(again.writer.isEnded == isOver)
            #expect(again.headers["x-moonrill-stream"] == whole.stream)
        }
    }

    /// Those who came back read on together.
    @Test func readersThatCameBackReadOn() throws {
        let server = try CoreHarness(models: ["m"])
        let first = server.get("/stream?prompt=hi")
        let id = server.request().id
        server.send(id, "a", "b", "c")
        let others = (1...4).map { server.get("/stream?last_event_id=\(first.stream)-\($0)") }
        server.send(id, "d")
        server.finish(id)
        for (index, other) in others.enumerated() {
            #expect(other.frames == Array(first.frames.dropFirst(index + 1)))
            #expect(other.writer.isEnded)
        }
        #expect(server.take().isEmpty)
    }

    @Test(arguments: ["last_event_id", "lastEventId", "last-event-id"]) func theIdInTheQuery(name: String) throws {
        let server = try CoreHarness(models: ["m"])
        let first = server.get("/stream?prompt=hi")
        server.finish(server.request().id)
        #expect(server.get("/stream?\(name)=\(first.stream)-1").frames == Array(first.frames.dropFirst()))
        // The same request again, with its prompt, as EventSource sends it.
        #expect(server.get("/stream?prompt=hi&\(name)=\(first.stream)-1").frames == Array(first.frames.dropFirst()))
        #expect(server.take().isEmpty)
    }

    /// 204 stops an EventSource, which would connect again for ever.
    @Test func afterTheLastEventThereIsNothing() throws {
        let server = try CoreHarness(models: ["m"])
        let first = server.get("/stream?prompt=hi")
        server.finish(server.request().id)
        #expect(server.get("/stream", ["last-event-id": "\(first.stream)-2"]).status == 204)
        #expect(server.get("/stream", ["last-event-id": "lost-1"]).status == 204)
    }

    @Test func whatIsNotKeptIsLost() throws {
        let server = try CoreHarness(models: ["m"])
        let first = server.get("/stream?prompt=hi")
        server.finish(server.request().id)
        for last in ["unknown-3", "nonsense", "", "\(first.stream)-3", "\(first.stream)-999999999999999", "-1"] {
            let client = server.get("/stream", ["last-event-id": last])
            #expect(client.status == 200)
            #expect(client.frames.map(\.event) == ["lost"], "\(last)")
            #expect(client.frames.map(\.id) == ["lost-1"])
            #expect(client.writer.isEnded)
        }
        #expect(server.take().isEmpty)
    }

    /// Five minutes after its end.
    @Test func endedStreamsExpire() throws {
        let server = try CoreHarness(models: ["m"])
        let first = server.get("/stream?prompt=hi")
        server.finish(server.request().id)
        let last = "\(first.stream)-1"
        server.advance(299)
        #expect(server.get("/stream", ["last-event-id": last]).frames.map(\.event) == ["finish"])
        server.advance(2)
        #expect(server.get("/stream", ["last-event-id": last]).frames.map(\.event) == ["lost"])
    }

    /// Events that a long stream has dropped.
    @Test func droppedEventsAreLost() throws {
        let server = try CoreHarness(models: ["m"]) { $0.streams.keptBytes = 5_000 }
        let first = server.get("/stream?prompt=hi")
        let id = server.request().id
        for _ in 0..<200 { server.send(id, "0123456789") }
        #expect(server.get("/stream", ["last-event-id": "\(first.stream)-1"]).frames.map(\.event) == ["lost"])
        let near = server.get("/stream", ["last-event-id": "\(first.stream)-190"])
        #expect(near.frames.map(\.number) == Array(191...201))
        #expect(first.frames.count == 201)
    }

    // MARK: Leaving

    /// At once, but for a reconnection that overtakes the end of the old connection.
    @Test func aStreamWithoutReadersIsCancelled() throws {
        let server = try CoreHarness(models: ["m"])
        let client = server.get("/stream?prompt=hi")
        let id = server.request().id
        client.leave()
        #expect(server.take().isEmpty)
        server.advance(0.059)
        #expect(server.take().isEmpty)
        server.advance(0.002)
        #expect(server.take().map(\.summary) == ["gone \(id.raw)"])
        server.send(id, "late")
        server.advance(60)
        #expect(server.take().isEmpty)
    }

    /// A client that reconnects by itself has ten seconds.
    @Test func anEventSourceHasTenSeconds() throws {
        let server = try CoreHarness(models: ["m"])
        let client = server.get("/stream?prompt=hi", ["accept": "text/event-stream", "cache-control": "no-cache"])
        let id = server.request().id
        client.leave()
        server.advance(9.9)
        #expect(server.take().isEmpty)
        server.advance(0.2)
        #expect(server.take().map(\.summary) == ["gone \(id.raw)"])
        let late = server.get("/stream", ["last-event-id": "\(client.stream)-1"])
        #expect(late.frames.last?.event == "failure")
        #expect(late.frames.last?.data.contains("cancelled") == true)
    }

    @Test(arguments: [0, 3.0]) func theScriptSetsTheTime(linger: Double) throws {
        let server = try CoreHarness(models: ["m"]) { $0.streams.linger = linger }
        let client = server.get("/stream?prompt=hi", ["accept": "text/event-stream", "cache-control": "no-cache"])
        let id = server.request().id
        client.leave()
        if linger > 0 {
            server.advance(linger - 0.1)
            #expect(server.take().isEmpty)
            server.advance(0.2)
        }
        #expect(server.take().map(\.summary) == ["gone \(id.raw)"])
    }

    /// Coming back stops the clock, and each time of leaving has its own.
    @Test func comingBackStopsTheClock() throws {
        let server = try CoreHarness(models: ["m"]) { $0.streams.linger = 10 }
        let first = server.get("/stream?prompt=hi")
        let id = server.request().id
        first.leave()
        server.advance(6)
        server.send(id, "meanwhile")
        let second = server.get("/stream", ["last-event-id": "\(first.stream)-1"])
        #expect(second.frames.map(\.data) == [#"{"content":"meanwhile"}"#])
        server.advance(3)
        second.leave()
        // Ten seconds after the first time, five after the second.
        server.advance(5)
        #expect(server.take().isEmpty)
        server.advance(4.9)
        #expect(server.take().isEmpty)
        server.advance(0.2)
        #expect(server.take().map(\.summary) == ["gone \(id.raw)"])
    }

    @Test func oneReaderOfTwoMayLeave() throws {
        let server = try CoreHarness(models: ["m"]) { $0.streams.linger = 0 }
        let first = server.get("/stream?prompt=hi")
        let id = server.request().id
        let second = server.get("/stream?last_event_id=\(first.stream)-1")
        first.leave()
        #expect(server.take().isEmpty)
        server.send(id, "on")
        #expect(second.frames.map(\.data) == [#"{"content":"on"}"#])
        second.leave()
        #expect(server.take().map(\.summary) == ["gone \(id.raw)"])
    }

    /// A stream that ends while nobody reads it is kept, and no longer cancelled.
    @Test func aStreamMayEndWithoutReaders() throws {
        let server = try CoreHarness(models: ["m"]) { $0.streams.linger = 10 }
        let client = server.get("/stream?prompt=hi")
        let id = server.request().id
        client.leave()
        server.finish(id)
        server.advance(20)
        #expect(server.take().isEmpty)
        #expect(server.get("/stream?last_event_id=\(client.stream)-1").frames.map(\.event) == ["finish"])
    }

    // MARK: Stop

    @Test func stopping() throws {
        let server = try CoreHarness(models: ["m"])
        let client = server.get("/stream?prompt=hi")
        let id = server.request().id
        server.send(id, "a")
        #expect(server.ask("DELETE", "/stream/\(client.stream)").status == 204)
        #expect(server.take().map(\.summary) == ["gone \(id.raw)"])
        #expect(client.frames.last?.event == "failure")
        #expect(client.frames.last?.data.contains(#""kind":"cancelled""#) == true)
        #expect(client.writer.isEnded)
        // Once more is no error.
        #expect(server.ask("DELETE", "/stream/\(client.stream)").status == 204)
        #expect(server.ask("DELETE", "/stream/unknown").status == 404)
        #expect(server.take().isEmpty)
    }

    // MARK: Back-pressure

    @Test func aSlowClientStopsTheHandler() throws {
        let server = try CoreHarness(models: ["m"])
        let client = server.get("/stream?prompt=hi", window: 1)
        let id = server.request().id
        for _ in 0..<100 { server.send(id, String(repeating: "x", count: 1_000)) }
        #expect(server.take().map(\.summary) == ["congested \(id.raw)"])
        client.writer.window = nil
        client.exchange?.writabilityChanged()
        #expect(server.take().map(\.summary) == ["drained \(id.raw)"])
        #expect(client.frames.count == 101)
    }

    @Test func silenceHasHeartbeats() throws {
        let server = try CoreHarness(models: ["m"])
        let client = server.get("/stream?prompt=hi")
        server.advance(14)
        #expect(!client.text.contains(": \n\n"))
        server.advance(2)
        #expect(client.text.hasSuffix(": \n\n"))
        server.advance(16)
        #expect(client.text.hasSuffix(": \n\n: \n\n"))
        #expect(client.frames.count == 1)
    }

    // MARK: Streams of handlers

    @Test func aHandlerMayStream() throws {
        let server = try CoreHarness(["GET /poem/:topic"])
        let client = server.get("/poem/moon")
        let id = server.request().id
        #expect(client.status == 0)
        server.perform(.open(id, model: nil))
        #expect(client.frames.map(\.event) == ["start"])
        server.send(id, "a")
        server.perform(.end(id))
        #expect(client.frames.map { $0.event ?? "message" } == ["start", "message", "finish"])
        // It is resumed at the path of the handler, which does not run again.
        let again = server.get("/poem/moon", ["last-event-id": "\(client.stream)-1"])
        #expect(again.frames == Array(client.frames.dropFirst()))
        #expect(server.take().isEmpty)
    }

    /// A failure before the first output is a plain error.
    @Test func aFailureBeforeTheFirstEventIsPlain() throws {
        let server = try CoreHarness(["GET /poem"])
        let client = server.get("/poem")
        let request = server.request()
        server.perform(.events(request.id, [CoreHarness.failure(.rateLimit, "too many", retryAfter: 11.2)]))
        #expect(client.status == 429)
        #expect(client.headers["retry-after"] == "12")
        #expect(client.json["error"]?["request_id"]?.string == request.requestID)
    }
}
