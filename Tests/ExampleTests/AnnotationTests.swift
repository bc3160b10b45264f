// types/ against what scripts find: functions, and the fields of the runtime's tables. Options: OptionCatalogTests.

import Foundation
import Support
import Testing

@Suite struct AnnotationTests {
    private let tables: String
    private let annotations: String

    init() throws {
        tables = try Self.text("Sources/Script/Values/ReplyTables.swift")
        annotations = try Self.text("types/llm.lua")
    }

    private static func text(_ path: String) throws -> String {
        try String(contentsOfFile: MoonrillBinary.packageRoot + "/" + path, encoding: .utf8)
    }

    /// What the runtime sets on the tables that scripts get.
    @Test(arguments: [
        ("push(_ reply: Reply", ["reply", "timing"]), ("push(_ call: ToolCall", ["tool_call"]),
        ("push(_ usage: Usage", ["usage"]), ("push(_ failure: RequestFailure", ["error"]),
        ("push(_ position: Position", ["position"]), ("setMembers(of info: RetryInfo", ["retry_info"]),
        ("setMembers(of info: ResetInfo", ["reset_info"]), ("setMembers(of info: WaitInfo", ["wait_info"]),
    ])
    func resultsAgree(_ function: String, _ classes: [String]) throws {
        var annotated: Set<String> = []
        for name in classes { annotated.formUnion(try fields(of: name)) }
        let added = classes.first.flatMap { Self.addedInLua[$0] } ?? []
        #expect(try keys(setBy: function).union(added) == annotated)
    }

    /// What the modules in Lua set on replies and errors, beside the runtime.
    private static let addedInLua: [String: Set<String>] = [
        "reply": ["value", "rounds", "messages", "usages", "deferred"],
        "error": ["path", "text", "step", "others", "errors", "messages"],
    ]

    @Test(arguments: [("reply", "reply"), ("error", "err")])
    func fieldsAddedInLuaAreThere(_ name: String, _ variable: String) throws {
        let folder = MoonrillBinary.packageRoot + "/Sources/Script/Lua/"
        let modules = try FileManager.default.contentsOfDirectory(atPath: folder).filter { $0.hasSuffix(".lua") }
            .map { try String(contentsOfFile: folder + $0, encoding: .utf8) }.joined()
        for field in try #require(Self.addedInLua[name]) {
            let isSet = modules.contains("\(variable).\(field)") || modules.contains("\(field) = ")
            #expect(isSet, "nothing sets \(name).\(field)")
        }
    }

    @Test func eventsAgree() throws {
        let members = try ["retry_info", "reset_info", "wait_info"].reduce(into: Set<String>()) {
            $0.formUnion(try fields(of: $1))
        }
        // A chunk goes to on_chunk as it is, never to a script as an event.
        let keys = try keys(setBy: "push(_ event: ChatEvent").subtracting(["raw"])
        #expect(try fields(of: "event") == keys.union(members).union(["type"]))
        let types = Set(tables.matches(of: /set\(type: "(\w+)"\)/).map { String($0.output.1) })
        let line = try #require(annotations.firstMatch(of: /@field type ("start".*)/))
        let annotated = Set(line.output.1.matches(of: /"(\w+)"/).map { String($0.output.1) })
        #expect(types.subtracting(["chunk"]) == annotated)
    }

    /// What a script finds is what is annotated, both ways.
    @Test func functionsAgree() throws {
        var annotated = try functions(in: annotations + Self.text("types/flow.lua"))
        annotated["log"] = try fields(of: "log")
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
            show("llm", llm) show("json", llm.json) show("log", llm.log) show("flow", llm.flow)
            show("client", getmetatable(client)) show("chat", getmetatable(client:chat()).__index)
            check("call", client:start("x"), "\(names(annotated["call"]))")
            check("task", llm.spawn(function() end), "\(names(annotated["task"]))")
            check("budget", llm.budget { tokens = 1 }, "\(names(annotated["budget"]))")
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
                "client:ask", "client:stream", "call:wait", "task:wait", "llm.sleep", "llm.shield",
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

    /// The keys that a function of ReplyTables.swift sets; names that begin with _ are the library's own.
    private func keys(setBy function: String) throws -> Set<String> {
        let start = try #require(tables.range(of: "func \(function)"), "ReplyTables.swift has no \(function)")
        let end = try #require(tables.range(of: "\n    }\n", range: start.upperBound..<tables.endIndex))
        let body = String(tables[start.upperBound..<end.lowerBound])
        return try names(in: body, /(?:set|setField)\("(\w+)"/).filter { !$0.hasPrefix("_") }
    }
}
