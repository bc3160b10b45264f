// The core: access, handlers, models in the formats of providers, limits, the end, metrics.

import Chat
import HTTP
import JSON
import Testing

@testable import Server

@Suite struct HandlerTests {
    @Test func aRequestReachesItsHandler() throws {
        let server = try CoreHarness(["GET /other", "POST /notes/:id/*"])
        let client = server.ask(
            "POST", "/notes/a%20b/x/y?q=1&q=2", ["x-a": "v", "host": "localhost"], body: "text")
        let request = server.request()
        #expect(request.handler == 1)
        #expect(request.method == "POST")
        #expect(request.path == "/notes/a b/x/y")
        #expect(request.parameters == ["id": "a b", "*": "x/y"])
        #expect(request.query.map { "\($0.name)=\($0.value)" } == ["q=1", "q=2"])
        #expect(request.headers["x-a"] == "v")
        #expect(request.body == Array("text".utf8))
        #expect(request.client == "10.0.0.1")
        #expect(request.chat == nil)
        server.perform(
            .respond(request.id, ServedResponse(status: 201, headers: ["x-b": "c"], body: Array("done".utf8))))
        #expect(client.status == 201)
        #expect(client.text == "done")
        #expect(client.headers["x-b"] == "c")
        #expect(client.headers["x-request-id"] == request.requestID)
        #expect(client.headers["x-content-type-options"] == "nosniff")
        // The exchange is over.
        server.perform(.respond(request.id, ServedResponse()), .end(request.id), .raised(request.id))
        #expect(server.take().isEmpty)
    }

    @Test func nothingReturnedIsNoContent() throws {
        let server = try CoreHarness(["GET /a"])
        let client = server.get("/a")
        server.perform(.end(server.request().id))
        #expect(client.status == 204 && client.text.isEmpty)
    }

    /// The client gets the request's id, and nothing of the error.
    @Test func anErrorInAHandler() throws {
        let server = try CoreHarness(["GET /a"])
        let client = server.get("/a")
        let request = server.request()
        server.perform(.raised(request.id))
        #expect(client.status == 500)
        #expect(client.json["error"]?["request_id"]?.string == request.requestID)
        #expect(client.headers["x-should-retry"] == "false")
    }

    @Test func aClientThatLeavesEndsItsHandler() throws {
        let server = try CoreHarness(["GET /a"])
        let client = server.get("/a")
        let id = server.request().id
        client.leave()
        #expect(server.take().map(\.summary) == ["gone \(id.raw)"])
        server.perform(.respond(id, ServedResponse()))
        #expect(client.status == 0)
        #expect(server.log.contains(" 499 "))
    }

    /// The token is a secret of the server: handlers and logs do not have it.
    @Test func theTokenIsHidden() throws {
        let server = try CoreHarness(["GET /a"], token: "sesame")
        _ = server.get("/a?token=sesame&q=1", ["authorization": "Bearer sesame", "x-api-key": "sesame", "x-a": "v"])
        let request = server.request()
        #expect(request.headers.map(\.name).sorted() == ["host", "x-a"])
        #expect(request.query.map(\.name) == ["q"])
        server.perform(.end(request.id))
        #expect(!server.log.contains("sesame"))
        #expect(server.log.contains("/a 204"))
    }

    @Test func theClientBehindAProxy() throws {
        for (isTrusted, client) in [(true, "7.7.7.7"), (false, "10.0.0.1")] {
            let server = try CoreHarness(["GET /a"]) { $0.trustsProxy = isTrusted }
            _ = server.get("/a", ["x-forwarded-for": "6.6.6.6, 7.7.7.7"])
            #expect(server.request().client == client)
        }
        // Lines before the last one may be the client's own.
        let server = try CoreHarness(["GET /a"]) { $0.trustsProxy = true }
        _ = server.get("/a", ["X-Forwarded-For": "6.6.6.6", "x-forwarded-for": "7.7.7.7"])
        #expect(server.request().client == "7.7.7.7")
    }
}

