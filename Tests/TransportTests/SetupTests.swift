// Options and header lists that a handle keeps from one transfer to the next.

import HTTP
import Support
import Testing
import Transport

@Suite struct SetupTests {
    /// Alternates between requests that differ in one thing. Each arrives with its own fields and body, and with none of the
    /// request before.
    @Test func eachRequestArrivesAsItIs() throws {
        try withServer(answering("x")) { server in
            let multi = try Multi()
            let plain = HTTPHeaders(dictionaryLiteral: ("Content-Type", "application/json"))
            var withKey = plain
            withKey.add("Authorization", "Bearer sk-one")
            var withOther = plain
            withOther.add("Authorization", "Bearer sk-two")
            withOther.add("X-Empty", "")
            let bodies = ["{}", "", String(repeating: "b", count: 20_000), "{\"a\":1}"]
            var sent: [(line: String, key: String?, body: String)] = []
            for round in 0..<3 {
                for (place, headers) in [plain, withKey, withOther, plain].enumerated() {
                    for (number, body) in bodies.enumerated() {
                        let method = (place + number + round) % 5 == 4 ? "PUT" : "POST"
                        let path = number == 3 ? "/other" : "/"
                        let request = HTTPRequest(
                            method: method, url: "http://127.0.0.1:\(server.port)\(path)", headers: headers,
                            body: Array(body.utf8))
                        let (heard, end) = try multi.fetch(request)
                        #expect(end.result == .complete)
                        #expect(heard.text == "x")
                        sent.append(("\(method) \(path) HTTP/1.1", headers["Authorization"], body))
                    }
                }
                // GET between them, and a failure, after which a handle is reset.
                let (heard, _) = try multi.fetch(get(server.url))
                #expect(heard.text == "x")
                sent.append(("GET / HTTP/1.1", nil, ""))
                let (_, stopped) = try multi.fetch(post("http://127.0.0.1:1/"))
                #expect(stopped.error?.code == .connect)
            }
            let received = server.requests
            try #require(received.count == sent.count)
            for (request, expected) in zip(received, sent) {
                #expect(request.line == expected.line)
                #expect(request.headers.first { $0.name.lowercased() == "authorization" }?.value == expected.key)
                #expect(request.headers.filter { $0.name.lowercased() == "authorization" }.count <= 1)
                #expect(request.headers.contains { $0.name == "X-Empty" } == (expected.key == "Bearer sk-two"))
                #expect(String(decoding: request.body, as: UTF8.self) == expected.body)
            }
        }
    }

    /// More sets of fields than lists are kept, several of them in use at once.
    @Test func listsOutliveTheirPlace() throws {
        try withServer(answering("x")) { server in
            let multi = try Multi()
            let recorders = try (0..<30).map { number in
                let recorder = Recorder()
                // The larger body comes from a callback, and such a handle is reset.
                var request = post(server.url, number % 2 == 0 ? "{}" : String(repeating: "b", count: 20_000))
                request.headers.add("X-Number", "\(number)")
                try multi.begin(request, recorder)
                return recorder
            }
            multi.run { recorders.allSatisfy { $0.end != nil } }
            let numbers = server.requests.compactMap { request in
                request.headers.first { $0.name == "X-Number" }.flatMap { Int($0.value) }
            }
            #expect(numbers.sorted() == Array(0..<30))
        }
    }

    /// A cancelled transfer leaves its handle in the middle of a response.
    @Test func aHandleIsUsableAfterACancel() throws {
        try withServer({ connection in
            while connection.readRequest() != nil {
                if connection.index == 0 {
                    connection.write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
                } else {
                    connection.answer("whole")
                }
            }
        }) { server in
            let multi = try Multi()
            let recorder = Recorder()
            let transfer = try multi.begin(post(server.url, "{}"), recorder)
            multi.run { recorder.text == "half" }
            multi.cancel(transfer)
            for _ in 0..<3 {
                let (heard, end) = try multi.fetch(post(server.url, "{}"))
                #expect(end.result == .complete)
                #expect(heard.text == "whole")
            }
        }
    }
}
