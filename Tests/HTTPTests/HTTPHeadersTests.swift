// Header lines that come from outside.

import HTTP
import Testing

@Suite struct HTTPHeadersTests {
    @Test(arguments: ["authorization", "X-Api-Key", "a", "!#$%&'*+-.^_`|~09AZaz"])
    func goodNames(name: String) {
        #expect(HTTPHeaders.validate(name: name, value: "Bearer é \t x") == nil)
        #expect(HTTPHeaders.validate(name: name, value: "") == nil)
    }

    @Test(arguments: ["", "a b", "a:", "a\r\nb", "é", "a\0", "\"a\"", "a/b", "(a)", "{", "\u{7F}"])
    func badNames(name: String) throws {
        let problem = try #require(HTTPHeaders.validate(name: name, value: "hush"))
        #expect(!problem.contains("hush"))
        #expect(!problem.utf8.contains { $0 < 0x20 })
    }

    @Test(arguments: ["hush\r\nX: y", "hush\n", "\rhush", "hu\0sh", "hush\r\n"])
    func badValues(value: String) throws {
        let problem = try #require(HTTPHeaders.validate(name: "X-Api-Key", value: value))
        #expect(problem.contains("X-Api-Key"))
        #expect(!problem.contains("hush") && !problem.contains("sh"))
    }
}
