// Checks of request heads beyond those of NIO's parser (RFC 9112, RFC 9113 section 8.3). A head on which two servers could
// disagree is refused, because such heads allow request smuggling.

internal import Chat
internal import HTTP
internal import NIOHTTP1

/// A request that the transport refuses by itself.
struct BrokenRequest: Error, Equatable {
    var status: Int
    var message: String
    /// Fields of the response that the status demands.
    var headers: HTTP.HTTPHeaders = [:]

    static func bad(_ message: String) -> BrokenRequest { BrokenRequest(status: 400, message: message) }
}

/// A valid head, and what the transport needs to know of it.
struct CheckedHead {
    var head: RequestHead
    /// The length of the body; nil for chunks.
    var bodyLength: Int?
    /// Whether the client waits for `100 Continue` before it sends the body.
    var expectsContinue = false
    /// Whether the client asks for another protocol on this connection.
    var isUpgrade = false
}

enum RequestValidation {
    /// Checks a head.
    /// - Parameter isHTTP2: the head is that of a stream, on which hop-by-hop fields have no meaning.
    static func check(
        _ received: HTTPRequestHead, isHTTP2: Bool, remoteAddress: String, isTLS: Bool, limits: ServerLimits
    ) throws(BrokenRequest) -> CheckedHead {
        let method = received.method.rawValue
        guard !method.isEmpty, method.utf8.allSatisfy({ (0x41...0x5A).contains($0) || $0 == 0x2D || $0 == 0x5F }) else {
            throw .bad("The method is not a name in capital letters.")
        }
        guard method != "CONNECT" else {
            throw BrokenRequest(status: 501, message: "CONNECT is not supported: this server is not a proxy.")
        }
        guard received.uri.utf8.count <= limits.targetBytes else {
            throw targetTooLong(limits)
        }
        let target = try target(of: received.uri, method: method)
        var headers: HTTP.HTTPHeaders = [:]
        for (name, value) in received.headers {
            if let problem = HTTP.HTTPHeaders.validate(name: name, value: value) {
                throw .bad("The request has \(problem).")
            }
            headers.add(name, value)
        }
        let isHTTP11 = isHTTP2 || received.version == .http1_1
        let host = try host(received.headers, isRequired: isHTTP11)
        if let authority = target.authority {
            headers["host"] = authority
        } else if let host {
            headers["host"] = host
        }
        var checked = CheckedHead(
            head: RequestHead(
                method: method, target: target.path, headers: headers, remoteAddress: remoteAddress, isTLS: isTLS,
                version: isHTTP2 ? "HTTP/2" : received.version == .http1_1 ? "HTTP/1.1" : "HTTP/1.0"))
        if isHTTP2 {
            checked.bodyLength = try contentLength(received.headers)
        } else {
            checked.bodyLength = try bodyLength(received.headers, isHTTP11: isHTTP11)
        }
        guard checked.bodyLength ?? 0 <= limits.bodyBytes else { throw bodyTooLarge(limits) }
        if isHTTP11, let expectation = received.headers.first(name: "expect") {
            guard expectation.lowercased() == "100-continue" else {
                throw BrokenRequest(status: 417, message: "The only expectation that is supported is 100-continue.")
            }
            checked.expectsContinue = checked.bodyLength != 0
        }
        checked.isUpgrade =
            !isHTTP2 && received.headers.contains(name: "upgrade") && has("upgrade", in: received.headers["connection"])
        return checked
    }

    static func bodyTooLarge(_ limits: ServerLimits) -> BrokenRequest {
        BrokenRequest(status: 413, message: "The request body is larger than \(limits.bodyBytes) bytes.")
    }

    static func targetTooLong(_ limits: ServerLimits) -> BrokenRequest {
        BrokenRequest(status: 414, message: "The request target is longer than \(limits.targetBytes) bytes.")
    }

    static func headTooLarge(_ limits: ServerLimits) -> BrokenRequest {
        BrokenRequest(status: 431, message: "The head of the request is larger than \(limits.headBytes) bytes.")
    }

