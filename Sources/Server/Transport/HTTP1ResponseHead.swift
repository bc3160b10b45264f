// Heads of HTTP/1.1 responses as bytes, and the fields that the transport itself decides on.

internal import HTTP
internal import NIOCore

enum HTTP1ResponseHead {
    /// How the end of the body is found.
    enum Framing: Equatable {
        case length(Int)
        case chunked
        case untilClose
        /// The status allows no body (RFC 9110 section 6.4.1).
        case noBody
    }

    /// The status line and fields, with the empty line after them.
    static func bytes(
        status: Int, headers: HTTP.HTTPHeaders, framing: Framing, connection: String?, date: String, room: Int = 0
    ) -> ByteBuffer {
        var head = ByteBuffer()
        head.reserveCapacity(256 + room)
        head.writeString("HTTP/1.1 \(status) \(reason(status))\r\n")
        for field in fields(headers) { head.writeString("\(field.name): \(field.value)\r\n") }
        if headers["date"] == nil { head.writeString("date: \(date)\r\n") }
        switch framing {
        case .length(let length): head.writeString("content-length: \(length)\r\n")
        case .chunked: head.writeStaticString("transfer-encoding: chunked\r\n")
        case .untilClose, .noBody: break
        }
        if let connection { head.writeString("connection: \(connection)\r\n") }
        head.writeStaticString("\r\n")
        return head
    }

    /// The fields of a response but for those that frame it. A field that would inject another one is left out.
    static func fields(_ headers: HTTP.HTTPHeaders) -> [HTTP.HTTPHeaders.Field] {
        headers.fields.filter { field in
            switch field.name.lowercased() {
            case "connection", "content-length", "keep-alive", "transfer-encoding", "upgrade": false
            default: HTTP.HTTPHeaders.validate(name: field.name, value: field.value) == nil
            }
        }
    }

    static func allowsBody(_ status: Int) -> Bool { status >= 200 && status != 204 && status != 304 }

    private static func reason(_ status: Int) -> String {
        switch status {
        case 200: "OK"
        case 201: "Created"
        case 202: "Accepted"
        case 204: "No Content"
        case 206: "Partial Content"
        case 301: "Moved Permanently"
        case 302: "Found"
        case 303: "See Other"
        case 304: "Not Modified"
        case 307: "Temporary Redirect"
        case 308: "Permanent Redirect"
        case 400: "Bad Request"
        case 401: "Unauthorized"
        case 403: "Forbidden"
        case 404: "Not Found"
        case 405: "Method Not Allowed"
        case 406: "Not Acceptable"
        case 408: "Request Timeout"
        case 409: "Conflict"
        case 410: "Gone"
        case 411: "Length Required"
        case 412: "Precondition Failed"
        case 413: "Content Too Large"
        case 414: "URI Too Long"
        case 415: "Unsupported Media Type"
        case 416: "Range Not Satisfiable"
        case 417: "Expectation Failed"
        case 421: "Misdirected Request"
        case 422: "Unprocessable Content"
        case 426: "Upgrade Required"
        case 429: "Too Many Requests"
        case 431: "Request Header Fields Too Large"
        case 500: "Internal Server Error"
        case 501: "Not Implemented"
        case 502: "Bad Gateway"
        case 503: "Service Unavailable"
        case 504: "Gateway Timeout"
        default: "Status"
        }
    }
}
