// client:chat: what is remembered, forgotten, written and read.

import Foundation
import JSON
import Moonrill
import ProviderSimulator
import Support
import Testing

@Suite struct ChatTests {
    @Test(arguments: cases) func chat(_ test: ScriptCase) throws { try ScriptHarness.check(test) }

    static let cases = [
        ScriptCase(
            "send remembers what was said", prints: ["2", "4 user assistant user assistant", "chat (4 messages)"],
            """
            local chat = client:chat { system = "Be brief." }
            assert(chat:send("one"))
            print(#chat:messages())
            assert(chat:send { "two" })
            local roles = {}
            for _, message in ipairs(chat:messages()) do roles[#roles + 1] = message.role end
            print(#roles, table.concat(roles, " "))
            print(chat)
            """),
        ScriptCase(
            "a failure changes nothing", prints: ["nil auth 0", "2"],
            """
            local chat = client:chat {}
            local reply, err = chat:send("one", { headers = fault("401") })
            print(reply, err.kind, #chat:messages())
            assert(chat:send("one"))
            print(#chat:messages())
            """),
        ScriptCase(
            "a fork goes its own way", prints: ["2 4 2", "one"],
            """
            local chat = client:chat {}
            assert(chat:send("one"))
            local other = chat:fork()
            assert(other:send("two"))
            other:messages()[1].content = "changed"
            print(#chat:messages(), #other:messages(), #chat:messages())
            other._messages[1].content = "changed"
            print(chat:messages()[1].content)
            """),
        ScriptCase(
            "two at once are refused, and the next is not", prints: ["true", "4"],
            """
            local chat = client:chat {}
            local task = llm.spawn(function() return chat:send("one") end)
            llm.sleep(0)
            local ok, err = pcall(chat.send, chat, "two")
            print(not ok and err:find("waits for an answer") ~= nil)
            task:wait()
            assert(chat:send("two"))
            print(#chat:messages())
            """),
        ScriptCase(
            "trim forgets whole exchanges, the oldest first", prints: ["2 4", "0 4", "2 2", "0 2"],
            """
            local long = ("moon "):rep(100)
            local chat = client:chat { messages = {
              { role = "user", content = long }, { role = "assistant", content = "a" },
              { role = "user", content = "b" }, { role = "assistant", tool_calls = {}, content = "c" },
            } }
            assert(chat:send("d"))
            chat:trim { max_tokens = 1000 }
            print(chat:trim { max_tokens = 100 }, #chat:messages())
            print(chat:trim { max_tokens = 100 }, #chat:messages())
            print(chat:trim { max_tokens = 1 }, #chat:messages())
            print(chat:trim { max_tokens = 1 }, #chat:messages())
            """),
        ScriptCase(
            "a chat with tools remembers the rounds",
            prints: ["user assistant tool assistant", "user assistant tool assistant user assistant"],
            """
            local chat = llm.client { model = "moonrill-chat" }:chat {
              tools = { llm.tool { name = "my_tool", run = function() return "done" end } },
            }
            local function roles()
              local all = {}
              for _, message in ipairs(chat:messages()) do all[#all + 1] = message.role end
              print(table.concat(all, " "))
            end
            assert(chat:send("Use my_tool"))
            roles()
            assert(chat:send("Thanks"))
            roles()
            """),
        ScriptCase(
            "a fork has options of its own", prints: ["PIRATE nil", "1 2"],
            """
            local path = os.tmpname()
            assert(client:chat { system = "PIRATE" }:save(path))
            local a = client:chat { params = { deep = { 1 } } }
            local b = a:fork()
            assert(b:load(path))
            os.remove(path)
            b._options.params.deep[1] = 2
            print(b._options.system, a._options.system)
            print(a._options.params.deep[1], b._options.params.deep[1])
            """),
        ScriptCase(
            "what the script changes afterwards does not change the chat", prints: ["text ab", "1"],
            """
            local part = { type = "text", text = "text" }
            local messages = { { role = "user", content = { part } } }
            local options = { messages = messages, stop = { "a", "b" } }
            local chat = client:chat(options)
            part.text, messages[2], options.stop[1] = "changed", { role = "usr" }, "changed"
            chat:messages()[1].content[1].text = "changed too"
            print(chat:messages()[1].content[1].text, table.concat(chat._options.stop))
            print(#chat:messages())
            """),
        ScriptCase(
            "calls that were left to the script are answered first",
            prints: ["nil invalid_request true 2", "5 true", "5 nil", "7 true"],
            """
            local client = llm.client { model = "moonrill-chat" }
            local function later(name) return llm.tool { name = name, run = function() return llm.defer end } end
            local chat = client:chat { tools = { later "alpha_tool", later "beta_tool" } }
            local reply = assert(chat:send("Use alpha_tool and beta_tool"))
            local first, second = reply.deferred[1], reply.deferred[2]
            local value, err = chat:send("again")
            print(value, err.kind, err.message:find("'alpha_tool' (id " .. first.id, 1, true) ~= nil, #chat:messages())
            local function answer(call) return { role = "tool", tool_call_id = call.id, content = "done" } end
            local reply = chat:send { answer(first), answer(second) }
            print(#chat:messages(), reply.text ~= nil)
            local value = chat:fork():send(answer(first), { tools = {} })
            print(#chat:messages(), nil)
            assert(chat:send("again", { tools = {} }))
            print(#chat:messages(), true)
            """),
        ScriptCase(
            "calls without ids are answered in order", prints: ["b", "a", "nil"],
            """
            local messages = {
              { role = "user", content = "x" },
              { role = "assistant", tool_calls = { { id = "", name = "a", arguments = {} }, { name = "b", arguments = {} } } },
            }
            local function result(text) return { role = "tool", name = text, content = text } end
            local function refused(prompt)
              local _, err = client:chat { messages = messages }:send(prompt)
              return err and err.message:match("the model's call '(%a)'")
            end
            print(refused { result "1" })
            print(refused "x")
            print(refused { result "1", result "2" })
            """),
        ScriptCase(
            "load says what is wrong", prints: ["nil config true", "nil config true"],
            """
            local chat, err = client:chat { load = "/nowhere/x.json" }
            print(chat, err.kind, err.message:find("/nowhere/x.json", 1, true) ~= nil)
            local chat, err = client:chat {}:save("/nowhere/x.json")
            print(chat, err.kind, err.message:find("cannot be saved", 1, true) ~= nil)
            """),
    ]

