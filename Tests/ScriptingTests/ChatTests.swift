// client:chat: what is remembered, forgotten, written and read.

import Foundation
import Moonrill
import MoonrillMock
import Testing
import Wire

@Suite struct ChatTests {
    @Test(arguments: cases) func chat(_ test: ScriptCase) throws { try Mocked.check(test) }

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
            "load says what is wrong", prints: ["nil config true", "nil config true"],
            """
            local chat, err = client:chat { load = "/nowhere/x.json" }
            print(chat, err.kind, err.message:find("/nowhere/x.json", 1, true) ~= nil)
            local chat, err = client:chat {}:save("/nowhere/x.json")
            print(chat, err.kind, err.message:find("cannot be saved", 1, true) ~= nil)
            """),
    ]

    /// What one process saved another goes on with: the same messages reach the provider, signed thinking included.
    @Test(arguments: ["openai", "anthropic", "gemini", "responses"]) func savedAndLoaded(dialect: String) throws {
        let folder = try TemporaryFolder()
        let path = folder.url.appendingPathComponent("chat.json").path
        let run = try Mocked.run(
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
            let run = try Mocked.run("local _, err = client:chat { load = '\(path)' } print(err.message)")
            #expect(run.lines.first?.contains(says) == true)
        }
    }
}
