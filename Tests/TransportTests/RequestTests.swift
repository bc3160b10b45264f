// Requests that must not be sent.

import HTTP
import Support
import Testing
import Transport

@Suite struct RequestTests {
    /// The error of `start`; nothing may reach a server.
    private func refusal(_ request: HTTPRequest) throws -> TransportError? {
        let multi = try Multi()
        do {
            _ = try multi.begin(request, Recorder())
            return nil
        } catch let error as TransportError {
            #expect(multi.activeCount == 0)
            return error
        }
    }

    @Test(arguments: ["a\r\nX-Injected: 1", "a\nb", "a\rb", "a\0b", "\u{7F}", "\u{1}"])
    func valuesThatWouldInject(_ value: String) throws {
        var request = post("http://127.0.0.1:9/")
        request.headers.add("Authorization", "Bearer sk-secret\(value)")
        let error = try refusal(request)
        #expect(error?.code == .headerInvalid)
        #expect(error?.message.contains("Authorization") == true)
        #expect(error?.message.contains("secret") == false)
    }

    @Test(arguments: ["", "a b", "a:", "a\r\nb", "é", "a\0"])
    func namesThatAreNone(_ name: String) throws {
        var request = post("http://127.0.0.1:9/")
        request.headers.add(name, "1")
        #expect(try refusal(request)?.code == .headerInvalid)
    }

    @Test(arguments: ["Content-Length", "transfer-encoding", "Connection", "Expect", "TE", "Upgrade"])
    func fieldsThatBelongToTheTransport(_ name: String) throws {
        var request = post("http://127.0.0.1:9/")
        request.headers.add(name, "1")
        #expect(try refusal(request)?.code == .headerInvalid)
    }

    @Test(arguments: ["", "GET / HTTP/1.1\r\nX: 1", "GE T"])
    func methodsThatAreNone(_ method: String) throws {
        #expect(try refusal(HTTPRequest(method: method, url: "http://127.0.0.1:9/"))?.code == .headerInvalid)
    }

    @Test(arguments: [
        "file:///etc/passwd", "ftp://127.0.0.1/x", "FILE:///etc/passwd", "gopher://127.0.0.1/", "127.0.0.1/x", "",
        "http:/127.0.0.1", "http://", "https://a b/", "http://127.0.0.1/\r\nX: 1", "http://127.0.0.1:99999/",
        "javascript:alert(1)", "ws://127.0.0.1/", "httpx://127.0.0.1/", "http://127.0.0.1/\0",
    ])
    func otherSchemesAndNonsense(_ url: String) throws {
        let error = try refusal(get(url))
        #expect(error?.code == .unsupportedURL, "\(url)")
    }

    @Test(arguments: ["HTTP://127.0.0.1:", "http://user:pw@127.0.0.1:"])
    func unusualButRight(_ start: String) throws {
        try withServer(answering("x")) { server in
            let (heard, _) = try Multi().fetch(get("\(start)\(server.port)/a"))
            #expect(heard.text == "x")
        }
    }

    @Test func messagesNameNeitherUserNorQuery() throws {
        let dead = try RawServer { _ in }
        dead.stop()
        let url = "http://user:password@127.0.0.1:\(dead.port)/path?key=secret"
        let (_, end) = try Multi().fetch(post(url))
        let message = try #require(end.error?.message)
        #expect(message.contains("127.0.0.1:\(dead.port)"))
        for word in ["user", "password", "secret", "path"] { #expect(!message.contains(word)) }
    }
}