@Suite struct RefusalTests {
    @Test(
        arguments: [
            ("GET", "/nope", [:], 404), ("PUT", "/a", [:], 405), ("GET", "/../a", [:], 400), ("GET", "nope", [:], 400),
            ("GET", "/a", ["host": "evil.example"], 421), ("GET", "/a", ["origin": "http://evil.example"], 403),
            ("GET", "/healthz", ["origin": "http://evil.example"], 200), ("GET", "/healthz", [:], 200),
            ("HEAD", "/healthz", [:], 200), ("HEAD", "/a", [:], 405),
            ("POST", "/v1/chat/completions", ["origin": "http://evil.example"], 403),
            ("GET", "/v1/chat/completions", [:], 405), ("GET", "/ws", [:], 426),
        ] as [(String, String, HTTPHeaders, Int)])
    func statuses(method: String, target: String, headers: HTTPHeaders, status: Int) throws {
        let server = try CoreHarness(["GET /a"], models: ["m"])
        let client = server.ask(method, target, headers)
        #expect(client.status == status, "\(client.text)")
        #expect(client.headers["x-request-id"] != nil)
        #expect(server.take().isEmpty)
        if status >= 400 { #expect(client.json["error"]?["message"]?.string?.isEmpty == false) }
    }

    @Test func theMethodsOfAPath() throws {
        let server = try CoreHarness(["POST /a", "PUT /a", "WS /a"])
        #expect(server.get("/a").headers["allow"] == "POST, PUT")
    }

    /// Without the token nobody learns what is served.
    @Test(arguments: ["/a", "/nope", "/v1/models", "/metrics", "/stream?prompt=a", "/stream?last_event_id=a-1"])
    func theTokenIsNeeded(target: String) throws {
        let server = try CoreHarness(["GET /a"], models: ["m"], token: "sesame")
        let client = server.get(target)
        #expect(client.status == 401)
        #expect(client.headers["www-authenticate"] == "Bearer")
        #expect(client.text.contains("authentication_error"))
        #expect(server.take().isEmpty)
        for method in ["PUT", "OPTIONS", "HEAD"] { #expect(server.ask(method, target).status == 401) }
        #expect(server.get("/healthz").status == 200)
        #expect(server.get("/v1/models", ["authorization": "Bearer sesame"]).status == 200)
    }

    @Test func aPreflightNeedsNoToken() throws {
        let server = try CoreHarness(["POST /a"], token: "sesame") { $0.origins = ["https://friend.example"] }
        let asked: HTTPHeaders = ["origin": "https://friend.example", "access-control-request-method": "POST"]
        #expect(server.ask("OPTIONS", "/a", asked).status == 204)
        let client = server.ask(
            "POST", "/a", ["origin": "https://friend.example", "authorization": "Bearer sesame"])
        server.perform(.end(server.request().id))
        #expect(client.headers["access-control-allow-origin"] == "https://friend.example")
        #expect(client.headers["vary"] == "Origin")
    }

    // MARK: Limits

    @Test(arguments: ["/a", "/stream?prompt=x"]) func tooManyAtOnce(target: String) throws {
        let server = try CoreHarness(["GET /a"], models: ["m"]) { $0.limits.concurrent = 2 }
        let clients = (0..<2).map { _ in server.get(target) }
        let requests = server.requests()
        let refused = server.get(target)
        #expect(refused.status == 503)
        #expect(refused.headers["retry-after"] == "1")
        #expect(server.take().isEmpty)
        server.perform(.end(requests[0].id))
        #expect(clients[0].writer.isEnded)
        _ = server.get(target)
        #expect(server.requests().count == 1)
    }

    @Test func tooManyAMinute() throws {
        let server = try CoreHarness(["GET /a"], models: ["m"]) {
            $0.limits.perClientRPM = 2
            $0.trustsProxy = true
        }
        for _ in 0..<2 { _ = server.get("/a", ["x-forwarded-for": "1.1.1.1"]) }
        #expect(server.requests().count == 2)
        for target in ["/a", "/stream?prompt=x"] {
            let refused = server.get(target, ["x-forwarded-for": "1.1.1.1"])
            #expect(refused.status == 429)
            #expect(refused.headers["retry-after"] == "30")
        }
        let refused = server.ask("POST", "/v1/messages", ["x-forwarded-for": "1.1.1.1"], body: "{}")
        #expect(refused.status == 429)
        // In the form of the format.
        #expect(refused.json["type"]?.string == "error")
        #expect(server.take().isEmpty)
        _ = server.get("/a", ["x-forwarded-for": "2.2.2.2"])
        #expect(server.requests().count == 1)
        server.advance(30)
        _ = server.get("/a", ["x-forwarded-for": "1.1.1.1"])
        #expect(server.requests().count == 1)
    }
}

@Suite struct ModelTests {
    static let chat = #"{"model":"m","messages":[{"role":"user","content":"hi"}]"#
    static let messages = #"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hi"}]"#
    static let responses = #"{"model":"m","input":"hi""#

    @Test(arguments: [
        ("/v1/chat/completions", chat), ("/v1/messages", messages), ("/v1/responses", responses), ("/api/chat", chat),
    ])
    func aReplyInItsFormat(path: String, body: String) throws {
        for streams in [true, false] {
            let server = try CoreHarness(["GET /a"], models: ["m"])
            let client = server.ask("POST", path, body: body + ",\"stream\":\(streams)}")
            let request = server.request()
            #expect(request.handler == 1)
            #expect(request.chat?.model == "m")
            #expect(client.status == 0)
            server.send(request.id, "Hel", "lo")
            server.finish(request.id, text: "Hello")
            #expect(client.status == 200, "\(client.text)")
            #expect(client.text.contains(streams ? "Hel" : "Hello"))
            #expect(client.writer.isEnded)
            if !streams { #expect(client.json.object != nil) }
        }
    }

    @Test(arguments: [("/v1/chat/completions", chat), ("/v1/messages", messages), ("/v1/responses", responses)])
    func failures(path: String, body: String) throws {
        for streams in [true, false] {
            let server = try CoreHarness(models: ["m"])
            let early = server.ask("POST", path, body: body + ",\"stream\":\(streams)}")
            server.perform(.events(server.request().id, [CoreHarness.failure(.rateLimit, "slow down", retryAfter: 3)]))
            #expect(early.status == 429)
            #expect(early.headers["retry-after"] == "3")
            let raised = server.ask("POST", path, body: body + ",\"stream\":\(streams)}")
            server.perform(.raised(server.request().id))
            #expect(raised.status == 500)
            #expect(raised.json["error"]?["message"]?.string?.isEmpty == false)
        }
        let server = try CoreHarness(models: ["m"])
        let late = server.ask("POST", path, body: body + ",\"stream\":true}")
        let id = server.request().id
        server.send(id, "Hel")
        server.perform(.events(id, [CoreHarness.failure(.network, "broken")]))
        #expect(late.status == 200 && late.writer.isEnded)
        #expect(late.text.contains("broken"))
    }

    @Test func unknownModels() throws {
        let server = try CoreHarness(models: ["moon", "sun"])
        let client = server.ask(
            "POST", "/v1/chat/completions", body: Self.chat.replacing("\"m\"", with: "\"mon\"") + "}")
        #expect(client.status == 404)
        #expect(client.text.contains("Did you mean 'moon'?"))
        #expect(server.take().isEmpty)
    }

    /// A client that leaves ends the handler at once: replies in formats cannot be resumed.
    @Test func aClientThatLeaves() throws {
        let server = try CoreHarness(models: ["m"])
        for sends in [false, true] {
            let client = server.ask("POST", "/v1/chat/completions", body: Self.chat + ",\"stream\":true}")
            let id = server.request().id
            if sends { server.send(id, "Hel") }
            client.leave()
            #expect(server.take().map(\.summary) == ["gone \(id.raw)"])
        }
    }

    @Test func aSlowClientStopsTheHandler() throws {
        let server = try CoreHarness(models: ["m"])
        let client = server.ask("POST", "/v1/chat/completions", body: Self.chat + ",\"stream\":true}", window: 500)
        let id = server.request().id
        for _ in 0..<10 { server.send(id, "0123456789") }
        #expect(server.take().map(\.summary) == ["congested \(id.raw)"])
        client.writer.read()
        #expect(server.take().map(\.summary) == ["drained \(id.raw)"])
        server.finish(id)
        #expect(client.writer.isEnded)
    }

    @Test func silenceIsKeptAlive() throws {
        let server = try CoreHarness(models: ["m"])
        let client = server.ask("POST", "/v1/chat/completions", body: Self.chat + ",\"stream\":true}")
        let whole = server.ask("POST", "/v1/chat/completions", body: Self.chat + "}")
        server.advance(17)
        #expect(client.status == 200)
        #expect(!client.text.isEmpty)
        #expect(whole.status == 0)
    }

    /// The head of a stream is sent with its first output, so that a failure before it has its status: also on a server
    /// that keeps other responses open.
    @Test func aYoungStreamHasNoHead() throws {
        let server = try CoreHarness(models: ["m"])
        let old = server.ask("POST", "/v1/chat/completions", body: Self.chat + ",\"stream\":true}")
        _ = server.request()
        server.advance(10)
        let young = server.ask("POST", "/v1/chat/completions", body: Self.chat + ",\"stream\":true}")
        let request = server.request()
        server.advance(10)
        #expect(old.status == 200)
        #expect(young.status == 0)
        server.perform(.events(request.id, [CoreHarness.failure(.rateLimit, "slow down", retryAfter: 3)]))
        #expect(young.status == 429)
    }

    @Test func theListOfModels() throws {
        let server = try CoreHarness(models: ["b", "a", "*"])
        let client = server.get("/v1/models")
        #expect(client.json["data"]?.array?.map { $0["id"]?.string } == ["b", "a"])
    }

    /// A route that ends with * does not hide the models' API; one with the same path replaces it.
    @Test func routesBesideTheModels() throws {
        let server = try CoreHarness(["GET /*", "POST /*"], models: ["m"])
        #expect(server.get("/v1/models").status == 200)
        _ = server.ask("POST", "/v1/chat/completions", body: Self.chat + "}")
        #expect(server.request().chat != nil)
        _ = server.ask("POST", "/v1/models", body: "{}")
        #expect(server.request().handler == 1)
        _ = server.get("/v1/chat/completions")
        #expect(server.request().handler == 0)
        let own = try CoreHarness(["POST /v1/chat/completions"], models: ["m"])
        _ = own.ask("POST", "/v1/chat/completions", body: Self.chat + "}")
        let request = own.request()
        #expect(request.handler == 0 && request.chat == nil)
    }
}

@Suite struct DrainTests {
    @Test func anIdleServerEndsAtOnce() throws {
        let server = try CoreHarness(["GET /a"])
        var ends = 0
        server.core.end(within: 10) { ends += 1 }
        #expect(ends == 1)
        let client = server.get("/a")
        #expect(client.status == 503)
        #expect(client.headers["retry-after"] == "5")
        server.advance(60)
        #expect(ends == 1)
    }

    /// What runs may go on; nothing new begins; the last one ends the server.
    @Test func runningExchangesGoOn() throws {
        let server = try CoreHarness(["GET /a"], models: ["m"])
        let stream = server.get("/stream?prompt=x")
        let plain = server.get("/a")
        let ids = server.requests().map(\.id)
        var ends = 0
        server.core.end(within: 10) { ends += 1 }
        #expect(server.get("/a").status == 503)
        #expect(server.get("/healthz").status == 503)
        server.advance(5)
        server.send(ids[0], "on")
        server.perform(.respond(ids[1], ServedResponse(body: Array("late".utf8))))
        #expect(plain.text == "late" && ends == 0)
        server.finish(ids[0])
        #expect(ends == 1)
        #expect(stream.frames.map { $0.event ?? "message" } == ["start", "message", "finish"])
        server.advance(60)
        #expect(ends == 1)
        #expect(server.take().isEmpty)
    }

    /// After its time, streams end with a failure and other responses are cut.
    @Test(arguments: [0, 3.0]) func theTimeIsUp(seconds: Double) throws {
        let server = try CoreHarness(["GET /a"], models: ["m"])
        let stream = server.get("/stream?prompt=x")
        let plain = server.get("/a")
        let reply = server.ask("POST", "/v1/chat/completions", body: ModelTests.chat + ",\"stream\":true}")
        let ids = server.requests().map(\.id)
        server.send(ids[2], "Hel")
        var ends = 0
        server.core.end(within: seconds) { ends += 1 }
        if seconds > 0 {
            server.advance(seconds - 0.1)
            #expect(ends == 0)
            server.advance(0.2)
        }
        #expect(ends == 1)
        #expect(stream.frames.last?.event == "failure")
        #expect(stream.frames.last?.data.contains("the server stops") == true)
        #expect(stream.writer.isEnded)
        #expect(plain.writer.isAborted && reply.writer.isAborted)
        #expect(server.take().map(\.summary).sorted() == ids.map { "gone \($0.raw)" }.sorted())
    }

    /// A second stop cuts at once, and the end is reported once.
    @Test func aSecondStop() throws {
        let server = try CoreHarness(models: ["m"])
        let stream = server.get("/stream?prompt=x")
        var ends = 0
        server.core.end(within: 10) { ends += 1 }
        server.core.end(within: 0) { ends += 1 }
        #expect(ends == 1)
        #expect(stream.frames.last?.event == "failure")
        server.advance(60)
        #expect(ends == 1)
    }
}

@Suite struct MetricsTests {
    @Test func counters() throws {
        let server = try CoreHarness(["GET /notes/:id"], models: ["m"])
        for number in 0..<3 {
            _ = server.get("/notes/\(number)")
            let id = server.request().id
            server.advance(0.2)
            server.perform(.end(id))
        }
        _ = server.get("/nope/1")
        _ = server.get("/nope/2")
        _ = server.get("/stream?prompt=x")
        _ = server.request()
        server.perform(
            .report(
                UpstreamReport(
                    provider: "p\"\\\n", model: "m", outcome: "ok", retries: 2, inputTokens: 5, outputTokens: 7,
                    firstToken: 0.3, total: 400)))
        let client = server.get("/metrics")
        #expect(client.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8")
        for line in [
            #"moonrill_http_requests_total{route="GET /notes/:id",status="204"} 3"#,
            #"moonrill_http_requests_total{route="other",status="404"} 2"#,
            #"moonrill_http_request_seconds_bucket{route="GET /notes/:id",le="0.1"} 0"#,
            #"moonrill_http_request_seconds_bucket{route="GET /notes/:id",le="0.25"} 3"#,
            #"moonrill_http_request_seconds_bucket{route="GET /notes/:id",le="+Inf"} 3"#,
            #"moonrill_http_request_seconds_count{route="GET /notes/:id"} 3"#,
            "moonrill_http_exchanges 1", "moonrill_streams 1",
            #"moonrill_upstream_requests_total{provider="p\"\\\n",model="m",outcome="ok"} 1"#,
            #"moonrill_upstream_retries_total{provider="p\"\\\n",model="m"} 2"#,
            #"moonrill_tokens_total{provider="p\"\\\n",model="m",direction="input"} 5"#,
            #"moonrill_tokens_total{provider="p\"\\\n",model="m",direction="output"} 7"#,
            #"moonrill_upstream_first_token_seconds_bucket{provider="p\"\\\n",model="m",le="0.5"} 1"#,
            #"moonrill_upstream_seconds_bucket{provider="p\"\\\n",model="m",le="300.0"} 0"#,
            #"moonrill_upstream_seconds_bucket{provider="p\"\\\n",model="m",le="+Inf"} 1"#,
        ] {
            #expect(client.text.split(separator: "\n").contains(line[...]), "\(line)\n\(client.text)")
        }
    }

    /// Names that callers choose do not grow the page without end.
    @Test func modelsAreBounded() {
        var metrics = ServerMetrics()
        for number in 0..<2_000 {
            metrics.count(
                UpstreamReport(
                    provider: "p", model: "m\(number)", outcome: "ok", retries: 0, inputTokens: .max,
                    outputTokens: -5, firstToken: nil, total: nil))
        }
        let text = metrics.text(ServerMetrics.Gauges(exchanges: 0, streams: 0))
        #expect(text.contains(#"moonrill_upstream_requests_total{provider="p",model="other",outcome="ok"} 1500"#))
        #expect(!text.contains("m500"))
    }

    /// A quote that a mark combines with is a quote all the same.
    @Test func labelsAreEscapedByScalars() {
        var metrics = ServerMetrics()
        metrics.count(route: "\"\u{301}\\\u{301}\n\u{301}", status: 200, seconds: 0)
        let text = metrics.text(ServerMetrics.Gauges(exchanges: 0, streams: 0))
        #expect(text.contains("{route=\"\\\"\u{301}\\\\\u{301}\\n\u{301}\",status=\"200\"} 1\n"))
    }

    /// One line a family of HELP and TYPE, and no line without a family.
    @Test func theFormOfThePage() {
        let text = ServerMetrics().text(ServerMetrics.Gauges(exchanges: 0, streams: 0))
        let names = text.split(separator: "\n").filter { $0.hasPrefix("# TYPE ") }
        #expect(names.count == Set(names).count)
        #expect(names.count == text.split(separator: "\n").count { $0.hasPrefix("# HELP ") })
    }
}
