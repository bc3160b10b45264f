// Files of a folder and the chat page.

import Base
import Chat
import Foundation
import HTTP
import JSON
import Testing

@testable import Server

@Suite struct FileServiceTests {
    /// A folder with files, beside a secret.
    private final class Folder {
        let url = FileManager.default.temporaryDirectory.appendingPathComponent("moonrill-\(UUID().uuidString)")
        var root: String { url.path + "/public" }

        init() throws {
            for (path, text) in [
                "public/a.html": "<p>", "public/sub/index.html": "index", "public/.env": "secret",
                "public/.git/config": "secret", "public/b c.txt": "space", "public/empty": "", "secret": "secret",
                "public-other/x": "secret",
            ] {
                let file = url.appendingPathComponent(path)
                try FileManager.default.createDirectory(
                    at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
                try Data(text.utf8).write(to: file)
            }
            for (name, target) in [
                "public/out": "../secret", "public/etc": "/etc", "public/sibling": "../public-other/x",
                "public/in": "a.html", "public/loop": "loop", "public/up": "..",
            ] {
                try FileManager.default.createSymbolicLink(
                    atPath: url.appendingPathComponent(name).path, withDestinationPath: target)
            }
        }

        deinit { try? FileManager.default.removeItem(at: url) }

        func get(_ path: String, ifNoneMatch: String? = nil) throws -> ServedResponse {
            let segments = try #require(RequestPath("/" + path)).segments
            var request = FileRequest(path: segments)
            request.ifNoneMatch = ifNoneMatch
            return FileService(directory: root).answer(request).response
        }

        /// Writes a file larger than a piece.
        func writeLarge() throws -> [UInt8] {
            let bytes = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) }
            try Data(bytes).write(to: URL(fileURLWithPath: root + "/large"))
            return bytes
        }

