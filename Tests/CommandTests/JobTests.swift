// `moonrill run --job`: jobs that are killed, stopped and resumed, through the real binary and the offline provider.

import Foundation
import JSON
import ProviderSimulator
import SQLite
import Support
import Testing

@Suite struct JobTests {
    /// A folder with a store, a script and its output.
    final class Workshop {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("moonrill-\(UUID().uuidString)")
        let provider: SimulatorServer
        private let bodies = Locked<[[UInt8]]>([])

        init(script: String, rate: Double = 0) throws {
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            var options = SimulatorOptions()
            options.rate = rate
            let bodies = self.bodies
            options.onRequest = { request in bodies.withLock { $0.append(request.body) } }
            provider = try SimulatorServer.start(options)
            try script.write(to: folder.appendingPathComponent("script.lua"), atomically: true, encoding: .utf8)
        }

        deinit {
            provider.stop()
            try? FileManager.default.removeItem(at: folder)
        }

        func path(_ name: String) -> String { folder.appendingPathComponent(name).path }

        func replaceScript(_ text: String) throws {
            try text.write(to: folder.appendingPathComponent("script.lua"), atomically: true, encoding: .utf8)
        }

        /// Starts the script as a job that writes to the file `output`.
        func start(store: String = "store.db", output: String = "rows.jsonl", _ options: [String] = []) throws
            -> MoonrillBinary.Running
        {
            try MoonrillBinary.start(
                ["run", "--store", path(store), "--job", "night"] + options
                    + [path("script.lua"), provider.baseURL, path(output)],
                environment: ["MOON_KEY": JobTests.key])
        }

        func run(_ options: [String] = []) throws -> MoonrillBinary.Result { try start(options).wait(timeout: 60) }

        /// Removes and returns the prompts that the provider has received: the text after the last reply.
        func takePrompts() -> [String] {
            settle()
            let taken = bodies.withLock { bodies in
                defer { bodies = [] }
                return bodies
            }
            return taken.compactMap(Self.prompt)
        }

        /// Waits until the provider has read all that a killed process has sent. Connections are accepted in their order, so
        /// those of that process are accepted once one made here has its answer.
        private func settle() {
            guard let descriptor = LoopbackSocket.connect(port: provider.port) else { return }
            let request = Array("GET /v1/models HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".utf8)
            #expect(write(descriptor, request, request.count) == request.count)
            var buffer = [UInt8](repeating: 0, count: 4096)
            while read(descriptor, &buffer, buffer.count) > 0 {}
            close(descriptor)
            let deadline = Date().addingTimeInterval(60)
            while provider.statistics().openConnections > 0, Date() < deadline { sched_yield() }
            #expect(provider.statistics().openConnections == 0)
        }

        private static func prompt(_ body: [UInt8]) -> String? {
            guard let messages = (try? JSONReader.value(body))?["messages"]?.array else { return nil }
            let last = messages.lastIndex { $0["role"]?.string == "assistant" }.map { $0 + 1 } ?? 0
            return messages[last...].compactMap { $0["content"]?.string }.joined(separator: "\n")
        }

        /// The prompts of the requests that the store has whole.
        func finishedPrompts(store: String = "store.db") throws -> [String] {
            let database = try SQLiteDatabase(path: path(store), access: .existing)
            // A process that is killed first may leave an empty file.
            let tables = try database.prepare("SELECT count(*) FROM sqlite_master WHERE name = 'requests'")
            guard try tables.step(), tables.int(0) == 1 else { return [] }
            tables.reset()
            let statement = try database.prepare("SELECT prompt FROM requests WHERE state = 'finished'")
            var prompts: [String] = []
            while try statement.step() { prompts.append(statement.text(0)) }
            return prompts
        }

        func text(_ name: String) -> String { (try? String(contentsOfFile: path(name), encoding: .utf8)) ?? "" }
    }

    static let key = "sk-moonrill-marked-0123456789abcdef"

