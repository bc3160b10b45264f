// Requests: body, address, headers; and requests that are rejected before they are sent.

import Base
import Chat
import Formats
import HTTP
import JSON
import Providers
import Testing

@Suite struct OpenAIRequestTests {
    private let endpoint = Endpoint(provider: "p", baseURL: "https://api.example/v1", keyVariable: "P_KEY")
    private let hello: [JSONValue] = [["role": "user", "content": "hi"]]

    private func encode(
        _ request: ChatRequest, _ endpoint: Endpoint? = nil, key: String? = "sk-1"
    ) throws -> (request: HTTPRequest, body: JSONValue) {
        let request = try WireFormat.openAIChat.encode(request, endpoint: endpoint ?? self.endpoint, key: key)
        return (request, try JSONReader.value(request.body))
    }

    private func failure(_ request: ChatRequest, _ endpoint: Endpoint? = nil, key: String? = "sk-1") -> APIError? {
        do {
            _ = try encode(request, endpoint, key: key)
            return nil
        } catch {
            return error as? APIError
        }
    }

    @Test func body() throws {
        let parameters: JSONObject = ["temperature": 0.5, "tools": [], "user": .null, "max_tokens": 9]
        let (request, body) = try encode(
            ChatRequest(model: "m", system: "s", messages: hello, parameters: parameters))
        #expect(request.method == "POST")
        #expect(request.url == "https://api.example/v1/chat/completions")
        #expect(
            String(decoding: request.body, as: UTF8.self)
                == #"{"model":"m","messages":[{"role":"system","content":"s"},{"role":"user","content":"hi"}],"#
                + #""stream":true,"stream_options":{"include_usage":true},"temperature":0.5,"tools":[],"user":null,"max_tokens":9}"#
        )
        #expect(body["stream"] == true)
        #expect(
            request.headers == [
                "Content-Type": "application/json", "Accept": "text/event-stream",
                "User-Agent": "moonrill/\(Product.version)", "Authorization": "Bearer sk-1",
            ])
    }

    @Test func usersSayWhatStreamOptionsAre() throws {
        let options: JSONObject = ["stream_options": ["include_usage": false], "stream": true]
        let (_, body) = try encode(ChatRequest(model: "m", messages: hello, parameters: options))
        #expect(body["stream_options"] == ["include_usage": false])
        var mistral = endpoint
        mistral.quirks.usage = .none
        let (_, plain) = try encode(ChatRequest(model: "m", messages: hello), mistral)
        #expect(plain["stream_options"] == nil)
    }

    @Test(
        arguments: [
            ("model", "x" as JSONValue, "model"), ("messages", [], "messages"), ("stream", false, "stream"),
            ("temperature", .double(.nan), "temperature"), ("a", ["b": [1.5, .double(.infinity)]], "a.b[2]"),
        ] as [(String, JSONValue, String)]) func refusedParameters(key: String, value: JSONValue, named: String) throws
    {
        let error = try #require(failure(ChatRequest(model: "m", messages: hello, parameters: .init(key, value))))
        #expect(error.kind == .invalidRequest)
        #expect(error.message.hasPrefix(named + " "))
    }

    @Test func refusedRequests() {
        #expect(failure(ChatRequest(model: "", messages: hello))?.message == "model must be named")
        #expect(failure(ChatRequest(model: "m", messages: []))?.message == "messages must not be empty")
        #expect(failure(ChatRequest(model: "m", messages: ["hi"]))?.message.hasPrefix("messages[1] ") == true)
        #expect(failure(ChatRequest(model: "m", system: "s", messages: [])) == nil)
    }

    @Test(
        arguments: [
            (Quirks.Continuation.prefill, #"{"role":"assistant","content":"Once"}"#, nil),
            (.prefixFlag, #"{"role":"assistant","content":"Once","prefix":true}"#, nil),
            (.partialFlag, #"{"role":"assistant","content":"Once","partial":true}"#, nil),
            (.bodyFlag, #"{"role":"assistant","content":"Once"}"#, true),
        ] as [(Quirks.Continuation, String, Bool?)])
    func continuations(_ way: Quirks.Continuation, message: String, flag: Bool?) throws {
        var endpoint = endpoint
        endpoint.quirks.continuation = way
        let (_, body) = try encode(ChatRequest(model: "m", messages: hello, continuing: "Once"), endpoint)
        #expect(body["messages"]?.array?.last == (try JSONReader.value(message)))
        #expect(body["continue_final_message"]?.bool == flag)
        #expect(body["add_generation_prompt"]?.bool == flag.map { !$0 })
    }

    @Test func continuationThatNoProviderKnows() {
        let error = failure(ChatRequest(model: "m", messages: hello, continuing: "Once"))
        #expect(error?.kind == .invalidRequest)
        #expect(error?.message == "p cannot go on from a partial reply")
    }

    @Test func continuationsGoToTheSameServerAlone() throws {
        let endpoint = try #require(ProviderCatalog.named("deepseek")).endpoints[0]
        let deepseek = Endpoint(provider: "deepseek", baseURL: endpoint.baseURL, quirks: endpoint.quirks)
        let request = ChatRequest(model: "m", messages: hello, continuing: "Once")
        #expect(try encode(request, deepseek).request.url == "https://api.deepseek.com/beta/chat/completions")
        var elsewhere = deepseek
        elsewhere.baseURL = "http://127.0.0.1:9/v1"
        #expect(try encode(request, elsewhere).request.url == "http://127.0.0.1:9/v1/chat/completions")
        #expect(
            try encode(ChatRequest(model: "m", messages: hello), deepseek).request.url
                == "https://api.deepseek.com/chat/completions")
    }

    @Test(arguments: ["sk-1\n", "sk-1\r\nX: y", "sk\0", "sk ü", "clé", " sk", "sk\u{7F}", ""])
    func badKeysAreNamedAndNotShown(key: String) throws {
        let error = try #require(failure(ChatRequest(model: "m", messages: hello), key: key))
        #expect(error.kind == .config)
        #expect(error.message.contains("P_KEY"))
        #expect(key.isEmpty || !error.message.contains(key))
    }

    @Test func headersOfTheClient() throws {
        var endpoint = endpoint
        endpoint.headers = ["user-agent": "me/1", "X-Title": "t", "x-title": "u"]
        let (request, _) = try encode(ChatRequest(model: "m", messages: hello), endpoint, key: nil)
        #expect(request.headers.fields.map(\.name) == ["Content-Type", "Accept", "user-agent", "X-Title", "x-title"])
        #expect(request.headers["User-Agent"] == "me/1")
        for bad: HTTPHeaders in [["X": "a\r\nY: b"], ["X\n": "a"], ["": "a"], ["X Y": "a"], ["X": "a\0"]] {
            endpoint.headers = bad
            #expect(failure(ChatRequest(model: "m", messages: hello), endpoint)?.kind == .config)
        }
    }
}

extension JSONObject {
    fileprivate init(_ key: String, _ value: JSONValue) {
        self.init()
        self[key] = value
    }
}

@Suite struct BaseURLTests {
    @Test(arguments: [
        ("https://a.example/v1", "https://a.example/v1/chat/completions"),
        ("https://a.example/v1/", "https://a.example/v1/chat/completions"),
        ("https://a.example/v1//", "https://a.example/v1/chat/completions"),
        ("HTTPS://A.Example", "https://a.example/chat/completions"),
        ("https://a.example/v1/chat/completions", "https://a.example/v1/chat/completions"),
        ("https://a.example/v1/chat/completions/", "https://a.example/v1/chat/completions"),
        ("http://[::1]:8080/v1", "http://[::1]:8080/v1/chat/completions"),
        ("https://a.example/d?api-version=1", "https://a.example/d/chat/completions?api-version=1"),
        ("https://a.example:8443", "https://a.example:8443/chat/completions"),
    ]) func joins(base: String, url: String) throws {
        #expect(try BaseURL(base).appending("/chat/completions") == url)
    }

    @Test(arguments: [
        "", "a.example", "ftp://a.example", "file:///etc/passwd", "https://", "https:///v1",
        "https://user:pw@a.example",
        "https://key@a.example", "https://a.example#x", "https://a.example/ x", "https://a.example\r\n", "https://a:0",
        "https://a:65536", "https://a:b", "https://[::1", "https://a\\b", "javascript://x", "https://exämple",
    ]) func refuses(base: String) {
        let error = #expect(throws: APIError.self) { try BaseURL(base) }
        #expect(error?.kind == .config)
        #expect(error?.message.hasPrefix("base_url ") == true)
        #expect(error?.message.contains("pw") == false)
    }

    @Test func origins() throws {
        #expect(try BaseURL("https://a.example/v1").origin == BaseURL("https://A.example:443/x").origin)
        #expect(try BaseURL("https://a.example").origin != BaseURL("http://a.example").origin)
        #expect(try BaseURL("https://a.example").origin != BaseURL("https://a.example:8443").origin)
    }
}
