// What a user searches for, as a query of FTS5 (sqlite.org/fts5.html, section 3).

/// Words, "phrases" and prefix*; all of them must occur. No text is a syntax error: each term is quoted.
package struct SearchQuery: Hashable, Sendable {
    /// The query in the language of FTS5; nil if the text has no letter and no digit.
    package let match: String?

    /// The query of a text.
    package init(_ text: String) {
        var terms: [String] = []
        // By scalars: a quote with a combining mark is one Character.
        var rest = text.unicodeScalars[...]
        while let start = rest.firstIndex(where: { !$0.properties.isWhitespace }) {
            rest = rest[start...]
            let term: Substring.UnicodeScalarView
            if rest.first == "\"" {
                rest = rest.dropFirst()
                // The end of the text closes a phrase too.
                let end = rest.firstIndex(of: "\"") ?? rest.endIndex
                term = rest[..<end]
                rest = rest[end...].dropFirst()
            } else {
                let end = rest.firstIndex { $0.properties.isWhitespace || $0 == "\"" } ?? rest.endIndex
                term = rest[..<end]
                rest = rest[end...]
            }
            let isPrefix = term.last == "*" || rest.first == "*"
            if rest.first == "*" { rest = rest.dropFirst() }
            // A term without tokens would match nothing.
            guard term.contains(where: Self.isToken) else { continue }
            var quoted = String.UnicodeScalarView()
            for scalar in term { quoted.append(scalar == "\"" || scalar == "\0" ? " " : scalar) }
            terms.append("\"\(String(quoted))\"" + (isPrefix ? " *" : ""))
        }
        match = terms.isEmpty ? nil : terms.joined(separator: " ")
    }

    /// The characters of tokens of the tokenizer `unicode61`.
    private static func isToken(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter, .decimalNumber,
            .letterNumber, .otherNumber, .privateUse:
            true
        default: false
        }
    }
}