    /// 60 requests: a map of 8 at once, a chain, tools; two steps; output in a file of rows.
    static let longScript = """
        local llm = require "llm"
        local client = llm.client { base_url = arg[1], model = "moonrill-chat", key_env = "MOON_KEY", limit = false }
        local rows <close> = llm.jsonl.writer { path = arg[2], key = "id" }
        local function text(prompt, options) return assert(client:ask(prompt, options)).text end

        local topics = llm.step("topics", function()
          local list = {}
          for number = 1, 40 do list[number] = "topic " .. number end
          return list
        end)
        for first = 1, #topics, 8 do
          local batch = table.move(topics, first, first + 7, 1, {})
          local replies = llm.flow.map(batch, function(topic) return text("Say something about " .. topic) end, { limit = 8 })
          for index, reply in ipairs(replies) do rows:write { id = first + index - 1, text = reply } end
        end

        local draft = "a draft"
        for round = 1, 8 do draft = text("Improve, round " .. round .. ": " .. draft:sub(1, 40)) end
        rows:write { id = "draft", text = draft, length = llm.step("length", function() return #draft end) }

        for number = 1, 6 do
          local lookup = llm.tool {
            name = "lookup", description = "Looks a word up.",
            parameters = { type = "object", properties = { word = { type = "string" } }, required = { "word" } },
            run = function(arguments) return "entry " .. number .. " of " .. tostring(arguments.word) end,
          }
          rows:write { id = "tool " .. number, text = text("Use the tool lookup for word " .. number, { tools = { lookup } }) }
        end
        print("done")
        """

