// WebSockets through the core: requests, cancellations and resumptions as messages.

import Base
import Chat
import HTTP
import JSON
import NIOCore
import Testing

@testable import Server

@Suite struct SocketSessionTests {
    /// The sending side of a socket, kept.
    private final class Writer: SocketWriter {
        var messages: [JSONValue] = []
        var closings: [Int] = []
        var isWritable = true

        func send(_ text: ByteBuffer) {
            messages.append((try? JSONReader.value(Array(text.readableBytesView))) ?? .null)
        }

        func close(_ code: Int, reason: String) { closings.append(code) }

        var events: [String] { messages.map { $0["event"]?.string ?? "" } }
        func take() -> [JSONValue] {
            defer { messages = [] }
            return messages
        }
    }

    private func open(_ server: CoreHarness) -> (Writer, any ServerSocket) {
        let head = RequestHead(
            method: "GET", target: "/ws", headers: ["host": "127.0.0.1:8080"], remoteAddress: "10.0.0.1")
        let writer = Writer()
        #expect(server.core.refusal(ofSocket: head) == nil)
        return (writer, server.core.openSocket(head, writer))
    }

    @Test func aRequestAndItsReply() throws {
        let server = try CoreHarness(models: ["m"])
        let (writer, socket) = open(server)
        socket.received(Array(#"{"type":"ask","ref":"r","prompt":"hi"}"#.utf8))
        let request = server.request()
        #expect(request.chat?.model == "m")
        server.send(request.id, "a")
        server.finish(request.id)
        #expect(writer.events == ["start", "message", "finish"])
        let stream = try #require(writer.messages[0]["stream"]?.string)
        for (index, message) in writer.messages.enumerated() {
            #expect(message["id"]?.string == "\(stream)-\(index + 1)")
            #expect(message["ref"] == "r")
            #expect(message["data"]?.object != nil)
        }
        // Resumed from each event.
        let whole = writer.take()
        for number in 0..<3 {
            socket.received(Array(#"{"type":"resume","ref":"r","last_event_id":"\#(stream)-\#(number)"}"#.utf8))
            #expect(writer.take() == Array(whole.dropFirst(number)))
        }
    }

    @Test func cancellation() throws {
        let server = try CoreHarness(models: ["m"])
        let (writer, socket) = open(server)
        socket.received(Array(#"{"type":"ask","prompt":"hi"}"#.utf8))
        let id = server.request().id
        let stream = try #require(writer.messages[0]["stream"]?.string)
        socket.received(Array(#"{"type":"cancel","stream":"\#(stream)"}"#.utf8))
        #expect(writer.events == ["start", "failure"])
        #expect(server.take().map(\.summary) == ["gone \(id.raw)"])
    }

    @Test(arguments: [
        "{", "[]", "{}", #"{"type":"x"}"#, #"{"type":"ask"}"#, #"{"type":"ask","prompt":"a","model":"x"}"#,
        #"{"type":"cancel","stream":"none"}"#, #"{"type":"cancel"}"#, #"{"type":"resume","last_event_id":"x"}"#,
    ])
    func refusals(message: String) throws {
        let server = try CoreHarness(models: ["m"])
        let (writer, socket) = open(server)
        socket.received(Array(message.utf8))
        #expect(writer.events == ["failure"])
        #expect(writer.closings.isEmpty)
        #expect(server.take().isEmpty)
    }

    @Test func aStreamThatIsNotKept() throws {
        let server = try CoreHarness(models: ["m"])
        let (writer, socket) = open(server)
        socket.received(Array(#"{"type":"resume","last_event_id":"none-3","ref":"r"}"#.utf8))
        #expect(writer.events == ["lost"])
        #expect(writer.messages[0]["ref"] == "r")
    }

    /// A socket that closes leaves all of its streams.
    @Test func closingLeavesTheStreams() throws {
        let server = try CoreHarness(models: ["m"])
        let (_, socket) = open(server)
        for _ in 0..<3 { socket.received(Array(#"{"type":"ask","prompt":"hi"}"#.utf8)) }
        let ids = server.requests().map(\.id)
        socket.closed()
        server.advance(0.1)
        #expect(server.take().map(\.summary) == ids.map { "gone \($0.raw)" })
    }

    /// Neither requests nor resumptions give a socket streams without end.
    @Test(arguments: ["ask", "resume"]) func streamsOfASocketAreBounded(type: String) throws {
        let server = try CoreHarness(models: ["m"])
        let (writer, socket) = open(server)
        socket.received(Array(#"{"type":"ask","prompt":"hi"}"#.utf8))
        let stream = try #require(writer.messages[0]["stream"]?.string)
        let message =
            type == "ask"
            ? #"{"type":"ask","prompt":"hi"}"# : #"{"type":"resume","last_event_id":"\#(stream)-0"}"#
        for _ in 0..<150 { socket.received(Array(message.utf8)) }
        #expect(writer.events.count { $0 == "start" } == 100)
        #expect(writer.events.count { $0 == "failure" } == 51)
    }

    @Test func limits() throws {
        let server = try CoreHarness(models: ["m"]) {
            $0.limits.concurrent = 2
            $0.limits.perClientRPM = 3
        }
        let (writer, socket) = open(server)
        for _ in 0..<3 { socket.received(Array(#"{"type":"ask","prompt":"hi"}"#.utf8)) }
        #expect(writer.events == ["start", "start", "failure"])
        #expect(writer.messages[2]["data"]?["kind"] == "overloaded")
        for request in server.requests() { server.finish(request.id) }
        for _ in 0..<2 { socket.received(Array(#"{"type":"ask","prompt":"hi"}"#.utf8)) }
        #expect(writer.messages.last?["data"]?["kind"] == "rate_limit")
    }

    @Test func theEndClosesSockets() throws {
        let server = try CoreHarness(models: ["m"])
        let (writer, _) = open(server)
        server.core.end(within: 10) {}
        #expect(writer.closings == [1001])
    }

    /// A page of another site may not open a socket.
    @Test func otherSites() throws {
        let server = try CoreHarness(models: ["m"])
        let head = RequestHead(
            method: "GET", target: "/ws", headers: ["host": "127.0.0.1:8080", "origin": "http://evil.example"],
            remoteAddress: "10.0.0.1")
        #expect(server.core.refusal(ofSocket: head)?.status == 403)
    }
}
