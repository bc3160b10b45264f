// Messages of errors in scripts that are not a file of Tests/Lua: names of scripts, and text that does not parse.

import Moonrill
import ScriptSupport
import Testing

@Suite struct ErrorMessageTests {
    @Test func messagesBeginWithTheNameOfTheScript() throws {
        for name in ["stdin", "moonrill ask", "a.lua"] {
            let result = try ScriptHost().run(source: "\nrequire 'llm'.client { modell = 'x' }", name: name)
            guard case .failed(let message, _) = result.ending else {
                Issue.record("no failure")
                continue
            }
            #expect(message.hasPrefix("\(name):2: llm.client: unknown option"), "\(message)")
        }
    }

    @Test(arguments: [
        ("local x = = 1", "test.lua:1: unexpected symbol near '='\n1 | local x = = 1\n              ^"),
        (
            "local x = 1\nif x then\nprint(x)",
            "'end' expected (to close 'if' at line 2) near <eof>\n3 | print(x)\n            ^"
        ),
        ("x = 'abc", "test.lua:1: unfinished string near <eof>\n1 | x = 'abc\n            ^"),
    ]) func syntaxErrorsShowTheLineWithACaret(_ source: String, _ expected: String) throws {
        let run = try ScriptHarness.run(source, prelude: "")
        #expect(run.failure.hasSuffix(expected), "\(run.failure)")
    }
}