    /// Wrong arguments raise where they are, with the script's line.
    @Test(arguments: [
        ("client:chat { sytem = 'x' }", "client:chat: unknown option 'sytem' (did you mean 'system'?)"),
        ("client:chat { temperature = 'hot' }", "client:chat: option 'temperature' must be a number"),
        ("client:chat { messages = 'hi' }", "client:chat: option 'messages' must be a table"),
        ("client:chat { messages = { role = 'user', content = 'x' } }", "messages must be an array of messages"),
        ("client:chat { messages = { { role = 'usr', content = 'x' } } }", "message 1: unknown role \"usr\""),
        ("client:chat { messages = { { role = 'user', content = 5 } } }", "message 1: content must be a string"),
        ("client:chat { load = 5 }", "option 'load' must be a string, not 5"),
        ("client:chat('be brief')", "client:chat takes a table of options, not \"be brief\""),
        ("client:chat { timeout = { idel = 5 } }", "did you mean 'idle'?"),
        (
            "client:chat { tools = { llm.tool { name = 'x', run = print } }, schema = { a = 'text' } }",
            "schema.a must be"
        ),
        ("client:chat { api_key = 'sk-1' }", "key_env"),
        ("client:chat {}:send()", "chat:send takes a string, a message or an array of parts, not nil"),
        ("client:chat {}:send(5)", "chat:send takes a string, a message or an array of parts, not 5"),
        ("client:chat {}:send({})", "chat:send takes a string, a message or an array of parts, not a table"),
        ("client:chat {}:send('x', 'y')", "chat:send takes a table of options, not \"y\""),
        ("client:chat {}:send('x', { temprature = 1 })", "chat:send: unknown option 'temprature'"),
        ("client:chat {}:send { role = 'usr', content = 'x' }", "chat:send: message 1: unknown role \"usr\""),
        ("client:chat {}:save()", "chat:save takes a file's name, not nil"),
        ("client:chat {}:save({})", "chat:save takes a file's name, not a table"),
        ("client:chat {}:load()", "chat:load takes a file's name, not nil"),
        ("client:chat {}:trim()", "chat:trim takes a table of options, not nil"),
        ("client:chat {}:trim {}", "chat:trim needs max_tokens"),
        ("client:chat {}.fork()", "chat:fork is a method"), ("client:chat {}.messages()", "chat:messages is a method"),
    ]) func misuse(lua: String, says: String) throws {
        let run = try ScriptHarness.run("\n" + lua)
        #expect(run.failure.contains(says) && run.failure.hasPrefix("test.lua:3: "), "\(run.failure)")
        #expect(run.requests.isEmpty)
    }

