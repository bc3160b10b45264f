// `moonrill probe`: what it says of the offline provider in each format, of servers that answer otherwise, and what it
// never writes.

import Formats
import Foundation
import JSON
import Support
import Testing

@Suite struct ProbeTests {
    private static let key = "sk-moonrill-marked-0123456789abcdef"

    private static func server(
        _ body: String, type: String? = "text/event-stream", status: String = "200 OK", headers: [String] = []
    ) throws -> RawServer {
        try RawServer { connection in
            guard connection.readRequest() != nil else { return }
            let lines = ["HTTP/1.1 \(status)"] + (type.map { ["Content-Type: \($0)"] } ?? []) + headers
            connection.write(Array((lines + ["Connection: close", "", body]).joined(separator: "\r\n").utf8))
        }
    }

    private static func sse(_ events: String..., end: String = "\n\n") -> String {
        events.map { "data: \($0)\(end)" }.joined()
    }

    private func probe(
        _ server: RawServer, _ arguments: String..., environment: [String: String] = [:]
    ) throws -> MoonrillBinary.Result {
        try MoonrillBinary.run(
            ["probe", "--base-url", "http://127.0.0.1:\(server.port)", "-m", "m"] + arguments, environment: environment)
    }

    private func json(_ result: MoonrillBinary.Result) throws -> JSONValue {
        try JSONReader.strictValue(Array(result.output.utf8))
    }

    private func quirks(_ report: JSONValue) -> [String] { report["quirks"]?.array?.compactMap(\.string) ?? [] }

    private func reading(_ report: JSONValue, _ path: String) -> String? {
        report["paths"]?.array?.first { $0["path"]?.string == path }?["reading"]?.string
    }

    // MARK: The offline provider

    /// End markers in the frames. Formats that end with a finish reason have none.
    private static let endMarkers = [
        "openai": "[DONE]", "responses": "response.completed", "anthropic": "message_stop", "ollama": "done = true",
        "cohere": "message-end",
    ]
    private static let dialectsWithoutTools: Set = ["tgi"]

    @Test func explainsEachFormat() throws {
        let result = try MoonrillBinary.run(["probe", "--mock", "--json", "--rate", "0"], timeout: 120)
        #expect(result.status == 0, "\(result.errorOutput)")
        let reports = try #require(try json(result).array)
        #expect(Set(reports.compactMap { $0["dialect"]?.string }) == Set(FormatCatalog.names))
        for report in reports {
            let dialect = try #require(report["dialect"]?.string)
            #expect(report["looks_like"]?.string == dialect)
            #expect(report["status"]?.int == 200)
            #expect(report["reply"]?["text"]?.string?.isEmpty == false, "\(dialect)")
            #expect(report["end_marker"]?.string == Self.endMarkers[dialect], "\(dialect)")
            #expect(report["error"]?.isNull == true)
            #expect(report["seconds"]?["first_token"]?.double ?? -1 > 0)
            #expect(report["body"]?["bytes"]?.int ?? 0 > 0)
            let readings = Set(report["paths"]?.array?.compactMap { $0["reading"]?.string } ?? [])
            #expect(readings.isSuperset(of: ["text", "usage", "finish"]), "\(dialect): \(readings)")
            #expect(!readings.contains("not read"), "\(dialect): \(report["paths"] ?? .null)")
        }
    }

    @Test(arguments: FormatCatalog.names) func textNamesTheParts(dialect: String) throws {
        let result = try MoonrillBinary.run(
            ["probe", "--mock", "--dialect", dialect, "--reasoning", "--rate", "0"]
                + (Self.dialectsWithoutTools.contains(dialect) ? [] : ["--tools"]))
        #expect(result.status == 0, "\(result.errorOutput)")
        for word in ["status", "HTTP/1.1", "first token", "frames a piece", "READ AS", "end marker", "the format"] {
            #expect(result.output.contains(word), "\(word)")
        }
        #expect(result.output.contains("dialect         \(dialect)"))
    }

    // MARK: Servers that answer otherwise

