// Who may ask: the token, Host, Origin, Sec-Fetch-Site, CORS, and the rate of each client.

import Chat
import HTTP
import Testing

@testable import Server

@Suite struct AccessRulesTests {
    // MARK: Token

    @Test(
        arguments: [
            (["authorization": "Bearer sesame"], "/", true), (["authorization": "bearer sesame"], "/", true),
            (["authorization": "Bearer   sesame"], "/", true), (["x-api-key": "sesame"], "/", true),
            (["x-goog-api-key": "sesame"], "/", true), (["api-key": "sesame"], "/", true),
            ([:], "/?token=sesame", true), ([:], "/?key=sesame", true), ([:], "/?token=wrong&key=sesame", true),
            (["authorization": "Bearer wrong", "x-api-key": "sesame"], "/", true),
            ([:], "/", false), (["authorization": "Bearer sesam"], "/", false),
            (["authorization": "Bearer sesame2"], "/", false), (["authorization": "Bearer SESAME"], "/", false),
            (["authorization": "sesame"], "/", false), (["authorization": ""], "/", false),
            (["authorization": "Bearer "], "/", false), (["x-api-key": ""], "/", false), ([:], "/?token=", false),
            ([:], "/?other=sesame", false), ([:], "/sesame", false), (["cookie": "token=sesame"], "/", false),
        ] as [([String: String], String, Bool)])
    func theToken(fields: [String: String], target: String, isRight: Bool) throws {
        let rules = AccessRules(ServerSpec(), token: "sesame")
        #expect(rules.needsToken)
        #expect(rules.hasToken(headers(fields), try #require(RequestPath(target))) == isRight)
    }

    @Test func withoutATokenNoneIsNeeded() throws {
        let rules = AccessRules(ServerSpec(), token: nil)
        #expect(!rules.needsToken)
        #expect(rules.hasToken([:], try #require(RequestPath("/"))))
    }

    // MARK: Host