    /// Files that hold no conversation: nil and an error, and nothing changed.
    @Test(arguments: [
        "", "{", "[]", "5", #"{"format":"other","version":1,"messages":[]}"#,
        #"{"format":"moonrill-chat","version":9,"messages":[]}"#, #"{"format":"moonrill-chat","messages":[]}"#,
        #"{"format":"moonrill-chat","version":1,"messages":{}}"#,
        #"{"format":"moonrill-chat","version":1,"messages":[1]}"#,
        #"{"format":"moonrill-chat","version":1,"messages":[{"role":"usr"}]}"#,
        #"{"format":"moonrill-chat","version":1,"messages":[{"role":"user","content":5}]}"#,
        #"{"format":"moonrill-chat","version":1,"messages":[{"role":"assistant","tool_calls":5}]}"#,
        #"{"format":"moonrill-chat","version":1,"messages":[],"system":5}"#,
    ]) func malformedFiles(text: String) throws {
        let folder = try TemporaryFolder(["chat.json": text])
        let run = try ScriptHarness.run(
            """
            local path = "\(folder.url.path)/chat.json"
            local chat = client:chat { system = "s", messages = { { role = "user", content = "x" } } }
            local ok, err = chat:load(path)
            print(ok, err.kind, #chat:messages())
            print(client:chat { load = path })
            print(chat:load("\(folder.url.path)"))
            """)
        #expect(run.failure == "")
        #expect(run.lines.first == "nil config 1")
        #expect(run.lines.count == 3 && run.lines.allSatisfy { $0.hasPrefix("nil ") }, "\(run.lines)")
    }

    // MARK: Files

    private static func mode(_ path: String) -> mode_t {
        var status = stat()
        return lstat(path, &status) == 0 ? status.st_mode : 0
    }

