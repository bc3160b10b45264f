// llm.step against a journal by value: what is looked up, recorded and abandoned, and what the script gets.

import Base
import Chat
import JSON
import Testing

@testable import Script

/// A journal in memory. Its events come with the next turn of the reactor.
private final class FakeJournal: StepJournal, Reactor {
    /// The records of each name, in order.
    var records: [String: [String]] = [:]
    /// Names whose records cannot be read, and names that cannot be recorded, with the message.
    var unreadable: [String: String] = [:]
    var unwritable: [String: String] = [:]
    /// Names for which no event comes.
    var silent: Set<String> = []
    /// Called in each turn.
    var onTurn: () -> Void = {}
    /// What the script has asked of the journal: "look up a 1", "record 1 [2]", "abandon 1".
    private(set) var calls: [String] = []
    private var names: [StepID: String] = [:]
    private var counts: [String: Int] = [:]
    private var pending: [StepEvent] = []
    private var events: [StepEvent] = []
    private var unanswered: [StepID] = []

    func lookUp(step name: String) -> StepID {
        let id = StepID(UInt64(names.count + 1))
        names[id] = name
        counts[name, default: 0] += 1
        calls.append("look up \(name) \(id.raw)")
        let known = records[name] ?? []
        let number = counts[name, default: 1]
        if silent.contains(name) {
            unanswered.append(id)
            return id
        }
        if let message = unreadable[name] {
            pending.append(.failed(id, message))
        } else if number <= known.count {
            pending.append(.found(id, Array(known[number - 1].utf8)))
        } else {
            pending.append(.missing(id))
        }
        return id
    }

    /// Answers the look-ups that had no answer.
    func answer() {
        pending += unanswered.map { .missing($0) }
        unanswered = []
    }

    func record(_ id: StepID, _ result: [UInt8]) {
        calls.append("record \(id.raw) \(String(decoding: result, as: UTF8.self))")
        let message = names[id].flatMap { unwritable[$0] }
        pending.append(message.map { .failed(id, $0) } ?? .recorded(id))
    }

    func abandon(_ id: StepID) {
        calls.append("abandon \(id.raw)")
        if let name = names[id] { counts[name, default: 1] -= 1 }
    }

    func takeStepEvents() -> [StepEvent] {
        defer { events = [] }
        return events
    }

    var hasStepEvents: Bool { !events.isEmpty }
    var wakeDescriptor: Int32 { -1 }

    func turn(waitingUpTo seconds: Double?) {
        onTurn()
        events += pending
        pending = []
    }
}

/// Never has events.
private final class SilentBroker: RequestBroker {
    func submit(_ command: RequestCommand) {}
    func take(_ id: RequestID) -> [ChatEvent] { [] }
    func nextReady() -> RequestID? { nil }
    var hasReady: Bool { false }
    var hasRequestsInLine: Bool { false }
}

@Suite struct StepTests {
    private let journal: FakeJournal

    init() { self.init(FakeJournal()) }

    private init(_ journal: FakeJournal) { self.journal = journal }

    /// What came of a script: its lines, and its failure with the traceback.
    private func run(_ script: String, withJob: Bool = true) throws -> (lines: [String], failure: ScriptFailure?) {
        var output: [UInt8] = []
        let source = "local llm = require 'llm'\n" + script
        var configuration = ScriptConfiguration(source: Array(source.utf8), name: "test.lua")
        configuration.steps = withJob ? journal : nil
        configuration.timeLimit = 30
        configuration.output = {
            output += $0
            return true
        }
        let runtime = try ScriptRuntime(configuration, broker: SilentBroker(), wakeDescriptor: -1)
        let outcome = runtime.run(turning: journal)
        let lines = String(decoding: output, as: UTF8.self).replacing("\t", with: " ").split(separator: "\n")
        var failure: ScriptFailure?
        switch outcome {
        case .finished: break
        case .failed(let error): failure = error
        default: Issue.record("\(outcome)")
        }
        return (lines.map(String.init), failure)
    }

    // MARK: Results

    @Test func aMissingStepRunsAndIsRecorded() throws {
        let run = try run("print(llm.step('a', function(x, y) return x + y, { z = x } end, 1, 2).z, 'next')")
        #expect(run.failure?.message.contains("attempt to index a number value") == true)
        #expect(journal.calls == ["look up a 1", "record 1 [3,{\"z\":1}]"])
    }