    /// Names that a page of another site can make resolve to this machine are refused.
    @Test(arguments: [
        ("127.0.0.1:8080", true), ("localhost", true), ("LocalHost:1", true), ("app.localhost:1", true),
        ("[::1]:8080", true), ("[fe80::1]", true), ("192.168.1.5:80", true), ("moon.example", true),
        ("MOON.example:443", true), ("own.example", true),
        ("evil.example", false), ("evil.example:8080", false), ("localhost.evil.example", false),
        ("127.0.0.1.evil.example", false), ("1.2.3.400", false), ("1.2.3", false), ("", false), (":80", false),
        ("moon.example.evil", false), ("[evil.example]", false), ("evil:example", false),
    ])
    func hosts(field: String, isKnown: Bool) {
        var spec = ServerSpec()
        spec.host = "own.example"
        spec.hosts = ["Moon.Example"]
        let refusal = AccessRules(spec, token: nil).refusal(ofHost: field)
        #expect((refusal == nil) == isKnown)
        if !isKnown { #expect(refusal?.status == 421) }
    }

    @Test func hostIsNeededAndAnyMayBeAllowed() {
        var spec = ServerSpec()
        #expect(AccessRules(spec, token: nil).refusal(ofHost: nil)?.status == 400)
        spec.hosts = ["*"]
        #expect(AccessRules(spec, token: nil).refusal(ofHost: "evil.example") == nil)
        spec.hosts = []
        spec.unixPath = "/run/x.sock"
        #expect(AccessRules(spec, token: nil).refusal(ofHost: "evil.example") == nil)
    }

    // MARK: Sites

    static let host = ["host": "127.0.0.1:8080"]

    /// Pages of other sites neither change nor cost anything. Other programs send no Origin.
    @Test(
        arguments: [
            ("POST", [:], false, true), ("GET", [:], true, true),
            ("POST", ["origin": "http://127.0.0.1:8080"], true, true),
            ("POST", ["origin": "https://127.0.0.1:8080"], true, true),
            ("POST", ["origin": "HTTP://127.0.0.1:8080"], true, true),
            ("POST", ["origin": "https://friend.example"], true, true),
            ("POST", ["origin": "http://evil.example"], true, false),
            ("GET", ["origin": "http://evil.example"], true, false), ("DELETE", ["origin": "null"], false, false),
            ("POST", ["origin": "http://127.0.0.1:8081"], false, false),
            ("POST", ["origin": "http://127.0.0.1:8080.evil.example"], false, false),
            ("GET", ["origin": "http://evil.example"], false, true),
            ("HEAD", ["origin": "http://evil.example"], false, true),
            ("GET", ["sec-fetch-site": "cross-site"], true, false),
            ("GET", ["sec-fetch-site": "same-site"], true, false),
            ("GET", ["sec-fetch-site": "same-origin"], true, true), ("GET", ["sec-fetch-site": "none"], true, true),
            ("GET", ["sec-fetch-site": "cross-site"], false, true),
            ("POST", ["sec-fetch-site": "cross-site", "origin": "https://friend.example"], true, true),
            ("WS", ["origin": "http://evil.example"], false, false),
            ("WS", ["origin": "http://evil.example"], true, false),
        ] as [(String, [String: String], Bool, Bool)])
    func sites(method: String, fields: [String: String], runsHandler: Bool, isAllowed: Bool) {
        var spec = ServerSpec()
        spec.origins = ["https://Friend.example"]
        let head = RequestHead(
            method: method, target: "/", headers: headers(fields.merging(Self.host) { $1 }), remoteAddress: "1.2.3.4")
        let refusal = AccessRules(spec, token: nil).refusal(ofSite: head, runsHandler: runsHandler)
        #expect((refusal == nil) == isAllowed)
        if !isAllowed { #expect(refusal?.status == 403) }
    }

    @Test func corsFieldsAreForAllowedOriginsOnly() {
        var spec = ServerSpec()
        spec.origins = ["https://friend.example"]
        let rules = AccessRules(spec, token: nil)
        let fields = rules.corsFields(["origin": "https://friend.example"])
        #expect(fields?["access-control-allow-origin"] == "https://friend.example")
        #expect(fields?["vary"] == "Origin")
        #expect(fields?["access-control-expose-headers"]?.contains("x-moonrill-stream") == true)
        // Cookies are never used.
        #expect(fields?["access-control-allow-credentials"] == nil)
        #expect(rules.corsFields(["origin": "https://evil.example"]) == nil)
        #expect(rules.corsFields([:]) == nil)
        #expect(AccessRules(ServerSpec(), token: nil).corsFields(["origin": "https://friend.example"]) == nil)
        spec.origins = ["*"]
        let all = AccessRules(spec, token: nil).corsFields(["origin": "https://any.example"])
        #expect(all?["access-control-allow-origin"] == "https://any.example")
    }

    @Test func preflight() {
        var spec = ServerSpec()
        spec.origins = ["https://friend.example"]
        let rules = AccessRules(spec, token: nil)
        let asked: HTTPHeaders = [
            "origin": "https://friend.example", "access-control-request-method": "POST",
            "access-control-request-headers": "authorization, content-type",
        ]
        let response = rules.preflight(asked)
        #expect(response?.status == 204)
        #expect(response?.headers["access-control-allow-origin"] == "https://friend.example")
        #expect(response?.headers["access-control-allow-methods"]?.contains("DELETE") == true)
        #expect(response?.headers["access-control-allow-headers"] == "authorization, content-type")
        #expect(rules.preflight(["origin": "https://friend.example"]) == nil)
        #expect(rules.preflight(["origin": "https://evil.example", "access-control-request-method": "POST"]) == nil)
    }

    private func headers(_ fields: [String: String]) -> HTTPHeaders {
        fields.reduce(into: HTTPHeaders()) { $0.add($1.key, $1.value) }
    }
}

@Suite struct ClientLimiterTests {
    @Test func aBucketHoldsOneMinute() {
        var limiter = ClientLimiter(perMinute: 3)
        for _ in 0..<3 { #expect(limiter.take("a", now: 100) == nil) }
        #expect(limiter.take("a", now: 100) == 20)
        #expect(limiter.take("a", now: 110) == 10)
        #expect(limiter.take("a", now: 120) == nil)
        #expect(limiter.take("a", now: 120) == 20)
    }

    @Test func clientsAreApart() {
        var limiter = ClientLimiter(perMinute: 1)
        #expect(limiter.take("a", now: 0) == nil)
        #expect(limiter.take("b", now: 0) == nil)
        #expect(limiter.take("a", now: 0) == 60)
    }

    /// Refused requests cost nothing, and a client cannot save more than a minute's worth.
    @Test func refusedRequestsAreFreeAndSavingsAreBounded() {
        var limiter = ClientLimiter(perMinute: 2)
        for second in 0..<4 { _ = limiter.take("a", now: Double(second)) }
        #expect(limiter.take("a", now: 30) == nil)
        for _ in 0..<2 { #expect(limiter.take("a", now: 10_000) == nil) }
        #expect(limiter.take("a", now: 10_000) == 30)
    }

    /// A rate below 1 a minute still lets the first request pass.
    @Test func slowRates() {
        var limiter = ClientLimiter(perMinute: 0.5)
        #expect(limiter.take("a", now: 0) == nil)
        #expect(limiter.take("a", now: 0) == 120)
        #expect(limiter.take("a", now: 120) == nil)
    }

    /// The wait fits into Retry-After, however small the rate is.
    @Test(arguments: [1e-300, 1e-9, 0]) func theWaitIsBounded(rate: Double) {
        var limiter = ClientLimiter(perMinute: rate)
        #expect(limiter.take("a", now: 0) == nil)
        #expect(limiter.take("a", now: 0) == 86_400)
    }

    /// A clock that seems to run backwards adds nothing and takes nothing.
    @Test func timeNeverRunsBackwards() {
        var limiter = ClientLimiter(perMinute: 1)
        #expect(limiter.take("a", now: 100) == nil)
        #expect(limiter.take("a", now: 50) == 60)
    }

    /// The table is bounded; full buckets are forgotten first.
    @Test func theTableIsBounded() {
        var limiter = ClientLimiter(perMinute: 1)
        for number in 0..<99_999 { _ = limiter.take("old\(number)", now: 0) }
        #expect(limiter.take("limited", now: 59) == nil)
        #expect(limiter.take("new", now: 60) == nil)
        #expect(limiter.take("limited", now: 60) != nil)
    }
}