    @Test func aJobThatIsKilledAtRandomMomentsEndsLikeOneThatIsNot() throws {
        let kills = Int(ProcessInfo.processInfo.environment["MOONRILL_KILLS"] ?? "") ?? 20
        let seed =
            UInt64(ProcessInfo.processInfo.environment["MOONRILL_KILL_SEED"] ?? "") ?? .random(in: 0...UInt64.max)
        print("kill loop: \(kills) kills, MOONRILL_KILL_SEED=\(seed)")
        var generator = SeededGenerator(seed: seed)

        let workshop = try Workshop(script: Self.longScript, rate: 2000)
        let start = Date()
        let whole = try workshop.start(store: "whole.db", output: "whole.jsonl").wait(timeout: 120)
        let duration = Date().timeIntervalSince(start)
        #expect(whole.output == "done\n")
        let asked = workshop.takePrompts()
        #expect(asked.count == 60 && Set(asked).count == 60)

        var (killed, rounds) = (0, 0)
        while killed < kills {
            rounds += 1
            let number = rounds / 3
            // A third of the rounds begin a new job, so that all parts of it are hit.
            let store = "store\(number).db"
            let output = "rows\(number).jsonl"
            let finished =
                try FileManager.default.fileExists(atPath: workshop.path(store))
                ? Set(workshop.finishedPrompts(store: store)) : []
            let run = try workshop.start(store: store, output: output)
            let delay = Double.random(in: 0...duration, using: &generator)
            let killer = DispatchWorkItem { run.kill() }
            DispatchQueue.global().asyncAfter(deadline: .now() + delay, execute: killer)
            let result = run.wait(timeout: 120)
            killer.cancel()
            killed += result.signal == SIGKILL ? 1 : 0
            let sent = workshop.takePrompts()
            #expect(
                sent.filter(finished.contains) == [], "a finished request was sent again, seed \(seed), kill \(killed)")
            #expect(Set(sent).count == sent.count, "a request was sent twice in one run, seed \(seed), kill \(killed)")
            if result.signal == nil {
                #expect(result.status == 0, "\(result.errorOutput)")
                #expect(workshop.text(output) == workshop.text("whole.jsonl"), "seed \(seed), kill \(killed)")
            }
        }
        for number in 0...rounds / 3 {
            let (store, output) = ("store\(number).db", "rows\(number).jsonl")
            let result = try workshop.start(store: store, output: output).wait(timeout: 120)
            #expect(result.status == 0, "\(result.errorOutput)")
            #expect(workshop.text(output) == workshop.text("whole.jsonl"), "seed \(seed), job \(number)")
        }
    }

    /// Jobs in eight processes that share a store for `MOONRILL_SHARED_STORE_SECONDS` (3).
    @Test func processesShareAStore() throws {
        let seconds = Double(ProcessInfo.processInfo.environment["MOONRILL_SHARED_STORE_SECONDS"] ?? "") ?? 3
        let workshop = try Workshop(
            script: """
                local llm = require "llm"
                local client = llm.client { base_url = arg[1], model = "moonrill-chat", key_env = "MOON_KEY", limit = false }
                local rows <close> = llm.jsonl.writer { path = arg[2], key = "id" }
                local deadline, count = llm.now() + \(seconds), 0
                local function ask(prompt) return assert(client:ask(prompt)).text end
                repeat
                  local prompts = {}
                  for place = 1, 4 do prompts[place] = arg[2] .. " " .. count + place end
                  for place, text in ipairs(llm.flow.map(prompts, ask, { limit = 4 })) do rows:write { id = count + place, text = text } end
                  count = count + 4
                  llm.step("round", function() return count end)
                until llm.now() > deadline
                print(count)
                """)
        let runs = try (1...8).map { number in
            try MoonrillBinary.start(
                [
                    "run", "--store", workshop.path("store.db"), "--job", "job \(number)", workshop.path("script.lua"),
                    workshop.provider.baseURL, workshop.path("rows \(number)"),
                ], environment: ["MOON_KEY": Self.key])
        }
        let results = runs.map { $0.wait(timeout: 60 + 4 * seconds) }
        let database = try SQLiteDatabase(path: workshop.path("store.db"), access: .existing)
        let statement = try database.prepare(
            """
            SELECT (SELECT count(*) FROM requests WHERE job = jobs.id AND state = 'finished'),
              (SELECT count(*) FROM steps WHERE job = jobs.id), state FROM jobs WHERE name = ?
            """)
        for (index, result) in results.enumerated() {
            #expect(result.status == 0 && result.errorOutput.isEmpty, "\(result.errorOutput)")
            let count = try #require(Int64(result.output.dropLast()))
            statement.bind("job \(index + 1)", at: 1)
            #expect(try statement.step())
            #expect(statement.int(0) == count && statement.int(1) == count / 4 && statement.text(2) == "finished")
            statement.reset()
            let rows = workshop.text("rows \(index + 1)").split(separator: "\n")
            #expect(rows.count == Int(count))
        }
        let check = try database.prepare("PRAGMA integrity_check")
        #expect(try check.step() && check.text(0) == "ok")
        print("shared store: \(results.map { $0.output.dropLast() }.joined(separator: " ")) requests in \(seconds) s")
    }

    static let shortScript = """
        local llm = require "llm"
        local client = llm.client { base_url = arg[1], model = "moonrill-chat", key_env = "MOON_KEY" }
        local first = llm.step("first", function() io.stderr:write("the step runs\\n") return { n = 3 } end)
        for number = 1, first.n do print(#assert(client:ask("Question " .. number)).text) end
        """

    @Test func aFailedJobGoesOnAndAFinishedOneSaysSo() throws {
        let workshop = try Workshop(script: Self.shortScript + "\nerror 'broken'")
        let first = try workshop.run()
        #expect(first.status == 1 && first.errorOutput.contains("the step runs"))
        #expect(workshop.takePrompts() == ["Question 1", "Question 2", "Question 3"])

        try workshop.replaceScript(Self.shortScript + "\nprint(#assert(client:ask 'Question 4').text)")
        let second = try workshop.run()
        #expect(second.status == 0)
        #expect(second.output.hasPrefix(first.output))
        #expect(second.errorOutput.contains("the job 'night' goes on: 4 requests and steps are recorded"))
        #expect(second.errorOutput.contains("the script of the job 'night' has changed since its last run"))
        #expect(!second.errorOutput.contains("the step runs"))
        #expect(workshop.takePrompts() == ["Question 4"])

        let third = try workshop.run()
        #expect(third.status == 0 && third.output.isEmpty)
        #expect(third.errorOutput.contains("the job 'night' has finished"))
        #expect(workshop.takePrompts() == [])

        // Other arguments are other work.
        let other = try workshop.start(output: "other.jsonl").wait(timeout: 60)
        #expect(other.status == 1 && other.errorOutput.contains("with other arguments"))

        let again = try workshop.run(["--again"])
        #expect(again.output == second.output && again.errorOutput.contains("the step runs"))
        #expect(workshop.takePrompts().count == 4)
    }

    @Test func aSecondProcessIsRefusedByPid() throws {
        let workshop = try Workshop(script: "print 'runs' io.stdout:flush() require 'llm'.sleep(1000)")
        let running = try workshop.start()
        defer { running.kill() }
        running.waitForOutput()
        let second = try workshop.run()
        #expect(second.status == 75)
        #expect(second.errorOutput.contains("being run by process \(running.processIdentifier)"))
        running.send(SIGINT)
        #expect(running.wait(timeout: 30).status == 130)
        try workshop.replaceScript("print 'goes on'")
        #expect(try workshop.run().output == "goes on\n")
    }

    @Test func noKeyIsInTheStore() throws {
        let workshop = try Workshop(
            script: """
                local llm = require "llm"
                local client = llm.client { base_url = arg[1], model = "m", key_env = "MOON_KEY" }
                llm.step("before any client has named the variable", function() return 1 end)
                assert(client:ask("the key is " .. arg[3]))
                llm.step("argument", function() return arg[3] end)
                """)
        // The key is also an argument: in the run, in a prompt, in its echo, and in the result of a step.
        let result = try MoonrillBinary.run(
            [
                "run", "--store", workshop.path("store.db"), "--job", "night", workshop.path("script.lua"),
                workshop.provider.baseURL, "", Self.key,
            ], environment: ["MOON_KEY": Self.key])
        #expect(result.status == 0, "\(result.errorOutput)")
        let key = Data(Self.key.utf8)
        var size = 0
        for name in ["store.db", "store.db-wal"] {
            let bytes = (try? Data(contentsOf: URL(fileURLWithPath: workshop.path(name)))) ?? Data()
            size += bytes.count
            #expect(bytes.range(of: key) == nil, "\(name)")
            #expect(bytes.range(of: Data(key.base64EncodedString().dropLast(4).utf8)) == nil, "\(name)")
        }
        #expect(size > 10_000)
    }

    @Test func noKeyIsTheNameOfAJob() throws {
        let workshop = try Workshop(script: "print 'runs'")
        let result = try MoonrillBinary.run(
            ["run", "--store", workshop.path("store.db"), "--job", "night \(Self.key)", workshop.path("script.lua")],
            environment: ["OPENAI_API_KEY": Self.key])
        #expect(result.status == 1 && result.errorOutput.contains("the name of the job holds a key"))
        #expect(!result.errorOutput.contains(Self.key) && result.output.isEmpty)
    }

    /// A cached reply costs nothing, so it fits into any budget.
    @Test func cachedRepliesFitIntoSmallBudgets() throws {
        let workshop = try Workshop(
            script: """
                local llm = require "llm"
                local client = llm.client { base_url = arg[1], model = "moonrill-chat", key_env = "MOON_KEY", cache = true }
                local budget = llm.budget { tokens = 5 }
                print(budget:run(function() return client:ask("a question of more than five tokens, for sure") end))
                print(budget.tokens)
                """)
        func run() throws -> String {
            try MoonrillBinary.run(
                ["run", "--store", workshop.path("store.db"), workshop.path("script.lua"), workshop.provider.baseURL],
                environment: ["MOON_KEY": Self.key]
            ).output
        }
        // The first time it is sent, and spends the budget.
        #expect(try run().contains("the budget of 5 tokens is spent"))
        try workshop.replaceScript(workshop.text("script.lua").replacing("tokens = 5 ", with: "tokens = 5000 "))
        #expect(try !run().contains("spent"))
        try workshop.replaceScript(workshop.text("script.lua").replacing("tokens = 5000 ", with: "tokens = 5 "))
        let cached = try run()
        #expect(!cached.contains("spent") && cached.hasSuffix("\n0\n"), "\(cached)")
    }

    @Test func cachedRepliesAnswerLaterRuns() throws {
        let workshop = try Workshop(
            script: """
                local client = require "llm".client { base_url = arg[1], model = "moonrill-chat", key_env = "MOON_KEY", cache = true }
                for _ = 1, 2 do
                  local parts = {}
                  local reply = assert(client:ask("vote", { on_token = function(text) parts[#parts + 1] = text end }))
                  print(reply.cached, table.concat(parts) == reply.text, reply.usage.output_tokens > 0)
                end
                """)
        func run(_ options: String...) throws -> String {
            try MoonrillBinary.run(
                ["run", "--store", workshop.path("store.db")] + options + [
                    workshop.path("script.lua"), workshop.provider.baseURL,
                ],
                environment: ["MOON_KEY": Self.key]
            ).output
        }
        let asked = String(repeating: "false\ttrue\ttrue\n", count: 2)
        let answered = String(repeating: "true\ttrue\ttrue\n", count: 2)
        #expect(try run() == asked)
        #expect(try run() == answered)
        #expect(workshop.takePrompts() == ["vote", "vote"])
        #expect(try run("--refresh") == asked)
        #expect(try run("--no-cache") == asked)
        #expect(workshop.takePrompts().count == 4)
        #expect(try run() == answered)
    }
}