    @Test func namesThePlaceOfUnreadText() throws {
        let server = try Self.server(
            Self.sse(
                #"{"choices":[{"delta":{"answer":"Hel\u001b[2J"}}]}"#, #"{"choices":[{"delta":{"answer":"lo"}}]}"#,
                #"{"choices":[{"delta":{},"finish_reason":"stop"}]}"#, "[DONE]"))
        let result = try probe(server, "--dialect", "openai")
        #expect(result.status == 1)
        #expect(result.output.contains("text not read at choices[].delta.answer"), "\(result.output)")
        #expect(result.output.contains("text at choices[0].delta.answer is not read"))
        #expect(!result.output.contains("\u{1B}"))
        let report = try json(try probe(server, "--dialect", "openai", "--json"))
        #expect(reading(report, "choices[].delta.answer") == "not read")
        #expect(report["error"]?["kind"]?.string == "protocol")
    }

    @Test func saysWhatTheServerDoesItsOwnWay() throws {
        let body =
            ": ping\r\n\r\n"
            + Self.sse(
                #"{"choices":[{"delta":{"reasoning_content":"Hm"}}]}"#,
                #"{"choices":[{"delta":{"content":"Hi"}}],"x":{"note":"one of them"}}"#,
                #"{"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"name":"get_weather","arguments":"{}"}}]}}]}"#,
                #"{"choices":[{"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":2}}"#,
                end: "\r\n\r\n")
        let server = try Self.server(
            body, type: "text/plain", headers: ["X-RateLimit-Remaining: 7", "X-Request-ID: r-1", "Set-Cookie: a=b"])
        let result = try probe(server, "--json")
        #expect(result.status == 0)
        #expect(result.errorOutput.contains("no --dialect"))
        let report = try json(result)
        #expect(
            Set(quirks(report)).isSuperset(of: [
                "reasoning in choices[].delta.reasoning_content", "no [DONE]", "CRLF line ends",
                "usage in the last chunk", "content type \"text/plain\", not text/event-stream",
                "comments to keep the connection alive: 1", "ids missing on tool calls",
            ]), "\(quirks(report))")
        let headers = report["headers"]?.array?.compactMap { $0["name"]?.string } ?? []
        #expect(headers.contains("X-RateLimit-Remaining") && headers.contains("X-Request-ID"))
        #expect(!result.output.contains("a=b"))
    }

    @Test func recognizesAnotherDialect() throws {
        let server = try Self.server(
            Self.sse(
                #"{"type":"message_start","message":{"id":"m","role":"assistant","content":[]}}"#,
                #"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hello"}}"#,
                #"{"type":"message_delta","delta":{"stop_reason":"end_turn"}}"#, #"{"type":"message_stop"}"#))
        let result = try probe(server, "--dialect", "openai")
        #expect(result.status == 1)
        #expect(result.output.contains("this looks like the dialect \"anthropic\""), "\(result.output)")
    }

    @Test func showsErrors() throws {
        let refused = try Self.server(
            #"{"error":{"message":"no such key","type":"invalid_request_error"}}"#, type: "application/json",
            status: "401 Unauthorized")
        let result = try probe(refused, "--json")
        #expect(result.status == 1)
        let report = try json(result)
        #expect(report["status"]?.int == 401)
        #expect(report["error"]?["kind"]?.string == "auth")
        #expect(reading(report, "error.message") == "error")

        let page = try Self.server(
            "<!DOCTYPE html><html><head><title>Not here</title></head></html>", type: "text/html",
            status: "404 Not Found")
        let lost = try probe(page)
        #expect(lost.status == 1)
        #expect(lost.output.contains("404, HTTP/1.1"))
        #expect(lost.output.contains("Not here"))

        let busy = try Self.server(
            #"{"error":{"message":"slow down"}}"#, type: "application/json", status: "429 Too Many Requests",
            headers: ["Retry-After: 1"])
        let slow = try json(try probe(busy, "--json"))
        #expect(slow["error"]?["kind"]?.string == "rate_limit")
        #expect(slow["attempts"]?.int == 1)
    }

    @Test func showsWhatCameOfAStreamThatWasCut() throws {
        let server = try Self.server(Self.sse(#"{"choices":[{"delta":{"content":"Hel"}}]}"#))
        let result = try probe(server, "--json")
        #expect(result.status == 1)
        let report = try json(result)
        #expect(report["error"]?["kind"]?.string == "truncated")
        #expect(reading(report, "choices[].delta.content") == "text")
        #expect(report["end_marker"]?.isNull == true)
        #expect(quirks(report).contains("no [DONE]"))
    }

    @Test func withoutAServerThereIsNoResponse() throws {
        let result = try MoonrillBinary.run(
            ["probe", "--base-url", "http://127.0.0.1:1", "-m", "m", "--dialect", "openai"])
        #expect(result.status == 1)
        #expect(result.output.contains("no response"))
    }

    // MARK: Keys and files

    @Test func theKeyIsNowhere() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let file = folder.appendingPathComponent("saved").path
        let server = try RawServer { connection in
            guard let request = connection.readRequest() else { return }
            let sent = request["Authorization"] ?? "none"
            let bare = sent.replacingOccurrences(of: "Bearer ", with: "")
            let body =
                "event: \(bare)\n"
                + Self.sse(
                    #"{"choices":[{"delta":{"content":"\#(sent)","reasoning":"\#(sent)","refusal":"\#(sent)","\#(sent)":"\#(sent)"}}]}"#,
                    #"{"choices":[{"delta":{"tool_calls":[{"id":"\#(bare)","function":{"name":"\#(bare)","arguments":"{}"}}]},"finish_reason":"tool_calls"}]}"#,
                    "[DONE]")
            connection.write(
                Array(
                    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nX-Request-ID: \(sent)\r\nX-RateLimit-\(bare): 1\r\nConnection: close\r\n\r\n"
                        .utf8))
            // In two pieces, with the key on both sides of the cut.
            let bytes = Array(body.utf8)
            connection.write(Array(bytes[..<45]))
            connection.write(Array(bytes[45...]))
        }
        let environment = ["NEW_KEY": Self.key]
        for arguments in [["--json"], ["--log-level", "trace"]] {
            try? FileManager.default.removeItem(atPath: file)
            let result = try MoonrillBinary.run(
                [
                    "probe", "--base-url", "http://127.0.0.1:\(server.port)", "-m", "m", "--key-env", "NEW_KEY",
                    "--save", file,
                ]
                    + arguments, environment: environment)
            #expect(result.status == 0, "\(result.errorOutput)")
            let saved = try #require(
                FileManager.default.contents(atPath: file).map { String(decoding: $0, as: UTF8.self) })
            for text in [result.output, result.errorOutput, saved] { #expect(!text.contains("marked"), "\(text)") }
            #expect(saved.hasPrefix("HTTP/1.1 200\r\nContent-Type: text/event-stream\r\n"))
            #expect(saved.hasSuffix("data: [DONE]\n\n"))
        }
        let mode = try FileManager.default.attributesOfItem(atPath: file)[.posixPermissions] as? Int
        #expect(mode == 0o600)
        // Not through a link, and nothing is left where nothing came.
        let link = folder.appendingPathComponent("link").path
        try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: file)
        let through = try probe(server, "--save", link, "--force")
        #expect(through.status == 1)
        #expect(through.errorOutput.contains("symbolic link"))
        let unused = folder.appendingPathComponent("unused").path
        #expect(try MoonrillBinary.run(["probe", "-p", "nosuch", "-m", "m", "--save", unused]).status != 0)
        #expect(!FileManager.default.fileExists(atPath: unused))
        let again = try probe(server, "--save", file)
        #expect(again.status == 1)
        #expect(again.errorOutput.contains("--force"))
        #expect(try probe(server, "--save", file, "--force").status == 0)
    }

    @Test func wrongUsage() throws {
        #expect(try MoonrillBinary.run(["probe", "--mock", "--save", "x"]).status == 64)
        #expect(try MoonrillBinary.run(["probe", "--force"]).status == 64)
        #expect(try MoonrillBinary.run(["probe", "--dialect", "nope"]).status == 64)
        let nobody = try MoonrillBinary.run(["probe"])
        #expect(nobody.status == 1)
        #expect(nobody.output.isEmpty)
        #expect(nobody.errorOutput.contains("no provider is chosen"))
        let address = ["probe", "--base-url", "http://127.0.0.1:1", "--dialect", "openai"]
        let noModel = try MoonrillBinary.run(address)
        #expect(noModel.status == 1)
        #expect(noModel.errorOutput == "moonrill: no model is named: add -m MODEL\n")
        let noKey = try MoonrillBinary.run(address + ["-m", "m", "--key-env", "NOT_SET_ANYWHERE"])
        #expect(noKey.status == 1)
        #expect(noKey.errorOutput == "moonrill: --key-env: the variable NOT_SET_ANYWHERE is not set\n")
    }
}
