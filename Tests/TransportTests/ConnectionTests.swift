// Connections: reuse, curl's hidden resend, proxies, descriptors.

import Foundation
import HTTP
import Support
import Testing
import Transport

@Suite struct ConnectionTests {
    @Test func secondRequestReusesTheConnection() throws {
        try withServer(answering("x")) { server in
            let multi = try Multi()
            let (_, first) = try multi.fetch(post(server.url))
            let (_, second) = try multi.fetch(post(server.url))
            #expect(!first.reusedConnection)
            #expect(second.reusedConnection)
            #expect(second.connectSeconds == 0)
            #expect(server.connectionCount == 1)
            #expect(server.requests.count == 2)
        }
    }

    /// How the server ends a reused connection under the second request.
    enum Death: Sendable, CaseIterable {
        case closesAfterReading
        case resetsAfterReading
        case resetsInMidBody
    }

    /// A resend by curl would be charged twice.
    @Test(arguments: Death.allCases)
    func dyingKeptConnectionNeverGetsThePostTwice(_ death: Death) throws {
        let body = String(repeating: "b", count: death == .resetsInMidBody ? 8_000_000 : 2)
        try withServer({ connection in
            if connection.index > 0 {
                // curl may open a second connection before it finds that it cannot rewind: nothing may be sent on it.
                while connection.readRequest() != nil { connection.answer("x") }
                return
            }
            guard connection.readRequest() != nil else { return }
            connection.answer("x")
            switch death {
            case .closesAfterReading: _ = connection.readRequest()
            case .resetsAfterReading:
                _ = connection.readRequest()
                connection.reset()
            case .resetsInMidBody:
                // Enough that body bytes arrived and are lost.
                var count = 0
                while count < 1_000_000, let bytes = connection.readSome() { count += bytes.count }
                connection.reset()
            }
        }) { server in
            let multi = try Multi()
            _ = try multi.fetch(post(server.url, "first"))
            let (heard, end) = try multi.fetch(post(server.url, body))
            let code = try #require(end.error?.code, "\(end)")
            #expect([.sendFailed, .emptyReply, .receive].contains(code), "\(end)")
            if death == .closesAfterReading { #expect(code == .sendFailed || code == .emptyReply) }
            #expect(heard.heads.isEmpty)
            #expect(end.requestBytesSent > 0)
            #expect(server.requests.filter { $0.text == body }.count == (death == .resetsInMidBody ? 0 : 1))
            #expect(server.requests.count == (death == .resetsInMidBody ? 1 : 2))
            // The Multi continues to work.
            #expect(try multi.fetch(post(server.url, "third")).1.result == .complete)
        }
    }

    /// Each kept connection dies under its second request. The body of one size is handed to curl, the other one comes from
    /// a callback.
    @Test(arguments: [2, 20_000]) func aThousandDyingConnectionsGetEachPostOnce(size: Int) throws {
        try withServer({ connection in
            guard connection.readRequest() != nil else { return }
            connection.answer("x")
            _ = connection.readRequest()
        }) { server in
            let multi = try Multi()
            let body = String(repeating: "b", count: size)
            for number in 1...500 {
                #expect(try multi.fetch(post(server.url, "first")).1.result == .complete)
                let (_, end) = try multi.fetch(post(server.url, body))
                #expect(end.error != nil && end.reusedConnection && end.requestBytesSent > 0, "\(end)")
                guard server.requests.count == 2 * number else {
                    Issue.record("round \(number): \(server.requests.count) requests")
                    return
                }
            }
        }
    }

    @Test func connectionClosedWhileIdleIsReplaced() throws {
        let closed = DispatchSemaphore(value: 0)
        try withServer({ connection in
            guard connection.readRequest() != nil else { return }
            connection.answer("x")
            connection.close()
            closed.signal()
        }) { server in
            let multi = try Multi()
            _ = try multi.fetch(post(server.url))
            closed.wait()
            let (_, end) = try multi.fetch(post(server.url, "second"))
            #expect(end.result == .complete, "\(end)")
            #expect(server.requests.map(\.text) == ["{}", "second"])
        }
    }

    /// Without a body curl has nothing to rewind and would resend: such a request gets its own connection.
    @Test func postWithoutBodyIsNotSentTwice() throws {
        try withServer({ connection in
            guard connection.readRequest() != nil else { return }
            if connection.index == 0 { connection.answer("x") }
            _ = connection.readRequest()
        }) { server in
            let multi = try Multi()
            _ = try multi.fetch(post(server.url, "first"))
            let recorder = Recorder()
            let transfer = try multi.begin(post(server.url, ""), recorder)
            multi.run { server.requests.count == 2 }
            #expect(server.connectionCount == 2)
            multi.cancel(transfer)
        }
    }

    @Test func abortedConnectionIsNotReused() throws {
        try withServer({ connection in
            _ = connection.readRequest()
            connection.write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\ntoken")
            if connection.readRequest() != nil { Issue.record("an aborted connection was used again") }
        }) { server in
            let multi = try Multi()
            for _ in 0..<3 {
                let recorder = Recorder()
                let transfer = try multi.begin(get(server.url), recorder)
                multi.run { recorder.text == "token" }
                multi.cancel(transfer)
            }
            #expect(server.connectionCount == 3)
        }
    }

    @Test func proxyOfTheOptionIsUsed() throws {
        try withServer(answering("through the proxy")) { proxy in
            let (heard, end) = try Multi().fetch(get("http://far.invalid/path")) { $0.proxy = proxy.url }
            #expect(end.result == .complete)
            #expect(heard.text == "through the proxy")
            #expect(proxy.requests.first?.line == "GET http://far.invalid/path HTTP/1.1")
        }
    }

    @Test func proxyThatRefusesATunnel() throws {
        try withServer({ connection in
            while connection.readRequest() != nil {
                connection.answer("", status: "407 Proxy Authentication Required")
            }
        }) { proxy in
            let (heard, end) = try Multi().fetch(post("https://far.invalid/")) { $0.proxy = proxy.url }
            #expect(end.error?.code == .proxy, "\(end)")
            #expect(
                end.error?.message.contains(
                    "through the proxy 127.0.0.1:\(proxy.port): CONNECT tunnel failed, response 407") == true, "\(end)")
            #expect(heard.heads.isEmpty)
            #expect(!end.sawHead)
        }
    }

