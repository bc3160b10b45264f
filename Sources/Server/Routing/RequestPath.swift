// The target of a request, taken apart: segments of the path and pairs of the query, percent-decoded.

internal import Base

/// A request target in origin form (RFC 9112 section 3.2.1).
struct RequestPath {
    /// The segments of the path, decoded. "/" has one empty segment.
    let segments: [String]
    /// Names and values of the query, decoded, in order.
    let query: [(name: String, value: String)]

    /// The decoded path.
    var text: String { "/" + segments.joined(separator: "/") }

    /// - Returns: nil if the path does not begin with "/", is not UTF-8 after decoding, or has a segment that names
    ///   another folder ("..") or holds a NUL or a backslash. A segment may hold a slash (%2F), as names of models do.
    init?(_ target: String) {
        let path = target.prefix { $0 != "?" && $0 != "#" }
        guard path.hasPrefix("/") else { return nil }
        var segments: [String] = []
        for part in path.dropFirst().split(separator: "/", omittingEmptySubsequences: false) {
            let segment = String(part).percentDecoded
            // `percentDecoded` leaves text alone that is not UTF-8 after decoding.
            guard Self.isEncoded(part), !part.contains("%") || segment != part, segment != "..", segment != ".",
                !segment.utf8.contains(where: { $0 == 0 || $0 == UInt8(ascii: "\\") })
            else { return nil }
            segments.append(segment)
        }
        self.segments = segments
        let rest = target.dropFirst(path.count)
        query = rest.hasPrefix("?") ? Self.pairs(rest.dropFirst().prefix { $0 != "#" }) : []
    }

    /// The first value of that name in the query.
    func value(_ name: String) -> String? { query.first { $0.name == name }?.value }

    /// Reads `application/x-www-form-urlencoded` (WHATWG URL section 5.1).
    static func pairs(_ text: some StringProtocol) -> [(name: String, value: String)] {
        text.split(separator: "&").map { pair in
            let name = pair.prefix { $0 != "=" }
            return (decoded(name), decoded(pair.dropFirst(name.count + 1)))
        }
    }

    /// Whether two hexadecimal digits follow each "%".
    private static func isEncoded(_ text: Substring) -> Bool {
        text.utf8.split(separator: UInt8(ascii: "%"), omittingEmptySubsequences: false).dropFirst().allSatisfy {
            $0.count >= 2 && $0.prefix(2).allSatisfy { Character(Unicode.Scalar($0)).isHexDigit }
        }
    }

    private static func decoded(_ text: some StringProtocol) -> String {
        String(decoding: text.utf8.map { $0 == UInt8(ascii: "+") ? UInt8(ascii: " ") : $0 }, as: UTF8.self)
            .percentDecoded
    }
}
