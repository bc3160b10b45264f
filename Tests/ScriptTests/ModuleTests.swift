// Modules in the folder of the script.

import Foundation
import Moonrill
import ScriptSupport
import Testing

@Suite struct ModuleTests {
    @Test func modulesAreFoundBesideTheScriptAndMayWait() throws {
        let folder = try TemporaryFolder([
            "greeting.lua": "local llm = require 'llm' llm.sleep(0.005) return { text = ..., path = select(2, ...) }",
            "nested/init.lua": "return 'nested'",
            "deep/er.lua": "return 'deeper'",
            "bad.lua": "local x = = 1",
            "loop.lua": "return require 'loop'",
            "raises.lua": "error 'at load'",
        ])
        let run = try ScriptHarness.run(
            """
            local greeting, path = require "greeting"
            print(greeting.text, path:match("[^/]+$"), greeting == require "greeting")
            print(require "nested", (require "deep.er"))
            print(select(2, pcall(require, "bad")):match("bad.lua:1: unexpected symbol"))
            print(select(2, pcall(require, "loop")):match("a loop of requires"))
            print(select(2, pcall(require, "raises")):match("raises.lua:1: at load"))
            print(select(2, pcall(require, "missing")):match("module 'missing' not found"))
            """, directory: folder.url)
        #expect(run.result.ending == .finished)
        #expect(
            run.lines == [
                "greeting greeting.lua true", "nested deeper", "bad.lua:1: unexpected symbol", "a loop of requires",
                "raises.lua:1: at load", "module 'missing' not found",
            ])
    }
}
