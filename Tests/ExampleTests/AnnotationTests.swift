// types/llm.lua tells editors what scripts may write; these tests hold it, both ways, to what llm.lua takes and to what
// the runtime's tables have.

import Foundation
import Support
import Testing

@Suite struct AnnotationTests {
    private let module: String
    private let tables: String
    private let annotations: String

    init() throws {
        func text(_ path: String) throws -> String {
            try String(contentsOfFile: MoonrillBinary.packageRoot + "/" + path, encoding: .utf8)
        }
        module = try text("Sources/Script/Lua/llm.lua")
        tables = try text("Sources/Script/Values/ReplyTables.swift")
        annotations = try text("types/llm.lua")
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

    @Test func functionsAgree() throws {
        let taken = try names(in: module, /function (?:call_methods|Client|task_methods|llm)[:.](\w+)\(/)
            .union(try names(in: module, /\nllm\.(now|time) = host/))
        let annotated = try names(in: annotations, /\nfunction (?:client|call|task|llm)[:.](\w+)\(/)
        #expect(taken == annotated)
        let levels = try #require(module.firstMatch(of: /for _, level in ipairs \{([^}]*)\}/))
        let logs = Set(levels.output.1.matches(of: /"(\w+)"/).map { String($0.output.1) }).union(["warn"])
        #expect(try fields(of: "log") == logs)
    }

    @Test func combinatorsAgree() throws {
        func text(_ path: String) throws -> String {
            try String(contentsOfFile: MoonrillBinary.packageRoot + "/" + path, encoding: .utf8)
        }
        let flow = try text("Sources/Script/Lua/flow.lua") + text("Sources/Script/Lua/parallel.lua")
        let annotatedFlow = try text("types/flow.lua")
        let pattern = /\nfunction (?:flow|parallel)\.(\w+)\(/
        #expect(try names(in: annotatedFlow, pattern) == names(in: flow, pattern))
        let parts = try #require(module.firstMatch(of: /local LATER = \{([^}]*)\}/))
        let later = try names(in: String(parts.output.1), /(\w+) = true/)
        let fields = try names(in: annotations, /\n---@field (\w+)[ ]/)
        #expect(later.isSubset(of: fields))
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

    /// The fields annotated directly in a class.
    private func fields(of name: String) throws -> Set<String> {
        let lines = annotations.split(separator: "\n", omittingEmptySubsequences: false)
        let start = try #require(
            lines.firstIndex { $0 == "---@class llm.\(name)" || $0.hasPrefix("---@class llm.\(name):") },
            "no class llm.\(name)")
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
