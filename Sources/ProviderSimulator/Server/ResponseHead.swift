// Response heads as bytes. Not written by NIO's encoder, because faults control every byte.

internal import NIOCore

enum ResponseHead {
    /// The status line and fields, with the empty line after them.
    static func bytes(
        status: Int, type: String, framing: BodyFraming, requestID: UInt64, keepAlive: Bool,
        extra: [(String, String)] = []
    ) -> ByteBuffer {
        var head = ByteBuffer(string: "HTTP/1.1 \(status) \(reasons[status] ?? "Status")\r\nContent-Type: \(type)\r\n")
        switch framing {
        case .chunked: head.writeStaticString("Transfer-Encoding: chunked\r\n")
        case .length(let length): head.writeString("Content-Length: \(length)\r\n")
        case .untilClose: break
        }
        head.writeString("x-request-id: req_\(String(requestID, radix: 16))\r\nCache-Control: no-cache\r\n")
        for (name, value) in extra { head.writeString("\(name): \(value)\r\n") }
        if !keepAlive || framing == .untilClose { head.writeStaticString("Connection: close\r\n") }
        head.writeStaticString("\r\n")
        return head
    }

    private static let reasons = [
        200: "OK", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found",
        405: "Method Not Allowed", 408: "Request Timeout", 409: "Conflict", 413: "Content Too Large",
        422: "Unprocessable Content", 429: "Too Many Requests", 431: "Request Header Fields Too Large",
        500: "Internal Server Error", 502: "Bad Gateway", 503: "Service Unavailable", 504: "Gateway Timeout",
        529: "Overloaded",
    ]
}