    /// Saving over a file keeps its mode; a new one has what the umask leaves, and nothing else stays in the folder.
    @Test func savedModes() throws {
        let folder = try TemporaryFolder()
        let path = folder.url.path + "/a.json"
        let run = try ScriptHarness.run(
            """
            local chat = client:chat { system = "x" }
            print(chat:save("\(path)"))
            """)
        #expect(run.lines == ["true"])
        let mask = umask(0)
        umask(mask)
        #expect(Self.mode(path) & 0o777 == 0o666 & ~mask)
        for mode: mode_t in [0o600, 0o640, 0o666] {
            #expect(chmod(path, mode) == 0)
            _ = try ScriptHarness.run("assert(client:chat { system = 'y' }:save('\(path)'))")
            #expect(Self.mode(path) & 0o777 == mode)
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.path) == ["a.json"])
    }

    /// Programs that save to one path at once all succeed, and the file is one of theirs, whole.
    @Test func savedByMany() throws {
        let folder = try TemporaryFolder()
        let path = folder.url.path + "/a.json"
        let lines = Locked([String]())
        DispatchQueue.concurrentPerform(iterations: 4) { number in
            let run = try? ScriptHarness.run(
                """
                local chat = client:chat { messages = { { role = "user", content = ("\(number)"):rep(100000) } } }
                local saved = 0
                for _ = 1, 25 do if chat:save("\(path)") then saved = saved + 1 end end
                print(saved)
                """)
            lines.withLock { $0 += run?.lines ?? ["no run"] }
        }
        #expect(lines.withLock { $0 } == ["25", "25", "25", "25"])
        let saved = try JSONReader.value(Array(try Data(contentsOf: URL(fileURLWithPath: path))))
        let text = try #require(saved["messages"]?.array?.first?["content"]?.string)
        #expect(text.utf8.count == 100_000 && Set(text.utf8).count == 1)
    }

    /// A link stays a link, and its target is written; one that leads nowhere makes its target.
    @Test(arguments: [true, false]) func savedThroughALink(isThere: Bool) throws {
        let folder = try TemporaryFolder(isThere ? ["deep/target.json": "old"] : ["deep/other": ""])
        let path = folder.url.path
        #expect(symlink("deep/target.json", path + "/link.json") == 0)
        #expect(symlink("link.json", path + "/second.json") == 0)
        let run = try ScriptHarness.run("print(client:chat { system = 'x' }:save('\(path)/second.json'))")
        #expect(run.lines == ["true"])
        #expect(Self.mode(path + "/second.json") & S_IFMT == S_IFLNK)
        #expect(Self.mode(path + "/link.json") & S_IFMT == S_IFLNK)
        let saved = try String(contentsOfFile: path + "/deep/target.json", encoding: .utf8)
        #expect(saved.contains("moonrill-chat"))
    }

    @Test func unwritablePaths() throws {
        let folder = try TemporaryFolder()
        let path = folder.url.path
        #expect(symlink("loop", path + "/loop") == 0)
        let run = try ScriptHarness.run(
            #"""
            print(client:chat {}:save("\#(path)"))
            print(client:chat {}:save("\#(path)/loop"))
            print(client:chat { system = "\xff" }:save("\#(path)/a.json"))
            """#)
        #expect(
            run.lines == [
                "nil the chat cannot be saved: \(path): Is a directory",
                "nil the chat cannot be saved: \(path)/loop: Too many levels of symbolic links",
                "nil the chat cannot be saved: the chat.system: not UTF-8 at byte 1; llm.utf8 repairs it",
            ])
        #expect(try FileManager.default.contentsOfDirectory(atPath: path) == ["loop"])
    }

    /// What one process saved another goes on with: the same messages reach the provider, signed thinking included.
    @Test(arguments: ["openai", "anthropic", "gemini", "responses"]) func savedAndLoaded(dialect: String) throws {
        let folder = try TemporaryFolder()
        let path = folder.url.appendingPathComponent("chat.json").path
        let run = try ScriptHarness.run(
            """
            local client = llm.client { model = "moonrill-reasoner" }
            local tool = llm.tool { name = "my_tool", run = function() return { list = llm.json.array {}, none = {} } end }
            local chat = client:chat { system = "Be kind.", tools = { tool } }
            assert(chat:send("Use my_tool"))
            assert(chat:save("\(path)"))
            local again = client:chat { load = "\(path)", tools = { tool } }
            assert(chat:fork():send("And now?"))
            assert(again:send("And now?"))
            local third = client:chat { tools = { tool } }
            assert(third:load("\(path)"))
            assert(third:send("And now?"))
            """
        ) { $0.dialect = dialect }
        #expect(run.result.ending == .finished)
        #expect(run.bodies.count == 5 && run.bodies[2] == run.bodies[3] && run.bodies[3] == run.bodies[4])
        let text = try String(contentsOfFile: path, encoding: .utf8)
        #expect(text.contains("moonrill-chat") && text.contains("Be kind."))
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.path) == ["chat.json"])
        for (broken, says) in [
            ("{}", "holds no chat"), ("{", "holds no chat"),
            (#"{"format":"moonrill-chat","version":2,"messages":[]}"#, "later moonrill"),
        ] {
            try Data(broken.utf8).write(to: URL(filePath: path))
            let run = try ScriptHarness.run("local _, err = client:chat { load = '\(path)' } print(err.message)")
            #expect(run.lines.first?.contains(says) == true)
        }
    }
}
