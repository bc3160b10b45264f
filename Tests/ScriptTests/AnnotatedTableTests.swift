// The fields of the runtime's tables against the classes of types/llm.lua, by value: each table is pushed with all its
// fields set.

import Base
import Chat
import Foundation
import JSON
import LuaVM
import Support
import Testing

@testable import Script

@Suite struct AnnotatedTableTests {
    private let vm: LuaVM
    private let tables: ReplyTables
    private let annotations: String

    init() throws {
        vm = try LuaVM()
        vm.stack.pushTable()
        let metatable = vm.stack.popReference()
        tables = ReplyTables(coder: LuaCoder.make(in: vm), replyMetatable: metatable, errorMetatable: metatable)
        annotations = try String(contentsOfFile: MoonrillBinary.packageRoot + "/types/llm.lua", encoding: .utf8)
    }

    // MARK: Values with all fields

    private static let call = ToolCall(id: "c", name: "f", argumentsJSON: "{}", arguments: [:])

    private static let usage: Usage = {
        var usage = Usage()
        usage.inputTokens = 1
        usage.outputTokens = 1
        usage.reasoningTokens = 1
        usage.cachedTokens = 1
        usage.cacheWriteTokens = 1
        usage.totalTokens = 1
        usage.cost = 1
        return usage
    }()

    private static let reply: Reply = {
        var timings = ServerTimings()
        timings.queue = 1
        timings.load = 1
        timings.promptEval = 1
        timings.eval = 1
        return Reply(
            text: "t", reasoning: "r", toolCalls: [call], nativeCalls: [1], finishReason: .stop,
            finishReasonRaw: "stop",
            usage: usage, model: "m", id: "i", provider: "p", attempts: 1, firstTokenTime: 1, totalTime: 1,
            serverTimings: timings, message: ["role": "assistant"], refusal: "no", finishMessage: "end")
    }()

    private static let failure = RequestFailure(
        kind: .timeout, message: "m", status: 1, code: "c", phase: .idle, isRetryable: true, retryAfter: 1,
        provider: "p",
        model: "m", requestID: "r", attempts: 1, partial: reply)

    private static let start: StartInfo = {
        var info = StartInfo(id: "i", model: "m", attempt: 1)
        info.isCached = true
        return info
    }()

    private static let events: [ChatEvent] = [
        .start(start), .text(TextBatch("t")),
        .text(TextBatch("r", .reasoning)), .toolCall(call), .usage(usage),
        .heartbeat, .native(name: "n", 1),
        .retry(RetryInfo(attempt: 1, delay: 1, error: failure, received: Position())),
        .wait(WaitInfo(seconds: 1, reason: "r")), .reset(ResetInfo(attempt: 1, error: failure)), .finish(reply),
        .failed(failure),
    ]

    /// Fields that the Lua modules set on replies and errors.
    private static let addedByModules: [String: Set<String>] = [
        "reply": ["value", "rounds", "messages", "usages", "deferred"],
        "error": ["path", "text", "step", "others", "errors", "messages"],
    ]

    // MARK: Tests

    @Test func repliesHaveTheAnnotatedFields() throws {
        tables.push(Self.reply, to: vm.stack)
        vm.stack.getField("timing", of: 1)
        try expectFields(of: "timing")
        tables.push(Self.reply, to: vm.stack)
        try expectFields(of: "reply")
        tables.push(Self.usage, to: vm.stack)
        try expectFields(of: "usage")
        tables.push(Self.call, to: vm.stack)
        try expectFields(of: "tool_call")
    }

    @Test func errorsHaveTheAnnotatedFields() throws {
        tables.push(Self.failure, to: vm.stack)
        vm.stack.getField("position", of: 1)
        try expectFields(of: "position")
        tables.push(Self.failure, to: vm.stack)
        try expectFields(of: "error")
    }

    @Test func callbackArgumentsHaveTheAnnotatedFields() throws {
        tables.push(RetryInfo(attempt: 1, delay: 1, error: Self.failure, received: Position()), to: vm.stack)
        try expectFields(of: "retry_info")
        tables.push(WaitInfo(seconds: 1, reason: "r"), to: vm.stack)
        try expectFields(of: "wait_info")
        tables.push(ResetInfo(attempt: 1, error: Self.failure), to: vm.stack)
        try expectFields(of: "reset_info")
    }

    @Test func eventsHaveTheAnnotatedFieldsAndTypes() throws {
        var found: Set<String> = []
        var types: Set<String> = []
        for event in Self.events {
            tables.push(event, phase: "commentary", to: vm.stack)
            vm.stack.getField("type", of: -1)
            types.insert(try #require(vm.stack.string(at: -1)))
            vm.stack.pop(1)
            found.formUnion(popFields())
        }
        #expect(found == (try annotated("event")))
        let line = try #require(annotations.firstMatch(of: /@field type ("start".*)/))
        #expect(types == Set(line.output.1.matches(of: /"(\w+)"/).map { String($0.output.1) }))
    }

    @Test(arguments: [("reply", "reply"), ("error", "err")])
    func modulesSetTheFieldsThatTheyAdd(_ name: String, _ variable: String) throws {
        let folder = MoonrillBinary.packageRoot + "/Sources/Script/Lua/"
        let modules = try FileManager.default.contentsOfDirectory(atPath: folder).filter { $0.hasSuffix(".lua") }
            .map { try String(contentsOfFile: folder + $0, encoding: .utf8) }.joined()
        for field in try #require(Self.addedByModules[name]) {
            let isSet = modules.contains("\(variable).\(field)") || modules.contains("\(field) = ")
            #expect(isSet, "nothing sets \(name).\(field)")
        }
    }

    // MARK: Reading

    private func expectFields(of name: String) throws {
        #expect(popFields().union(Self.addedByModules[name] ?? []) == (try annotated(name)), "llm.\(name)")
    }

    /// The names of the fields of the table on top. Clears the stack. Names that begin with _ are internal.
    private func popFields() -> Set<String> {
        var names: Set<String> = []
        vm.stack.forEachMember(of: -1) { names.insert(vm.stack.string(at: -2) ?? "?") }
        vm.stack.setTop(0)
        return names.filter { !$0.hasPrefix("_") }
    }

    /// The fields annotated in a class.
    private func annotated(_ name: String) throws -> Set<String> {
        let lines = annotations.split(separator: "\n", omittingEmptySubsequences: false)
        let start = try #require(lines.firstIndex { $0 == "---@class llm.\(name)" }, "no class llm.\(name)")
        let body = lines[(start + 1)...].prefix { $0.hasPrefix("---@field ") }
        return Set(body.joined(separator: "\n").matches(of: /@field (\w+)/).map { String($0.output.1) })
    }
}