        func server() throws -> CoreHarness {
            try CoreHarness {
                let pattern = try? RoutePattern("GET /files/*")
                $0.routes = pattern.map { [RouteSpec(pattern: $0, action: .files(directory: root))] } ?? []
            }
        }
    }

    @Test(arguments: [
        ("a.html", "<p>", "text/html; charset=utf-8"), ("sub/", "index", "text/html; charset=utf-8"),
        ("sub/index.html", "index", "text/html; charset=utf-8"), ("b%20c.txt", "space", "text/plain; charset=utf-8"),
        ("empty", "", "application/octet-stream"), ("in", "<p>", "text/html; charset=utf-8"),
    ])
    func files(path: String, text: String, type: String) throws {
        let response = try Folder().get(path)
        #expect(response.status == 200)
        #expect(String(decoding: response.body, as: UTF8.self) == text)
        #expect(response.headers["content-type"] == type)
        #expect(response.headers["x-content-type-options"] == "nosniff")
    }

    /// Nothing outside of the folder, by links or otherwise; no hidden files; no folders; and no difference to be seen.
    @Test(arguments: [
        "none", ".env", ".git/config", "out", "etc/passwd", "sibling", "loop", "up/secret", "up/public/a.html/x",
        "sub", "", "sub//index.html", "a.html/", "sub/none", "a.html/x",
    ])
    func notFound(path: String) throws {
        let folder = try Folder()
        #expect(try folder.get(path) == folder.get("certainly-not"))
        #expect(try folder.get(path).status == 404)
    }

    /// Segments that a path cannot have do no harm either.
    @Test(arguments: [["..", "secret"], ["sub", "..", "..", "secret"], ["../secret"], ["."], ["/etc/passwd"]])
    func segmentsThatArePaths(segments: [String]) throws {
        let folder = try Folder()
        #expect(FileService(directory: folder.root).answer(FileRequest(path: segments)).response.status == 404)
    }

    @Test func aFolderThatIsALinkIsServed() throws {
        let folder = try Folder()
        let link = folder.url.appendingPathComponent("link").path
        try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: "public")
        let service = FileService(directory: link)
        #expect(service.answer(FileRequest(path: ["a.html"])).response.status == 200)
        #expect(service.answer(FileRequest(path: ["out"])).response.status == 404)
    }

    @Test func aPipeDoesNotBlock() throws {
        let folder = try Folder()
        #expect(mkfifo(folder.root + "/pipe", 0o600) == 0)
        #expect(try folder.get("pipe").status == 404)
    }

    @Test func theTagOfAFile() throws {
        let folder = try Folder()
        let tag = try #require(try folder.get("a.html").headers["etag"])
        #expect(tag.hasPrefix("\"") && tag.hasSuffix("\""))
        let same = try folder.get("a.html", ifNoneMatch: tag)
        #expect(same.status == 304 && same.body.isEmpty && same.headers["etag"] == tag)
        #expect(same.headers["content-type"] == nil)
        // A weak tag, a list, and any tag compare equal too (RFC 9110 section 13.1.2).
        for field in ["W/\(tag)", "\"other\", \(tag)", "*"] {
            #expect(try folder.get("a.html", ifNoneMatch: field).status == 304, "\(field)")
        }
        #expect(try folder.get("a.html", ifNoneMatch: "\"other\"").status == 200)
        try Data("<p>longer".utf8).write(to: URL(fileURLWithPath: folder.root + "/a.html"))
        let changed = try folder.get("a.html", ifNoneMatch: tag)
        #expect(changed.status == 200 && changed.headers["etag"] != tag)
    }

    @Test(arguments: [
        ("x.JS", "text/javascript; charset=utf-8"), ("x.tar.gz", "application/octet-stream"),
        ("a.b/x", "application/octet-stream"), ("x.svg", "image/svg+xml"), ("x.", "application/octet-stream"),
    ])
    func mediaTypes(path: String, type: String) { #expect(FileService.mediaType(path) == type) }

    /// Through a route, with the access rules of the core.
    @Test func aRouteOfFiles() throws {
        let folder = try Folder()
        let server = try folder.server()
        #expect(server.get("/files/a.html").text == "<p>")
        #expect(server.ask("HEAD", "/files/a.html").status == 200)
        #expect(server.get("/files/../secret").status == 400)
        #expect(server.get("/files/%2e%2e/secret").status == 400)
        #expect(server.get("/files/..%2fsecret").status == 404)
        #expect(server.get("/files/out").status == 404)
        #expect(server.ask("POST", "/files/a.html").status == 405)
    }

    @Test func aLargeFileIsReadAsFastAsTheClientTakesIt() throws {
        let folder = try Folder()
        let bytes = try folder.writeLarge()
        let client = try folder.server().get("/files/large", window: 100_000)
        #expect(client.status == 200 && client.headers["content-length"] == "300000")
        #expect(client.writer.pieces == [FileContent.pieceBytes, FileContent.pieceBytes])
        while !client.writer.isOver { client.writer.read() }
        #expect(client.writer.isEnded && client.writer.body == bytes)
    }

    @Test func headReadsNothing() throws {
        let folder = try Folder()
        _ = try folder.writeLarge()
        let server = try folder.server()
        for (name, length) in [("large", "300000"), ("a.html", "3"), ("empty", "0")] {
            let client = server.ask("HEAD", "/files/\(name)", ["range": "bytes=0-1"])
            #expect(client.status == 200 && client.headers["content-length"] == length)
            #expect(client.writer.isEnded && client.writer.body.isEmpty)
        }
    }

    @Test func aFileThatBecomesShorterIsCut() throws {
        let folder = try Folder()
        _ = try folder.writeLarge()
        let client = try folder.server().get("/files/large", window: 1)
        #expect(truncate(folder.root + "/large", 10) == 0)
        client.writer.read()
        #expect(client.writer.isAborted)
    }

    @Test func nothingIsSentToAClientThatIsGone() throws {
        let folder = try Folder()
        _ = try folder.writeLarge()
        let server = try folder.server()
        let client = server.get("/files/large", window: 1)
        client.leave()
        client.writer.read()
        #expect(client.writer.pieces.count == 1)
        #expect(server.log.contains(" 499 \(FileContent.pieceBytes) bytes"))
    }

    @Test func oneRangeOfAFile() throws {
        let folder = try Folder()
        let bytes = try folder.writeLarge()
        let server = try folder.server()
        for (range, part) in [
            ("bytes=1-2", 1..<3), ("bytes=100000-", 100_000..<300_000), ("bytes=-5", 299_995..<300_000),
        ] {
            let client = server.get("/files/large", ["range": range])
            #expect(client.status == 206 && client.writer.body == Array(bytes[part]), "\(range)")
            #expect(client.headers["content-range"] == "bytes \(part.lowerBound)-\(part.upperBound - 1)/300000")
        }
        let outside = server.get("/files/large", ["range": "bytes=300000-"])
        #expect(outside.status == 416 && outside.headers["content-range"] == "bytes */300000")
        let tag = try #require(outside.headers["etag"])
        #expect(server.get("/files/large", ["range": "bytes=1-2", "if-range": tag]).status == 206)
        #expect(server.get("/files/large", ["range": "bytes=1-2", "if-range": "\"other\""]).status == 200)
    }

    @Test(arguments: [
        ("bytes=0-0", ByteRange.part(0..<1)), ("Bytes=2-99", .part(2..<10)), ("bytes=-99", .part(0..<10)),
        ("bytes=9-99999999999999999999", .part(9..<10)), ("bytes=-0", .unsatisfiable), ("bytes=10-", .unsatisfiable),
        ("bytes=99999999999999999999-", .unsatisfiable), ("bytes=3-2", .ignored), ("bytes=0-1,3-4", .ignored),
        ("bytes=", .ignored), ("bytes=-", .ignored), ("bytes=a-b", .ignored), ("lines=0-1", .ignored), ("", .ignored),
    ])
    func byteRanges(field: String, range: ByteRange) {
        #expect(ByteRange(field, size: 10) == range)
        if range != .ignored { #expect(ByteRange(field, size: 0) == .unsatisfiable) }
    }
}

@Suite struct ChatPageTests {
    private func page(_ title: String = "Moonrill", _ models: [String] = ["a", "b"]) -> (ServedResponse, String) {
        let response = ChatPage.response(title: title, models: models)
        return (response, String(decoding: response.body, as: UTF8.self))
    }

    /// The policy allows the page's own script and style, and nothing else.
    @Test func thePolicyIsThatOfThePage() throws {
        let (response, html) = page()
        let policy = try #require(response.headers["content-security-policy"])
        #expect(html.components(separatedBy: "<script>").count == 2)
        #expect(html.components(separatedBy: "<style>").count == 2)
        for (tag, directive) in [("script", "script-src"), ("style", "style-src")] {
            let start = try #require(html.range(of: "<\(tag)>")).upperBound
            let end = try #require(html.range(of: "</\(tag)>", range: start..<html.endIndex)).lowerBound
            let digest = Data(SHA256.digest(of: Array(html[start..<end].utf8))).base64EncodedString()
            #expect(policy.contains("\(directive) 'sha256-\(digest)';"), "\(directive)")
        }
        for part in [
            "default-src 'none'", "connect-src 'self'", "img-src data:", "base-uri 'none'", "form-action 'none'",
            "frame-ancestors 'none'",
        ] { #expect(policy.contains(part)) }
        #expect(!policy.contains("unsafe"))
    }

    /// The policy would forbid them.
    @Test func nothingThatThePolicyForbids() {
        let (_, html) = page()
        let markup = html.replacing(/<script>.*?<\/script>/.dotMatchesNewlines(), with: "")
            .replacing(/<style>.*?<\/style>/.dotMatchesNewlines(), with: "")
        #expect(markup.firstMatch(of: /\son\w+\s*=/) == nil)
        #expect(markup.firstMatch(of: /\sstyle\s*=/) == nil)
        #expect(html.firstMatch(of: /(?:src|href)\s*=\s*["']?(?:https?:)?\/\//) == nil)
        #expect(html.firstMatch(of: /\beval\s*\(|new Function/) == nil)
    }

    @Test func theTitleIsEscaped() {
        let title = #"</title><script>alert("1")</script>&amp; {{config}}"#
        let (_, html) = page(title)
        #expect(
            html.contains(
                "<title>&lt;/title&gt;&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&amp;amp; {{config}}</title>"))
        #expect(!html.contains("<script>alert"))
    }

    @Test func theConfigurationIsData() throws {
        let title = #"</script><script>alert('&')</script> \u003c {{title}}"# + "<\u{301}>\u{301}&\u{301}"
        let (_, html) = page(title, ["</script>", "b"])
        let opening = #"<script type="application/json" id="config">"#
        let start = try #require(html.range(of: opening)).upperBound
        let end = try #require(html.range(of: "</script>", range: start..<html.endIndex)).lowerBound
        let text = String(html[start..<end])
        #expect(!text.contains("<") && !text.contains(">") && !text.contains("&"))
        let config = try JSONReader.value(Array(text.utf8))
        #expect(config["title"]?.string == title)
        #expect(config["models"] == ["</script>", "b"])
        #expect(config["endpoint"] == "/stream" && config["stop"] == "/stream/")
    }

    /// At its route: no token is needed, the names of models are in it, "*" is not.
    @Test func theRoute() throws {
        let server = try CoreHarness(models: ["moon", "*"], token: "sesame") {
            let pattern = try? RoutePattern("GET /")
            $0.routes = pattern.map { [RouteSpec(pattern: $0, action: .page(title: "My page"))] } ?? []
        }
        let client = server.get("/")
        #expect(client.status == 200)
        #expect(client.headers["content-type"] == "text/html; charset=utf-8")
        #expect(client.headers["x-frame-options"] == "DENY")
        #expect(client.text.contains("<title>My page</title>"))
        #expect(client.text.contains(#""models":["moon"]"#))
        #expect(!client.text.contains("sesame") && !client.text.contains("{{"))
    }
}
