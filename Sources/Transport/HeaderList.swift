// Header lines as curl wants them. The requests to one endpoint have equal fields, so they share one list.

internal import CCurl
internal import Glibc
internal import HTTP

/// The header lines of requests with the same fields. curl reads them until the end of each transfer.
@safe final class HeaderList {
    let fields: HTTPHeaders
    private(set) var raw: UnsafeMutablePointer<curl_slist>?

    /// Throws `.headerInvalid` for fields that must not reach curl, `.other` without memory.
    init(_ fields: HTTPHeaders) throws(TransportError) {
        self.fields = fields
        try RequestCheck.check(fields)
        for field in fields {
            // "Name:" would remove the field; "Name;" sends it empty.
            let isEmpty = field.value.utf8.allSatisfy { $0 == 0x20 || $0 == 0x09 }
            try append(isEmpty ? "\(field.name);" : "\(field.name): \(field.value)")
        }
        // Fields that curl would add.
        for name in ["Accept", "Content-Type"] where fields[name] == nil { try append("\(name):") }
        try append("Expect:")
    }

    deinit { unsafe curl_slist_free_all(raw) }

    private func append(_ line: String) throws(TransportError) {
        guard let longer = unsafe curl_slist_append(raw, line) else {
            throw TransportError(.other, "curl_slist_append: out of memory")
        }
        unsafe raw = longer
    }
}

@available(*, unavailable, message: "lives on the thread of its Multi")
extension HeaderList: @unchecked Sendable {}  // unavailable: this says that it is not Sendable, and why

/// The eight lists that were used last.
struct HeaderLists {
    private static let kept = 8
    private var lists: [HeaderList] = []

    /// The list of these fields. Throws as ``HeaderList/init(_:)``.
    mutating func list(of fields: HTTPHeaders) throws(TransportError) -> HeaderList {
        if let index = lists.lastIndex(where: { Self.areSame($0.fields, fields) }) {
            if index < lists.count - 1 { lists.append(lists.remove(at: index)) }
            return lists[lists.count - 1]
        }
        let list = try HeaderList(fields)
        if lists.count == Self.kept { lists.removeFirst() }
        lists.append(list)
        return list
    }

    private static func areSame(_ a: HTTPHeaders, _ b: HTTPHeaders) -> Bool {
        a.fields.count == b.fields.count
            && a.fields.indices.allSatisfy {
                a.fields[$0].name.hasSameBytes(as: b.fields[$0].name)
                    && a.fields[$0].value.hasSameBytes(as: b.fields[$0].value)
            }
    }
}

extension String {
    /// Whether both are sent as the same bytes. `==` also holds for "é" and "e" with an accent.
    func hasSameBytes(as other: String) -> Bool {
        guard utf8.count == other.utf8.count else { return false }
        return unsafe utf8.span.withUnsafeBytes { bytes in
            unsafe other.utf8.span.withUnsafeBytes { others in
                guard let start = unsafe bytes.baseAddress, let otherStart = unsafe others.baseAddress else {
                    return true
                }
                return unsafe memcmp(start, otherStart, bytes.count) == 0
            }
        }
    }
}
