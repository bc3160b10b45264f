// Short quotations of untrusted bytes for error messages: limited in length, one line, no control characters.

/// Quotes the beginning of a text.
package enum Snippet {
    /// Default maximum bytes of a quotation.
    package static let limit = 200

    /// The first `limit` bytes as one line. "..." marks truncation, so that the engine also removes a truncated key
    /// before it.
    package static func of(_ bytes: Span<UInt8>, limit: Int = limit) -> String {
        let count = min(bytes.count, limit)
        var head: [UInt8] = []
        head.reserveCapacity(count)
        for index in 0..<count { head.append(bytes[index]) }
        let isCut = count < bytes.count
        // Drops a character that the limit divides.
        if isCut, bytes[count] & 0xC0 == 0x80 {
            while let last = head.last, last & 0xC0 == 0x80 { head.removeLast() }
            if let last = head.last, last >= 0xC0 { head.removeLast() }
        }
        return oneLine(String(decoding: head, as: UTF8.self)) + (isCut ? "..." : "")
    }

    /// The first `limit` bytes of a text.
    package static func of(_ text: String, limit: Int = limit) -> String { of([UInt8](text.utf8).span, limit: limit) }

    /// Title or first heading of an HTML page; nil if the bytes are not HTML.
    package static func htmlTitle(_ bytes: Span<UInt8>) -> String? {
        guard isHTML(bytes) else { return nil }
        let text = of(bytes, limit: 16_384)
        // ASCII only, so that offsets stay the same.
        let lower = String(decoding: text.utf8.map(Self.lowercased), as: UTF8.self)
        for tag in ["title", "h1"] {
            guard let open = offset(of: "<\(tag)", in: lower, from: 0),
                let start = offset(of: ">", in: lower, from: open),
                let end = offset(of: "</\(tag)", in: lower, from: start)
            else { continue }
            let inner = text.utf8.dropFirst(start + 1).prefix(end - start - 1)
            let title = trimmed(String(decoding: inner, as: UTF8.self))
            if !title.isEmpty { return of(title) }
        }
        return ""
    }

    /// Whether the bytes begin an HTML or XHTML page: a document type, an element that only such a page begins with, or
    /// a comment. A byte order mark, white space, an XML declaration and comments may precede it
    /// (https://html.spec.whatwg.org/multipage/syntax.html#writing, XML 1.0 section 2.8).
    package static func isHTML(_ bytes: Span<UInt8>) -> Bool {
        guard let start = bytes.indices.first(where: { !isBlank(bytes[$0]) }), bytes[start] == UInt8(ascii: "<") else {
            return false
        }
        let head = bytes.extracting(start..<min(bytes.count, start + prologueLimit))
        var at = 0
        var sawComment = false
        var sawDeclaration = false
        while true {
            while at < head.count, isBlank(head[at]) { at += 1 }
            if starts(head, at, with: "<!--") {
                sawComment = true
                guard let end = end(of: "-->", in: head, from: at + 4) else { return true }
                at = end
            } else if starts(head, at, with: "<?") {
                guard let end = end(of: "?>", in: head, from: at + 2) else { return false }
                sawDeclaration = true
                at = end
            } else {
                break
            }
        }
        if starts(head, at, with: "<!doctype") {
            at += 9
            while at < head.count, isBlank(head[at]) { at += 1 }
            return starts(head, at, with: "html")
        }
        let roots: [StaticString] = ["<html", "<head", "<body", "<title"]
        // An XML declaration and a comment alone do not make a page.
        return (sawComment && !sawDeclaration) || roots.contains { starts(head, at, with: $0) }
    }

    /// Maximum bytes of a body that are searched for the beginning of a page.
    private static let prologueLimit = 16_384

    /// White space and byte order marks.
    private static func isBlank(_ byte: UInt8) -> Bool {
        byte == 0x20 || (0x09...0x0D).contains(byte) || byte == 0xEF || byte == 0xBB || byte == 0xBF
    }

    private static func lowercased(_ byte: UInt8) -> UInt8 { (0x41...0x5A).contains(byte) ? byte | 0x20 : byte }

    /// Whether `word` (lower case) is at index `at`, ignoring case.
    private static func starts(_ bytes: Span<UInt8>, _ at: Int, with word: StaticString) -> Bool {
        word.withUTF8Buffer { word in
            word.count <= bytes.count - at && word.indices.allSatisfy { lowercased(bytes[at + $0]) == word[$0] }
        }
    }

    private static func end(of word: StaticString, in bytes: Span<UInt8>, from start: Int) -> Int? {
        (start..<max(start, bytes.count)).first { starts(bytes, $0, with: word) }.map { $0 + word.utf8CodeUnitCount }
    }

    /// The text without white space and control characters at its ends.
    package static func trimmed(_ text: String) -> String {
        let isBlank: (Unicode.Scalar) -> Bool = { $0.properties.isWhitespace || $0.value < 0x20 || $0 == "\u{FEFF}" }
        let scalars = text.unicodeScalars
        guard let first = scalars.firstIndex(where: { !isBlank($0) }),
            let last = scalars.lastIndex(where: { !isBlank($0) })
        else { return "" }
        return String(text.unicodeScalars[first...last])
    }

    private static func oneLine(_ text: String) -> String {
        var out = String.UnicodeScalarView()
        var gap = false
        for scalar in text.unicodeScalars {
            if scalar.properties.isWhitespace || scalar.value < 0x20 || scalar.value == 0x7F || scalar == "\u{FEFF}" {
                gap = !out.isEmpty
            } else {
                if gap { out.append(" ") }
                gap = false
                out.append(scalar)
            }
        }
        return String(out)
    }

    private static func offset(of needle: String, in text: String, from start: Int) -> Int? {
        let needle = Array(needle.utf8)
        let bytes = Array(text.utf8)
        guard bytes.count >= needle.count, start <= bytes.count - needle.count else { return nil }
        return (start...bytes.count - needle.count).first { bytes[$0..<$0 + needle.count].elementsEqual(needle) }
    }
}
