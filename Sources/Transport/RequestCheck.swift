// Rejects requests that must not reach curl: a CR LF in a value would become a second header; other URL schemes would
// read files.

internal import CCurl
internal import HTTP

/// Target of a request: the part that messages may name.
struct Origin: CustomStringConvertible {
    let host: String
    let port: String
    let isTLS: Bool

    var description: String { "\(host):\(port)" }

    fileprivate init?(of handle: OpaquePointer, isTLS: Bool) {
        guard let host = unsafe Self.part(CURLUPART_HOST, of: handle),
            let port = unsafe Self.part(CURLUPART_PORT, of: handle)
        else { return nil }
        self.host = host
        self.port = port
        self.isTLS = isTLS
    }

    @unsafe private static func part(_ what: CURLUPart, of handle: OpaquePointer) -> String? {
        var text: UnsafeMutablePointer<CChar>?
        guard unsafe curl_url_get(handle, what, &text, UInt32(CURLU_DEFAULT_PORT)) == CURLUE_OK, let text = unsafe text
        else { return nil }
        defer { unsafe curl_free(text) }
        return unsafe String(cString: text)
    }
}

/// A URL that curl has parsed, which it takes for the requests to it.
@safe final class ParsedURL {
    let text: String
    let origin: Origin
    let raw: OpaquePointer

    /// Parses an absolute http or https URL with curl's parser, so that both read the same host.
    init(_ text: String) throws(TransportError) {
        self.text = text
        let unsupported = TransportError(.unsupportedURL, "not an absolute http or https URL")
        let scheme = text.prefix { $0 != ":" }.lowercased()
        guard ["http", "https"].contains(scheme), text.dropFirst(scheme.count).hasPrefix("://"),
            text.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7F })
        else { throw unsupported }
        guard let raw = unsafe curl_url() else { throw TransportError(.other, "out of memory") }
        guard unsafe curl_url_set(raw, CURLUPART_URL, text, 0) == CURLUE_OK,
            let origin = unsafe Origin(of: raw, isTLS: scheme == "https")
        else {
            unsafe curl_url_cleanup(raw)
            throw unsupported
        }
        unsafe self.raw = raw
        self.origin = origin
    }

    deinit { unsafe curl_url_cleanup(raw) }
}

@available(*, unavailable, message: "lives on the thread of its Multi")
extension ParsedURL: @unchecked Sendable {}  // unavailable: this says that it is not Sendable, and why

/// Rules for method and headers.
enum RequestCheck {
    /// Fields that frame the message or control the connection belong to the transport.
    private static let reserved: Set<String> = [
        "content-length", "transfer-encoding", "connection", "keep-alive", "proxy-connection", "upgrade", "te",
        "trailer", "expect",
    ]
    /// Compared first: most names have another length, and need no lower-case copy.
    private static let reservedLengths = Set(reserved.map(\.utf8.count)).sorted()

    /// Throws `.headerInvalid` for an invalid method (RFC 9110 section 9.1).
    static func check(method: String) throws(TransportError) {
        guard isToken(method) else { throw TransportError(.headerInvalid, "the method is not a token") }
    }

    /// Throws `.headerInvalid` for an invalid header (RFC 9110 sections 5.1 and 5.5). The message names the header, never its
    /// value.
    static func check(_ headers: HTTPHeaders) throws(TransportError) {
        for field in headers {
            guard isToken(field.name) else {
                throw TransportError(.headerInvalid, "a header name holds a character that names cannot hold")
            }
            guard field.value.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F || $0 == 0x09 }) else {
                throw TransportError(.headerInvalid, "header \(field.name): a value cannot hold control characters")
            }
            if reservedLengths.contains(field.name.utf8.count), reserved.contains(field.name.lowercased()) {
                throw TransportError(.headerInvalid, "header \(field.name) is set by the transport itself")
            }
        }
    }

    private static func isToken(_ text: String) -> Bool {
        !text.isEmpty
            && text.utf8.allSatisfy { byte in
                switch byte {
                case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
                case 0x21, 0x23...0x27, 0x2A, 0x2B, 0x2D, 0x2E, 0x5E...0x60, 0x7C, 0x7E: true
                default: false
                }
            }
    }
}
