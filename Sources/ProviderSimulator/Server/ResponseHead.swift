// Lays out response heads as bytes. Written by hand, not by a library's encoder, because faults need every byte.

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

    /// An HTTP date (RFC 9110 section 5.6.7) for seconds since 1970, by the civil calendar.
    static func date(_ seconds: Int) -> String {
        let days = seconds >= 0 ? seconds / 86_400 : (seconds - 86_399) / 86_400
        let time = seconds - days * 86_400
        // Years that begin in March put the leap day last (proleptic Gregorian, eras of 400 years).
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let march = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * march + 2) / 5 + 1
        let month = march < 10 ? march + 3 : march - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        let weekday = ((days % 7) + 11) % 7
        return "\(weekdays[weekday]), \(two(day)) \(months[month - 1]) \(year) "
            + "\(two(time / 3_600)):\(two(time / 60 % 60)):\(two(time % 60)) GMT"
    }

    /// The same moment as RFC 3339 writes it, without the zone: "2025-06-15T15:06:40".
    static func timestamp(_ seconds: Int) -> String {
        let parts = date(seconds).split(separator: " ")
        let month = (months.firstIndex(of: String(parts[2])) ?? 0) + 1
        return "\(parts[3])-\(two(month))-\(parts[1])T\(parts[4])"
    }

    private static let weekdays = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    private static func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
}
