// Listening sockets, limits of connections, and the ends of servers.

import Chat
import Foundation
import HTTP
import NIOCore
import NIOPosix
import Support
import Testing

@testable import Server

@Suite struct ListenerTests {
    /// A path that no other test uses.
    private static func socketPath() -> String { "/tmp/moonrill-\(UUID().uuidString.prefix(8)).sock" }

    private static func failure(_ configure: (inout ServerSpec) -> Void) throws -> ServerFailure {
        do {
            try withServer(configure) { _ in }
        } catch let failure as ServerFailure {
            return failure
        }
        Issue.record("the server has started")
        return ServerFailure(message: "")
    }

    @Test(.timeLimit(.minutes(1))) func reportsItsAddress() throws {
        try withServer { server in
            #expect(server.listener.address.url == "http://127.0.0.1:\(server.port)/")
            #expect(server.port > 0)
        }
        try withServer {
            $0.host = "::1"
        } _: { server in
            #expect(server.listener.address.url == "http://[::1]:\(server.port)/")
        }
    }

    @Test(.timeLimit(.minutes(1))) func reportsWhyItCannotListen() throws {
        try withServer { server in
            let port = server.port
            let failure = try Self.failure { $0.port = port }
            #expect(failure.isAddressInUse)
            #expect(failure.message.hasPrefix("cannot listen on 127.0.0.1:\(port): the address is in use;"))
        }
        #expect(try Self.failure { $0.host = "no.such.host.invalid" }.message.contains("no such host"))
        #expect(try Self.failure { $0.host = "192.0.2.1" }.message.contains("not one of this machine"))
        #expect(try Self.failure { $0.port = 70_000 }.message.contains("between 0 and 65535"))
        let long = "/tmp/" + String(repeating: "x", count: 200)
        #expect(try Self.failure { $0.unixPath = long }.message.contains("at most 103 bytes"))
        #expect(try Self.failure { $0.unixPath = "/no/such/folder/a.sock" }.message.contains("does not exist"))
        #expect(try Self.failure { $0.unixPath = "/etc/passwd" }.message.contains("no socket"))
    }

    @Test(.timeLimit(.minutes(1))) func listensOnAUnixSocket() throws {
        let path = Self.socketPath()
        try withServer {
            $0.unixPath = path
        } _: { server in
            #expect(server.listener.address == ServerAddress(url: "unix:\(path)", port: nil))
            let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
            #expect(mode == 0o660)
            let client = try TestClient(unixPath: path)
            #expect(try client.get("/a").body == "GET /a ")
            #expect(try server.onLoop { $0.heads.map(\.remoteAddress) } == ["unix"])
            #expect(try Self.failure { $0.unixPath = path }.isAddressInUse)
            server.listener.stopAccepting()
            #expect(!FileManager.default.fileExists(atPath: path))
        }
    }

    @Test(.timeLimit(.minutes(1))) func replacesTheSocketFileOfAServerThatEnded() throws {
        let path = Self.socketPath()
        let address = try SocketAddress(unixDomainSocketPath: path)
        let descriptor = try ListeningAddress.bindUnixSocket(address, path: path)
        close(descriptor)
        #expect(FileManager.default.fileExists(atPath: path))
        try withServer {
            $0.unixPath = path
        } _: { _ in
            let client = try TestClient(unixPath: path)
            #expect(try client.get("/a").status == 200)
        }
        #expect(!FileManager.default.fileExists(atPath: path))
    }

    @Test(.timeLimit(.minutes(1))) func leavesTheSocketFileOfItsSuccessor() throws {
        let path = Self.socketPath()
        try withServer {
            $0.unixPath = path
        } _: { draining in
            draining.listener.stopAccepting()
            try withServer {
                $0.unixPath = path
            } _: { _ in
                draining.listener.closeAll()
                let client = try TestClient(unixPath: path)
                #expect(try client.get("/a").status == 200)
            }
        }
        try withServer {
            $0.unixPath = path
        } _: { replaced in
            // The inode number of a file that is only renamed is not used again.
            try FileManager.default.moveItem(atPath: path, toPath: path + ".old")
            defer { unlink(path + ".old") }
            try withServer {
                $0.unixPath = path
            } _: { _ in
                replaced.listener.stopAccepting()
                let client = try TestClient(unixPath: path)
                #expect(try client.get("/a").status == 200)
            }
        }
    }

    @Test(.timeLimit(.minutes(1))) func closesIdleConnectionsWhenItStops() throws {
        try withServer { server in
            let idle = try server.connect()
            #expect(try idle.get("/a").status == 200)
            let running = try server.connect()
            try running.send("GET /hold HTTP/1.1\r\nHost: a\r\n\r\n")
            let streaming = try server.connect()
            try streaming.send("GET /stream HTTP/1.1\r\nHost: a\r\n\r\n")
            _ = try streaming.head()
            try server.log.wait(for: "request /hold")
            try server.log.wait(for: "request /stream")
            server.listener.stopAccepting()
            #expect(try idle.readAll() == "")
            #expect(throws: TestClient.Failed.self) { try server.connect() }
            try server.onLoop { stub in
                for writer in stub.writers {
                    writer.respond(ServedResponse(type: "text/plain", Array("done".utf8)))
                    writer.end()
                }
            }
            let response = try running.response()
            #expect(response.body == "done")
            #expect(response.headers["connection"] == "close")
            #expect(try running.readAll() == "")
            #expect(try streaming.readAll() == "0\r\n\r\n")
            let log = server.log
            server.listener.whenEmpty { log.add("empty") }
            try log.wait(for: "empty")
        }
    }

    @Test(.timeLimit(.minutes(1))) func cutsAllConnections() throws {
        try withServer { server in
            let client = try server.connect()
            try client.send("GET /hold HTTP/1.1\r\nHost: a\r\n\r\n")
            try server.log.wait(for: "request /hold")
            let log = server.log
            server.listener.closeAll()
            server.listener.whenEmpty { log.add("empty") }
            try log.wait(for: "empty")
            #expect(log.all == ["request /hold", "gone /hold", "empty"])
            #expect(try client.readAll() == "")
        }
    }

    @Test(.timeLimit(.minutes(1))) func refusesConnectionsBeyondTheLimit() throws {
        try withServer {
            $0.limits.connections = 2
        } _: { server in
            let first = try server.connect()
            #expect(try first.get("/a").status == 200)
            do {
                let second = try server.connect()
                #expect(try second.get("/a").status == 200)
                for _ in 0..<100 {
                    let third = try server.connect()
                    let response = try third.response()
                    #expect(response.status == 503)
                    #expect(response.headers["retry-after"] == "1")
                    #expect(try third.readAll() == "")
                }
            }
            // The server accepts again as soon as it has seen that the second is closed.
            while true {
                let fourth = try server.connect()
                if try fourth.get("/a").status == 200 { break }
            }
        }
    }
}