    /// Whether the comma-separated lists of the field lines contain the token, in lower case.
    static func has(_ token: String, in lines: [String]) -> Bool {
        lines.contains { line in
            line.split(separator: ",").contains { trimmed($0).lowercased() == token }
        }
    }

    /// The text without optional white space (RFC 9110 section 5.6.3). `Snippet.trimmed` removes more, and would accept fields
    /// that other servers refuse.
    static func trimmed(_ text: some StringProtocol) -> String {
        var text = text[...]
        while let first = text.first, first == " " || first == "\t" { text.removeFirst() }
        while let last = text.last, last == " " || last == "\t" { text.removeLast() }
        return String(text)
    }

    /// Path and query of a target in origin-form, asterisk-form or absolute-form, and the authority of the last
    /// (RFC 9112 section 3.2).
    private static func target(
        of uri: String, method: String
    ) throws(BrokenRequest) -> (path: String, authority: String?) {
        guard uri.utf8.allSatisfy({ (0x21...0x7E).contains($0) && $0 != UInt8(ascii: "#") }) else {
            throw .bad("The request target has a character that must be percent-encoded.")
        }
        if uri.utf8.first == UInt8(ascii: "/") { return (uri, nil) }
        if uri == "*", method == "OPTIONS" { return (uri, nil) }
        let start = uri.prefix(8).lowercased()
        let length = start == "https://" ? 8 : start.hasPrefix("http://") ? 7 : 0
        guard length > 0 else { throw .bad("The request target is neither a path nor an http URL.") }
        let rest = uri.dropFirst(length)
        let end = rest.firstIndex { $0 == "/" || $0 == "?" } ?? rest.endIndex
        let authority = String(rest[..<end])
        guard !authority.isEmpty, isHost(authority) else { throw .bad("The request target has no valid host.") }
        let path = rest[end...]
        return (path.first == "/" ? String(path) : "/" + path, authority)
    }

    private static func host(
        _ headers: NIOHTTP1.HTTPHeaders, isRequired: Bool
    ) throws(BrokenRequest) -> String? {
        let hosts = headers["host"]
        guard hosts.count <= 1 else { throw .bad("The request has several Host fields.") }
        guard let host = hosts.first else {
            guard !isRequired else { throw .bad("The request has no Host field.") }
            return nil
        }
        guard isHost(host) else { throw .bad("The Host field is not a name with an optional port.") }
        return host
    }

    /// Whether the text has only bytes of `uri-host [ ":" port ]` (RFC 3986 section 3.2.2).
    private static func isHost(_ text: String) -> Bool {
        text.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                true
            default: "-._~%[]:!$&'()*+;=".utf8.contains(byte)
            }
        }
    }

    /// - Returns: nil for chunks.
    private static func bodyLength(
        _ headers: NIOHTTP1.HTTPHeaders, isHTTP11: Bool
    ) throws(BrokenRequest) -> Int? {
        let codings = headers["transfer-encoding"]
        guard !codings.isEmpty else { return try contentLength(headers) ?? 0 }
        guard !headers.contains(name: "content-length") else {
            throw .bad("The request has both Content-Length and Transfer-Encoding.")
        }
        guard isHTTP11, codings.count == 1 else { throw .bad("The Transfer-Encoding of the request is not valid.") }
        guard codings[0].lowercased() == "chunked" else {
            throw BrokenRequest(status: 501, message: "The only Transfer-Encoding that is supported is chunked.")
        }
        return nil
    }

    private static func contentLength(_ headers: NIOHTTP1.HTTPHeaders) throws(BrokenRequest) -> Int? {
        let lengths = headers["content-length"]
        guard let first = lengths.first else { return nil }
        guard lengths.count == 1, !first.isEmpty, first.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
            throw .bad("The Content-Length of the request is not one number.")
        }
        // A number that does not fit into Int is larger than every limit.
        return Int(first) ?? .max
    }
}
