// What a recorded response is said to be: by value, without a server.

import Base
import Chat
import Engine
import Formats
import HTTP
import Testing

@testable import Moonrill

@Suite struct ProbeReportTests {
    private func recorder(_ steps: [(Double, WireEvent.Step)]) -> WireRecorder {
        let recorder = WireRecorder()
        for (time, step) in steps {
            recorder.take(WireEvent(client: 1, request: RequestID(1), attempt: 1, time: 100 + time, step: step))
        }
        return recorder
    }

    private static let begin: [(Double, WireEvent.Step)] = [
        (0, .request(method: "POST", url: "http://h/v1/chat/completions?x=1", bodyBytes: 10)),
        (0.5, .head(HTTPResponseHead(status: 200, headers: ["Content-Type": "text/event-stream"], version: "2"))),
    ]

    private static func frame(_ text: String, kind: FrameKind = .data) -> WireEvent.Step {
        .frame(kind, name: "", payload: Array(text.utf8))
    }

    @Test func timesAndPieces() {
        let content = Self.frame(#"{"choices":[{"delta":{"content":"a"}}]}"#)
        let report = recorder(
            Self.begin + [
                (0.6, .piece(100)), (0.6, content), (0.6, .decoded(.text(TextBatch("a")))), (0.7, .piece(50)),
                (0.7, content),
                (0.7, content), (1, .piece(10)), (1, Self.frame("[DONE]")), (1.5, .end(body: Array("data: x\n".utf8))),
            ]
        ).report(dialect: "openai", reply: ["text": "aaa"])
        #expect(report.url == "http://h/v1/chat/completions")
        #expect(report.httpVersion == "2")
        #expect([report.headTime, report.firstByteTime].map { ($0 ?? 0) * 10 }.map { $0.rounded() } == [5, 6])
        #expect(report.pieces == 3 && report.bytes == 160)
        #expect(report.pieceFrames?.greatest == 2)
        #expect(report.pieceBytes?.median == 50)
        #expect(report.endMarker == "[DONE]")
        #expect(report.looksLike == "openai")
        #expect(report.kinds == [ProbeReport.Kind(name: "data", count: 4)])
        #expect(report.paths.map(\.count) == [3])
        #expect(report.quirks == ["finish reason missing", "no token counts"])
    }

    /// The finish reason, the token counts and the end marker stand at the end, behind more frames than are kept.
    @Test func theEndOfALongStreamIsKept() {
        let steps =
            Self.begin + [(0.6, .piece(100))]
            + Array(repeating: (0.6, Self.frame("", kind: .comment)), count: 20_400)
            + [
                (0.7, Self.frame(#"{"choices":[{"delta":{"content":"a"},"finish_reason":"stop"}]}"#)),
                (0.7, .decoded(.text(TextBatch("a")))),
                (0.7, Self.frame(#"{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1}}"#)),
                (0.7, Self.frame("[DONE]")), (0.8, .end(body: [])),
            ]
        let report = recorder(steps).report(dialect: "openai", reply: ["text": "a"])
        #expect(report.looksLike == "openai")
        #expect(report.endMarker == "[DONE]")
        #expect(report.quirks.contains("a long stream: 147 frames in its middle were not looked at"))
        #expect(report.quirks.contains("usage in the last chunk"))
        #expect(!report.quirks.contains("no [DONE]") && !report.quirks.contains("finish reason missing"))
    }

    /// A server names the type of a document, and may put anything there.
    @Test func typesOfDocumentsAreShortened() {
        let type = String(repeating: "t", count: 100_000)
        let report = recorder(
            Self.begin + [(0.6, .piece(100)), (0.6, Self.frame(#"{"type":"\#(type)","delta":"a"}"#))]
        ).report(dialect: "responses", reply: nil)
        #expect(report.paths.contains { $0.path == "delta" })
        #expect(report.paths.allSatisfy { ($0.type ?? "").utf8.count < 100 })
    }

    @Test func aSecondAttemptReplacesTheFirst() {
        let steps = Self.begin + [(0.6, .piece(5)), (0.7, .end(body: [1]))]
        let recorder = recorder(steps + Self.begin)
        #expect(recorder.pieces.isEmpty && recorder.body.isEmpty)
    }

    @Test(
        arguments: [
            ([(0.1, 1), (0.2, 1), (0.3, 2), (0.4, 1), (0.5, 1), (0.6, 1), (0.7, 1)], ProbeReport.Buffering.none),
            ([(0.1, 20), (0.5, 25), (0.9, 20)], .bursts), ([(2.5, 60)], .whole), ([(2.5, 30), (2.501, 30)], .whole),
            ([(0.01, 60)], .unclear), ([(0.1, 1), (0.2, 1)], .unclear), ([], .unclear),
        ]) func buffering(pieces: [(Double, Int)], expected: ProbeReport.Buffering)
    {
        let frames = pieces.reduce(0) { $0 + $1.1 }
        #expect(ProbeReport.Buffering(pieces: pieces.map { (time: $0.0, frames: $0.1) }, frames: frames) == expected)
    }

    @Test func spreads() throws {
        #expect(ProbeReport.Spread([]) == nil)
        let spread = try #require(ProbeReport.Spread((1...100).map(Double.init)))
        #expect((spread.least, spread.median, spread.p95, spread.greatest) == (1, 50, 95, 100))
        let one = try #require(ProbeReport.Spread([7]))
        #expect((one.least, one.median, one.p95, one.greatest) == (7, 7, 7, 7))
    }

    @Test func recordingsHoldNoCookiesAndNoCoding() throws {
        let head = HTTPResponseHead(
            status: 200,
            headers: ["Content-Type": "text/plain", "Set-Cookie": "a=b", "Transfer-Encoding": "chunked", "Server": "s"])
        let recorder = recorder([
            (0, .request(method: "POST", url: "u", bodyBytes: 0)), (0, .head(head)),
            (1, .end(body: Array("body".utf8))),
        ])
        let text = String(decoding: try #require(recorder.recording), as: UTF8.self)
        #expect(text == "HTTP/1.1 200\r\nContent-Type: text/plain\r\nServer: s\r\n\r\nbody")
        #expect(WireRecorder().recording == nil)
    }

    @Test func usageInSeveralChunks() {
        let usage = Self.frame(#"{"choices":[{"delta":{"content":"a"}}],"usage":{"prompt_tokens":3}}"#)
        let report = recorder(
            Self.begin + [(0.6, .piece(9)), (0.6, usage), (0.6, .decoded(.text(TextBatch("a")))), (0.6, usage)]
        ).report(dialect: "openai", reply: nil)
        #expect(report.quirks.contains("usage in 2 chunks"))
    }
}
