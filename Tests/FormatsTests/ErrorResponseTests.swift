// Error bodies of each shape, and the recorded ones.

import Chat
import Formats
import HTTP
import JSON
import Providers
import Testing

private func read(_ status: Int, _ body: String, _ headers: HTTPHeaders = [:]) -> APIError {
    WireFormat.openAIChat.decodeError(
        head: HTTPResponseHead(status: status, headers: headers), body: [UInt8](body.utf8), now: 0)
}

@Suite struct ErrorResponseTests {
    @Test(
        arguments: [
            (#"{"error":{"message":"m","type":"t","code":"c","param":null}}"#, "m", "c"),
            (#"{"error":{"message":"m","type":"t","code":null}}"#, "m", "t"),
            (#"{"error":{"message":"m","type":"t","code":418}}"#, "m", "t"),
            (#"{"error":{"message":"m","code":418}}"#, "m", "418"),
            (#"{"error":{"message":"m","code":1113}}"#, "m", "1113"),
            (#"{"error":"m"}"#, "m", nil), (#"{"code":"invalid-argument","error":"m"}"#, "m", "invalid-argument"),
            (#"{"error":{"message":"m"},"code":"outer"}"#, "m", "outer"), (#"{"message":"m"}"#, "m", nil),
            (#"{"code":20012,"message":"m","data":null}"#, "m", "20012"), (#"{"detail":"m"}"#, "m", nil),
            (
                #"{"detail":[{"loc":["body","n"],"msg":"too big"},{"loc":[],"msg":"x"},"y"]}"#,
                "body.n: too big; x; y", nil
            ),
            (
                #"{"object":"error","message":{"detail":[{"loc":["body","stream_options"],"msg":"Extra"}]},"type":"t"}"#,
                "body.stream_options: Extra", "t"
            ),
            (#"[{"error":{"message":"m","status":"INVALID_ARGUMENT","code":418}}]"#, "m", "INVALID_ARGUMENT"),
            (#"{"errors":[{"message":"m","code":"c"}]}"#, "m", "c"), (#"{"errors":["m"]}"#, "m", nil),
            (#"{"type":"error","error":{"type":"t","message":"m"},"request_id":"r"}"#, "m", "t"),
            (
                #"{"error":{"message":"Provider returned error","metadata":{"raw":"why","provider_name":"P"}}}"#,
                "Provider returned error (P: why)", nil
            ),
            (#""m""#, "m", nil), (" plain words\n", "plain words", nil),
            (#"prefix {"error":{"message":"m"}}"#, "m", nil),
            ("<html><head><title> 502\n Bad Gateway</title></head>", "an HTML page: 502 Bad Gateway", nil),
            ("<!DOCTYPE HTML><body><h1>Sorry</h1>", "an HTML page: Sorry", nil),
            ("\u{FEFF}\n<!-- x --><html><title>T&amp;A</title>", "an HTML page: T&amp;A", nil),
            (
                "<?xml version=\"1.0\"?>\n<!-- x -->\n<!DOCTYPE html PUBLIC \"-//W3C//DTD XHTML 1.1//EN\" \"x.dtd\">"
                    + "<html xmlns=\"http://www.w3.org/1999/xhtml\"><head><title>É 407</title></head></html>",
                "an HTML page: É 407", nil
            ),
            ("<!doctype  HTML public \"x\">\n<h1 class=\"a\">Unable</h1>", "an HTML page: Unable", nil),
            ("<?xml version=\"1.0\"?><html><h1>A</h1>", "an HTML page: A", nil),
            ("<BODY><H1>B</H1>", "an HTML page: B", nil),
            ("<?xml version=\"1.0\"?><Error><Code>No</Code>", "<?xml version=\"1.0\"?><Error><Code>No</Code>", nil),
            ("<html><body></body></html>", "HTTP 418: <html><body></body></html>", nil),
            ("", "HTTP 418 with an empty body", nil),
            ("{}", "HTTP 418: {}", nil), (#"{"error":{}}"#, #"HTTP 418: {"error":{}}"#, nil),
            ("17", "HTTP 418: 17", nil),
        ] as [(String, String, String?)]) func shapes(body: String, message: String, code: String?)
    {
        let error = read(418, body)
        #expect(error.message == message)
        #expect(error.code == code)
        #expect(error.status == 418)
        #expect(!error.message.isEmpty)
    }

    @Test func statusInsideASuccessCounts() {
        let error = read(200, #"{"error":{"code":429,"message":"m"}}"#)
        #expect(error.status == 429)
        #expect(error.kind == .rateLimit)
        #expect(read(204, "").status == 204)
    }

    @Test func longTextIsCut() {
        let cut = String(repeating: "ä", count: 100) + "..."
        #expect(read(500, String(repeating: "ä", count: 300)).message == cut)
        #expect(read(500, "x" + String(repeating: "ä", count: 300)).message == "x" + cut.dropFirst())
    }

    @Test func redirectsNameTheirTargetWithoutItsPath() {
        let error = read(307, "", ["Location": "https://evil.example/steal?k=1"])
        #expect(error.kind == .config)
        #expect(!error.isRetryable)
        #expect(error.message.contains("https://evil.example:443"))
        #expect(!error.message.contains("steal"))
    }

    @Test(
        arguments: [
            (["x-request-id": "a", "cf-ray": "b"] as HTTPHeaders, "a"), (["Request-ID": "c"], "c"),
            (["cf-ray": "b"], "b"),
            ([:], "body"),
        ] as [(HTTPHeaders, String)]) func requestIDs(headers: HTTPHeaders, id: String)
    {
        #expect(read(500, #"{"request_id":"body"}"#, headers).requestID == id)
    }

    @Test(arguments: [(429, "false", false), (400, "true", true), (429, "maybe", true), (400, "FALSE", false)])
    func shouldRetryIsObeyed(status: Int, header: String, retryable: Bool) {
        #expect(read(status, "", ["X-Should-Retry": header]).isRetryable == retryable)
    }

    @Test func waits() {
        #expect(read(429, "", ["retry-after": "7"]).retryAfter == 7)
        let google =
            #"{"error":{"code":429,"message":"m","status":"RESOURCE_EXHAUSTED","details":[{"retryDelay":"48.5s"}]}}"#
        #expect(read(429, google).retryAfter == 48.5)
        #expect(read(429, google, ["retry-after": "7"]).retryAfter == 7)
    }

    static let recordings = Corpus.recordings { $0 == "errors" }

    @Test(arguments: recordings) func recorded(_ recording: Recording) throws {
        let expected = recording.expected["error"] ?? .null
        let message = expected["message"]?.string ?? "?"
        let words = ["code", "type", "status"].compactMap { key in
            expected[key].flatMap { $0.string ?? $0.int.map(String.init) }
        }
        let kinds: [Int: ErrorKind] = [
            400: .invalidRequest, 401: .auth, 403: .permission, 404: .invalidRequest, 429: .rateLimit, 500: .provider,
        ]
        // xAI answers a wrong key with 400.
        let kind = recording.name.contains("069-xai") ? .auth : kinds[recording.status]
        let retryAfter = ["1": 1.0][recording.headers["retry-after"] ?? ""] ?? (message.contains("48.") ? 48 : nil)
        let body = try JSONReader.value(recording.body)
        let (requestID, type) = (body["request_id"]?.string, body["error_type"]?.string)
        for name in FormatCatalog.names {
            let error = try #require(FormatCatalog.named(name)).decodeError(
                head: HTTPResponseHead(status: recording.status, headers: recording.headers), body: recording.body,
                now: 0)
            #expect(error.status == expected["http_status"]?.int.map { Int($0) })
            #expect(error.message == message || error.message.hasPrefix(message + " ("))
            #expect(words.isEmpty ? error.code == type : words.contains(error.code ?? ""), "\(error.code ?? "none")")
            #expect(error.kind == kind && error.isRetryable == [429, 500].contains(recording.status))
            #expect(error.retryAfter == retryAfter && error.requestID == requestID)
        }
    }
}

@Suite struct ErrorClassifierTests {
    @Test(arguments: [
        (400, ErrorKind.invalidRequest, false), (401, .auth, false), (402, .quota, false), (403, .permission, false),
        (404, .invalidRequest, false), (405, .invalidRequest, false), (407, .network, false), (408, .provider, true),
        (409, .provider, true), (413, .invalidRequest, false), (422, .invalidRequest, false), (429, .rateLimit, true),
        (500, .provider, true), (502, .provider, true), (503, .overloaded, true), (504, .provider, true),
        (529, .overloaded, true), (302, .config, false),
    ]) func statuses(status: Int, kind: ErrorKind, retryable: Bool) {
        let verdict = ErrorClassifier.classify(status: status, words: [], message: "")
        #expect(verdict == ErrorClassifier.Verdict(kind, isRetryable: retryable))
    }

    @Test(arguments: [
        (429, "insufficient_quota", "", ErrorKind.quota), (429, "exceeded_current_quota_error", "", .quota),
        (429, "1113", "", .quota), (400, "Arrearage", "", .quota), (403, "billing_not_active", "", .quota),
        (400, "invalid_request_error", "Your credit balance is too low to access the API", .quota),
        (429, "", "You exceeded your current quota, please check your plan", .quota),
        (429, "RESOURCE_EXHAUSTED", "You exceeded your current quota, please check your plan", .rateLimit),
        (429, "engine_overloaded_error", "", .overloaded), (500, "overloaded_error", "", .overloaded),
        (400, "invalid-argument", "Incorrect API key provided.", .auth), (400, "API_KEY_INVALID", "", .auth),
        (400, "InvalidApiKey", "", .auth), (400, "context_length_exceeded", "too long", .invalidRequest),
        (403, "unauthorized", "", .permission),
        (400, "invalid_request_error", "Unknown field api_key", .invalidRequest),
    ]) func codesOutweighStatuses(status: Int, code: String, message: String, kind: ErrorKind) {
        let verdict = ErrorClassifier.classify(status: status, words: [code, "x"], message: message)
        #expect(verdict.kind == kind)
        #expect(verdict.isRetryable == (kind == .rateLimit || kind == .overloaded))
    }

    @Test(arguments: [
        ("invalid_request_error", ErrorKind.invalidRequest, false), ("authentication_error", .auth, false),
        ("permission_error", .permission, false), ("not_found_error", .invalidRequest, false),
        ("rate_limit_error", .rateLimit, true), ("RateLimitReached", .rateLimit, true), ("api_error", .provider, true),
        ("server_error", .provider, true), ("overloaded_error", .overloaded, true), ("UNAVAILABLE", .overloaded, true),
        ("context_length_exceeded", .invalidRequest, false), ("something_new", .provider, false),
    ]) func typesWithoutAStatus(type: String, kind: ErrorKind, retryable: Bool) {
        let verdict = ErrorClassifier.classify(status: nil, words: ["strange", type], message: "")
        #expect(verdict == ErrorClassifier.Verdict(kind, isRetryable: retryable))
    }
}

@Suite struct RetryAfterTests {
    /// Sun, 06 Nov 1994 08:49:37 GMT.
    static let date = 784_111_777.0

    @Test(
        arguments: [
            ("7", 7.0), ("0", 0), ("1.5", 1.5), ("86400", 86_400), ("Sun, 06 Nov 1994 08:49:47 GMT", 10),
            ("Sunday, 06-Nov-94 08:49:47 GMT", 10), ("Sun Nov  6 08:49:47 1994", 10),
            ("Sun, 06 Nov 1994 07:00:00 GMT", 0), ("1e309", nil), ("-5", nil), ("NaN", nil), ("soon", nil), ("", nil),
            ("7, 8", nil), ("1e3", nil), ("0x10", nil), (".5", nil), ("1.2.3", nil), ("inf", nil),
            (String(repeating: "9", count: 400), nil), ("Sun, 32 Nov 1994 08:49:47 GMT", nil),
            ("Sun, 06 Foo 1994 08:49:47 GMT", nil), ("Sun, 06 Nov 1994 25:49:47 GMT", nil), ("06 Nov", nil),
        ] as [(String, Double?)]) func values(value: String, seconds: Double?)
    {
        #expect(RetryAfter.seconds(["Retry-After": value], now: Self.date) == seconds)
    }

    @Test func datesAreHeldAgainstTheAnswersOwn() {
        let headers: HTTPHeaders = [
            "Date": "Sun, 06 Nov 1994 08:49:37 GMT", "Retry-After": "Sun, 06 Nov 1994 08:50:07 GMT",
        ]
        #expect(RetryAfter.seconds(headers, now: 0) == 30)
        #expect(RetryAfter.seconds(headers, now: 2_000_000_000) == 30)
    }

    @Test(
        arguments: [
            (["retry-after-ms": "1500"] as HTTPHeaders, 1.5), (["retry-after-ms": "1500", "retry-after": "9"], 1.5),
            (["retry-after-ms": "0", "retry-after": "1"], 1), (["retry-after-ms": "0"], 0),
            (["retry-after-ms": "soon", "retry-after": "9"], 9), (["retry-after": "7", "Retry-After": "8"], nil),
            (["retry-after": "7", "Retry-After": "7"], 7), ([:], nil),
        ] as [(HTTPHeaders, Double?)]) func fields(headers: HTTPHeaders, seconds: Double?)
    {
        #expect(RetryAfter.seconds(headers, now: 0) == seconds)
    }

    @Test(arguments: [
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0), ("Tue, 29 Feb 2000 12:00:00 GMT", 951_825_600),
        ("Wed, 31 Dec 2036 23:59:59 GMT", 2_114_380_799), ("Fri, 01 Mar 2024 00:00:00 GMT", 1_709_251_200),
        ("Thursday, 01-Jan-70 00:00:00 GMT", 0),
    ]) func dates(text: String, seconds: Double) {
        #expect(HTTPDate.parse(text, now: 784_111_777) == seconds)
    }
}
