// HTTP messages as values.

/// Header fields in order. Names compare ignoring case (RFC 9110 section 5.1).
public struct HTTPHeaders: Hashable, Sendable, Sequence, ExpressibleByDictionaryLiteral {
    /// One field line.
    public struct Field: Hashable, Sendable {
        /// The field's name, as written.
        public var name: String
        /// The field's value, without surrounding white space.
        public var value: String
    }

    /// The field lines in order.
    public private(set) var fields: [Field] = []

    /// No fields.
    public init() {}

    /// The given fields in order.
    public init(dictionaryLiteral elements: (String, String)...) {
        fields = elements.map { Field(name: $0.0, value: $0.1) }
    }

    /// The first value of the field `name`. Setting replaces all lines of that name by one; nil removes them.
    public subscript(name: String) -> String? {
        get { fields.first { Self.same($0.name, name) }?.value }
        set {
            guard let newValue else { return fields.removeAll { Self.same($0.name, name) } }
            if let index = fields.firstIndex(where: { Self.same($0.name, name) }) {
                fields[index].value = newValue
                var seen = 0
                fields.removeAll { field in
                    guard Self.same(field.name, name) else { return false }
                    seen += 1
                    return seen > 1
                }
            } else {
                fields.append(Field(name: name, value: newValue))
            }
        }
    }

    /// Appends a line; existing lines of that name are kept.
    public mutating func add(_ name: String, _ value: String) { fields.append(Field(name: name, value: value)) }

    /// Iterates over the lines in order.
    public func makeIterator() -> IndexingIterator<[Field]> { fields.makeIterator() }

    /// Checks a field line from an untrusted source. Returns the problem, or nil: a name that is not a token (RFC 9110
    /// section 5.6.2), or a value with CR, LF or NUL (section 5.5), which could inject a second field. The text
    /// contains the name but never the value, which may be a secret.
    public static func validate(name: String, value: String) -> String? {
        if name.isEmpty { return "a header field without a name" }
        guard name.utf8.allSatisfy(isTokenByte) else {
            let shown = name.utf8.prefix(64).map { isTokenByte($0) ? Character(Unicode.Scalar($0)) : "?" }
            return "the header name \"\(String(shown))\" holds a character that no header name may hold"
        }
        guard value.utf8.allSatisfy({ $0 != 0x0D && $0 != 0x0A && $0 != 0 }) else {
            return "the value of the header \"\(name)\" holds a line break or a NUL"
        }
        return nil
    }

    private static func isTokenByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
        }
    }

    private static func same(_ a: String, _ b: String) -> Bool {
        a.utf8.count == b.utf8.count && zip(a.utf8, b.utf8).allSatisfy { lower($0) == lower($1) }
    }

    private static func lower(_ byte: UInt8) -> UInt8 { (65...90).contains(byte) ? byte | 0x20 : byte }
}

/// A request.
package struct HTTPRequest: Sendable, Equatable {
    /// The method, in capitals: "POST".
    package var method: String
    /// Absolute http or https URL.
    package var url: String
    /// Header fields. The transport adds Host, Accept-Encoding and Content-Length.
    package var headers: HTTPHeaders
    /// The body's bytes.
    package var body: [UInt8]

    /// A request with the given parts.
    package init(method: String, url: String, headers: HTTPHeaders = [:], body: [UInt8] = []) {
        self.method = method
        self.url = url
        self.headers = headers
        self.body = body
    }
}

/// Status and headers of a final response; never an interim one (1xx).
package struct HTTPResponseHead: Sendable, Equatable {
    /// The status code: 200, 429, ...
    package var status: Int
    /// Header fields in the order received.
    package var headers: HTTPHeaders
    /// "1.1" or "2".
    package var version: String

    /// A head with the given parts.
    package init(status: Int, headers: HTTPHeaders = [:], version: String = "1.1") {
        self.status = status
        self.headers = headers
        self.version = version
    }
}
