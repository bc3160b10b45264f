// Queries of FTS5 from what users type.

import Journal
import SQLite
import Testing

@Suite struct SearchQueryTests {
    @Test(
        arguments: [
            ("moon", #""moon""#), ("moon  river", #""moon" "river""#), (#""moon river" x"#, #""moon river" "x""#),
            ("mo*", #""mo*" *"#), (#""moon ri"*"#, #""moon ri" *"#),
            (#"open "phrase at the end"#, #""open" "phrase at the end""#),
            ("a AND NOT b", #""a" "AND" "NOT" "b""#), ("prompt:x", #""prompt:x""#), ("- moon --", #""moon""#),
            (#"a"b c"d"#, #""a" "b c" "d""#), ("月", #""月""#),
        ])
    func termsAreQuoted(text: String, match: String) { #expect(SearchQuery(text).match == match) }

    @Test(arguments: ["", "  ", "\"", "\"\"", "*", "--", "\" - \"*", "()", "…"])
    func aTextWithoutWordsIsNoQuery(text: String) { #expect(SearchQuery(text).match == nil) }

    /// Whatever is typed, FTS5 accepts the query.
    @Test func noTextIsASyntaxError() throws {
        let database = try SQLiteDatabase(path: ":memory:")
        try database.execute("CREATE VIRTUAL TABLE search USING fts5(a); INSERT INTO search VALUES('moon')")
        let pieces = [
            "moon", "\"", "*", "(", ")", "^", "-", "+", ":", "AND", "NOT", "NEAR(", "{", "}", ",", " ", "'", "\\",
            "\"\u{301}", "\u{200D}",
        ]
        for first in pieces {
            for second in pieces {
                for third in pieces {
                    let text = first + second + third + "moon"
                    let match = try #require(SearchQuery(text).match)
                    let statement = try database.prepare("SELECT count(*) FROM search WHERE search MATCH ?")
                    statement.bind(match, at: 1)
                    #expect(throws: Never.self, "\(text)") { try statement.run() }
                }
            }
        }
    }
}