    @Test func aFoundStepDoesNotRun() throws {
        journal.records = ["a": [#"[3,{"z":[1,2.5,true]},null,"x"]"#]]
        let run = try run(
            """
            local three, table, nothing, x = llm.step('a', function() print 'never' end)
            print(three, table.z[1], table.z[2], table.z[3], nothing, x, select('#', llm.step('b', function() end)))
            """)
        #expect(run.lines == ["3 1 2.5 true nil x 0"])
        #expect(journal.calls == ["look up a 1", "look up b 2", "record 2 []"])
    }

    /// The first run sees what a resumed one does: values as they come out of JSON.
    @Test(arguments: [true, false]) func resultsAreThoseOfTheRecord(withJob: Bool) throws {
        let script = """
            local function values()
                return 1, 1.0, nil, 'a\\u{e9}', { 1, 2, x = nil }, llm.json.null, { deep = { llm.json.null } }, {}, nil
            end
            local function shown(...)
                local text = { select('#', ...) }
                for i = 1, select('#', ...) do
                    local value = select(i, ...)
                    text[#text + 1] = math.type(value) or ''
                    text[#text + 1] = type(value) == 'table' and llm.json.encode(value) or tostring(value)
                end
                print(table.concat(text, ' '))
            end
            shown(llm.step('a', values))
            """
        let first = try run(script, withJob: withJob)
        #expect(first.lines == [#"9 integer 1 float 1.0  nil  aé  [1,2]  nil  {"deep":[null]}  {}  nil"#])
        guard withJob else { return #expect(journal.calls.isEmpty) }
        let record = try #require(journal.calls.last)
        let other = FakeJournal()
        other.records = ["a": [String(record.dropFirst("record 1 ".count))]]
        #expect(try StepTests(other).run(script).lines == first.lines)
    }

    @Test func theWorkMayWaitAndBeginTasks() throws {
        let run = try run(
            """
            print(llm.step('a', function()
                local task = llm.spawn(function() llm.sleep(0) return 2 end)
                llm.sleep(0)
                return task:wait()
            end))
            """)
        #expect(run.lines == ["2"])
        #expect(journal.calls == ["look up a 1", "record 1 [2]"])
    }

    // MARK: Order

    @Test func stepsOfOneNameAreNumberedInTheOrderOfTheirCalls() throws {
        journal.records = ["a": ["[\"first\"]", "[\"second\"]"]]
        let run = try run(
            """
            local results = llm.flow.map({ 1, 2, 3, 4 }, function(item)
                return llm.step('a', function() return 'new ' .. item end)
            end)
            print(table.concat(results, ', '))
            """)
        #expect(run.lines == ["first, second, new 3, new 4"])
        #expect(journal.calls.prefix(4) == ["look up a 1", "look up a 2", "look up a 3", "look up a 4"])
        #expect(Set(journal.calls.dropFirst(4)) == ["record 3 [\"new 3\"]", "record 4 [\"new 4\"]"])
    }

    @Test func aStepInsideOneOfTheSameNameIsTheNext() throws {
        let run = try run(
            "print(llm.step('a', function() return 'outer ' .. llm.step('a', function() return 'inner' end) end))")
        #expect(run.lines == ["outer inner"])
        #expect(
            journal.calls == ["look up a 1", "look up a 2", "record 2 [\"inner\"]", "record 1 [\"outer inner\"]"])
    }

    // MARK: Failures

    @Test func anErrorIsNotRecorded() throws {
        let run = try run(
            """
            local function work()
                error('broken')
            end
            llm.step('load', work)
            """)
        let failure = try #require(run.failure)
        #expect(failure.message == "test.lua:3: broken")
        #expect(failure.traceback.contains("test.lua:3: in "))
        #expect(failure.traceback.contains("\nin llm.step \"load\""))
        #expect(journal.calls == ["look up load 1", "abandon 1"])
    }

    @Test func nilAndAnErrorIsNotRecorded() throws {
        let run = try run(
            """
            local shared = setmetatable({}, { __tostring = function() return 'odd' end })
            local value, err, more = llm.step('a', function() return nil, shared, 3 end)
            print(value, err == shared, more)
            print(llm.step('a', function() return 'again' end))
            """)
        #expect(run.lines == ["nil true 3", "again"])
        #expect(journal.calls == ["look up a 1", "abandon 1", "look up a 2", "record 2 [\"again\"]"])
    }

    @Test func recordsThatCannotBeReadAreErrors() throws {
        journal.unreadable = ["a": "the disk is gone; find it"]
        journal.records = ["b": ["no JSON"]]
        let run = try run(
            """
            for _, name in ipairs { 'a', 'b' } do
                local ok, err = pcall(llm.step, name, function() print 'never' end)
                print(ok, err.kind, err.retryable, err.message)
            end
            """)
        #expect(run.lines.first == "false journal false llm.step \"a\": the disk is gone; find it")
        #expect(run.lines.last?.hasPrefix("false journal false llm.step \"b\": the record is not JSON: ") == true)
        #expect(journal.calls == ["look up a 1", "look up b 2"])
    }

    @Test func recordsThatCannotBeWrittenAreErrors() throws {
        journal.unwritable = ["a": "no space left"]
        let run = try run("print(llm.step('a', function() return 1 end))")
        #expect(run.failure?.message == "llm.step \"a\": no space left")
        #expect(run.failure?.traceback.contains("test.lua:2: in ") == true)
        #expect(journal.calls == ["look up a 1", "record 1 [1]"])
    }

    /// A retry cannot fix the disk.
    @Test func journalErrorsAreNotRetried() throws {
        journal.unreadable = ["a": "broken"]
        let run = try run(
            "print((select(2, llm.flow.retry(function() return llm.step('a', print) end, { base = 0 })())).message)")
        #expect(run.lines == ["llm.step \"a\": broken"])
        #expect(journal.calls.count == 1)
    }

    @Test(arguments: [
        ("print", "result 1: a function cannot be written as JSON"),
        ("1, { rows = { 1, llm.step } }", "result 2.rows[2]: a function cannot be written as JSON"),
        ("0/0", "result 1: JSON has no NaN"), ("'\\xff'", "result 1: not UTF-8 at byte 1"),
        ("{ 1, x = 2 }", "result 1: a table is an array or an object, not both"),
        ("llm.limit { rpm = 1 }", "result 1: an llm.limit cannot be written as JSON"),
    ])
    func resultsThatJSONCannotHoldAreErrors(result: String, problem: String) throws {
        for withJob in [true, false] {
            let run = try run("llm.step('load', function() return \(result) end)", withJob: withJob)
            let message = try #require(run.failure).message
            #expect(message.hasPrefix("test.lua:2: llm.step \"load\": " + problem), "\(message)")
            #expect(
                message.hasSuffix("; a step returns what JSON can hold: strings, numbers, booleans and tables of these")
            )
        }
        #expect(journal.calls == ["look up load 1", "abandon 1"])
    }

    @Test(arguments: [
        ("llm.step()", "llm.step takes the step's name, not nil"),
        ("llm.step('', print)", "llm.step takes the step's name, not \"\""),
        ("llm.step('\\xff', print)", "llm.step takes a name in UTF-8, not "),
        ("llm.step('a', 1)", "llm.step: what \"a\" does must be a function, not 1"),
        (
            "table.sort({ 1, 2 }, function() return llm.step('a', print) end)",
            "llm.step has to wait, and Lua cannot wait inside "
        ),
    ])
    func misuse(script: String, message: String) throws {
        #expect(try run(script).failure?.message.hasPrefix("test.lua:2: " + message) == true)
        #expect(journal.calls.isEmpty)
    }

    // MARK: Cancellation

    @Test func aCancelledLookUpIsAbandoned() throws {
        journal.silent = ["a"]
        let run = try run(
            """
            local task = llm.spawn(function() return llm.step('a', function() print 'never' end) end)
            llm.sleep(0)
            task:cancel()
            print(select(2, task:wait()).kind)
            print(llm.step('b', function() return 1 end))
            """)
        #expect(run.lines == ["cancelled", "1"])
        #expect(journal.calls == ["look up a 1", "abandon 1", "look up b 2", "record 2 [1]"])
    }

    @Test func cancelledWorkIsAbandoned() throws {
        let run = try run(
            """
            local began = false
            local task = llm.spawn(function()
                return llm.step('a', function() began = true llm.sleep(1000) end)
            end)
            while not began do llm.sleep(0) end
            task:cancel()
            print(select(2, task:wait()).kind)
            """)
        #expect(run.lines == ["cancelled"])
        #expect(journal.calls == ["look up a 1", "abandon 1"])
    }

    /// What the work has made is kept, although the task that wanted it is gone.
    @Test func aResultIsRecordedAlthoughItsTaskIsCancelled() throws {
        let run = try run(
            """
            local task
            task = llm.spawn(function()
                return llm.step('a', function()
                    llm.spawn(function() task:cancel() end)
                    llm.shield(llm.sleep, 0)
                    return 1
                end)
            end)
            print(select(2, task:wait()).kind)
            """)
        #expect(run.lines == ["cancelled"])
        #expect(journal.calls == ["look up a 1", "record 1 [1]"])
    }

    @Test func theEventOfACancelledStepIsDropped() throws {
        let run = try run(
            """
            local task = llm.spawn(function() llm.step('a', function() print 'never' end) end)
            local other = llm.spawn(function() task:cancel() end)
            print(select(2, task:wait()).kind)
            print(llm.step('a', function() return 'new' end))
            """)
        #expect(run.lines == ["cancelled", "new"])
        #expect(journal.calls == ["look up a 1", "abandon 1", "look up a 2", "record 2 [\"new\"]"])
    }

    // MARK: The loop

    /// A script that waits for the journal alone is not stuck.
    @Test func aWaitForTheJournalIsProgress() throws {
        journal.silent = ["slow"]
        var turns = 0
        let journal = journal
        journal.onTurn = {
            turns += 1
            if turns == 5 { journal.answer() }
        }
        let run = try run("print(llm.step('slow', function() return 1 end))")
        #expect(run.lines == ["1"])
        #expect(turns >= 5)
    }
}
