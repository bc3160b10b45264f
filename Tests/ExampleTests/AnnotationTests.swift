// types/ against the functions that scripts find. Options: OptionCatalogTests. Fields: AnnotatedTableTests.

import Foundation
import Support
import Testing

@Suite struct AnnotationTests {
    private let annotations: String

    init() throws {
        annotations = try Self.text("types/llm.lua")
    }

    private static func text(_ path: String) throws -> String {
        try String(contentsOfFile: MoonrillBinary.packageRoot + "/" + path, encoding: .utf8)
    }

    /// What a script finds is what is annotated, both ways.
    @Test func functionsAgree() throws {
        var annotated = try functions(in: annotations + Self.text("types/flow.lua") + Self.text("types/serve.lua"))
        annotated["log"] = try fields(of: "log")
        // Only handlers have one; Tests/Lua/serve calls its methods.
        annotated["response"] = nil
        let script = """
            local llm = require "llm"
            local client = llm.client {}
            local function show(receiver, exports)
              for name, value in pairs(exports) do
                if type(value) == "function" and name:sub(1, 2) ~= "__" then print(receiver .. " " .. name) end
              end
            end
            local function check(receiver, object, names)
              for name in names:gmatch("%w+") do
                if type(object[name]) == "function" then print(receiver .. " " .. name) end
              end
            end
            local _ = llm.step -- loaded on first use
            show("llm", llm) show("jsonl", llm.jsonl) show("json", llm.json) show("log", llm.log) show("flow", llm.flow)
            show("serve", llm.serve)
            show("client", getmetatable(client)) show("chat", getmetatable(client:chat()).__index)
            check("call", client:start("x"), "\(names(annotated["call"]))")
            check("task", llm.spawn(function() end), "\(names(annotated["task"]))")
            check("budget", llm.budget { tokens = 1 }, "\(names(annotated["budget"]))")
            check("writer", llm.jsonl.writer { path = os.tmpname() }, "\(names(annotated["writer"]))")
            for name in ("\(names(try fields(of: nil)))"):gmatch("%w+") do assert(llm[name] ~= nil, name) end
            """
        let result = try MoonrillBinary.run(script: script, ["--mock"])
        #expect(result.status == 0, "\(result.errorOutput)")
        var found: [String: Set<String>] = [:]
        for line in result.output.split(separator: "\n") {
            let words = line.split(separator: " ").map(String.init)
            found[words[0], default: []].insert(words[1])
        }
        #expect(found == annotated)
    }

    private func names(_ names: Set<String>?) -> String { (names ?? []).sorted().joined(separator: " ") }

    /// The annotated functions by the name of their receiver.
    private func functions(in text: String) throws -> [String: Set<String>] {
        var found: [String: Set<String>] = [:]
        for match in text.matches(of: /\nfunction (\w+)[:.](\w+)\(/) {
            found[String(match.output.1), default: []].insert(String(match.output.2))
        }
        return found
    }

    /// Whatever parks the task that calls it is marked, and nothing else is.
    @Test func waitingFunctionsAreMarked() throws {
        let marked = annotations.matches(of: /---@async\n(?:---.*\n)*function (\w+[:.]\w+)\(/)
        #expect(
            Set(marked.map { String($0.output.1) }) == [
                "client:ask", "client:stream", "call:wait", "task:wait", "llm.sleep", "llm.shield", "llm.step",
            ])
    }

    // MARK: Reading

    private func names(in text: String, _ pattern: Regex<(Substring, Substring)>) throws -> Set<String> {
        let names = Set(text.matches(of: pattern).map { String($0.output.1) })
        try #require(!names.isEmpty)
        return names
    }

    /// The fields annotated directly in the class `llm.NAME`, or in `llm`.
    private func fields(of name: String?) throws -> Set<String> {
        let lines = annotations.split(separator: "\n", omittingEmptySubsequences: false)
        let head = "---@class llm" + (name.map { ".\($0)" } ?? "")
        let start = try #require(lines.firstIndex { $0 == head || $0.hasPrefix(head + ":") }, "no \(head)")
        let body = lines[(start + 1)...].prefix { $0.hasPrefix("---@field ") }
        return try names(in: body.joined(separator: "\n"), /@field (\w+)/)
    }
}