    // The tests below inspect the whole process, so each runs in its own process.

    @Test func proxyOfTheEnvironmentIsUsed() async {
        await #expect(processExitsWith: .success) {
            try withServer(answering("proxy")) { proxy in
                try withServer(answering("direct")) { server in
                    setenv("http_proxy", proxy.url, 1)
                    setenv("no_proxy", "127.0.0.1", 1)
                    let multi = try Multi()
                    let (far, _) = try multi.fetch(get("http://far.invalid/")) { $0.proxy = nil }
                    let (near, _) = try multi.fetch(get(server.url)) { $0.proxy = nil }
                    try #require(far.text == "proxy")
                    try #require(near.text == "direct")
                }
            }
        }
    }

    @Test func noDescriptorIsLeftBehind() async {
        await #expect(processExitsWith: .success) {
            _ = try Multi()  // what libcurl and its TLS library open once for good
            let before = descriptors()
            for _ in 0..<20 {
                try withServer(answeringOrEndless) { server in try useConnections(of: server, with: Multi()) }
            }
            let left = descriptors().subtracting(before)
            // The test runner opens a timer or two; one leaked per round would be twenty.
            try #require(left.count < 10, "\(left)")
            try #require(!left.values.contains { $0.hasPrefix("socket:") }, "\(left)")
        }
    }

    @Test func childProcessesInheritNoDescriptor() async {
        await #expect(processExitsWith: .success) {
            try withServer(answeringOrEndless) { server in
                let before = descriptors()
                let multi = try Multi()
                let pair = descriptors().subtracting(before).filter { fcntl($0.key, F_GETFD) & FD_CLOEXEC == 0 }
                // libcurl's wakeup pair, which is never used here, cannot be closed.
                try #require(pair.count <= 2 && pair.values.allSatisfy { $0.hasPrefix("socket:") })
                try useConnections(of: server, with: multi)
                let opened = descriptors().subtracting(before).subtracting(pair)
                // Both ends of the connections are counted: three connections are open.
                try #require(opened.values.filter { $0.hasPrefix("socket:") }.count >= 6)
                try #require(opened.keys.allSatisfy { fcntl($0, F_GETFD) & FD_CLOEXEC != 0 }, "\(opened)")
                multi.turn(waitingUpTo: 0)
            }
        }
    }

    @Test func outOfDescriptors() async {
        await #expect(processExitsWith: .success) {
            try withServer(answering("x")) { server in
                let multi = try Multi()
                // Once, so that everything opened late is open.
                _ = try multi.fetch(HTTPRequest(method: "POST", url: server.url))
                var limit = rlimit(rlim_cur: 3, rlim_max: 4096)
                try #require(setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0)
                let (_, end) = try multi.fetch(HTTPRequest(method: "POST", url: server.url))
                let second = Result { () throws(TransportError) in try Multi() }
                limit.rlim_cur = 1024
                try #require(setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0)
                try #require(end.error?.code == .tooManyDescriptors, "\(end)")
                guard case .failure(let error) = second else { throw POSIXError(.EIO) }
                try #require(error.code == .tooManyDescriptors)
            }
        }
    }
}

/// A script that answers, and leaves /endless waiting.
private func answeringOrEndless(_ connection: RawServer.Connection) {
    while let request = connection.readRequest() {
        if request.line.contains("/endless") {
            connection.write("HTTP/1.1 200 OK\r\n\r\ntoken")
            _ = connection.waitForDeparture()
            return
        }
        connection.answer("x")
    }
}

/// Leaves idle, reused and running connections.
private func useConnections(of server: RawServer, with multi: Multi) throws {
    for path in ["/", "/endless", "/endless", "/"] {
        let recorder = Recorder()
        try multi.begin(get(server.url + path), recorder)
        multi.run { !recorder.bytes.isEmpty }
    }
}

/// Open descriptors of this process and their targets, from /proc.
private func descriptors() -> [Int32: String] {
    var found: [Int32: String] = [:]
    for number in Int32(0)..<1024 where fcntl(number, F_GETFD) >= 0 {
        found[number] = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\(number)")) ?? "?"
    }
    return found
}

extension [Int32: String] {
    /// Entries of this set that are not in the other.
    fileprivate func subtracting(_ other: Self) -> Self { filter { other[$0.key] != $0.value } }
}
