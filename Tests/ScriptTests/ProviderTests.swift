// Providers, images, and what a request says of reasoning, as scripts use them: from Lua down to the body that is sent.

import Foundation
import JSON
import Moonrill
import ProviderSimulator
import Providers
import Support
import Testing

@Suite struct ProviderTests {
    // MARK: Providers of a script's own

    @Test func aScriptDefinesAProvider() throws {
        let run = try ScriptHarness.run(
            """
            llm.provider { name = "mine", title = "Mine", base_url = "https://llm.example/v1", key_env = "MINE_KEY",
              model = "m-1", quirks = { usage = "none" } }
            for _, p in ipairs(llm.providers()) do
              if p.name == "mine" then print(p.title, p.dialect, #p.dialects, p.base_url, p.key_env, p.model, p.has_key) end
            end
            local c = llm.client { provider = "mine" }
            print(c.provider, c.model)
            print(c:ask("hi").provider)
            print(os.getenv("MINE_KEY"))
            """, prelude: "local llm = require 'llm'\n"
        ) { $0.environment = { $0 == "MINE_KEY" ? "sk-marked" : nil } }
        #expect(
            run.lines == [
                "Mine openai 1 https://llm.example/v1 MINE_KEY m-1 false", "mine m-1", "mine", "nil",
            ], "\(run.failure)")
        // The quirk reached the wire.
        #expect(run.bodies.first?["stream_options"] == nil)
    }

    @Test(
        arguments: [
            (#"llm.provider { name = "a", base_url = "https://a.example", qirks = {} }"#, "did you mean 'quirks'?"),
            (#"llm.provider { name = "a" }"#, "base_url is missing"),
            (#"llm.client { provider = "mistral", dialect = "gemmini" }"#, "unknown dialect \"gemmini\""),
            (#"llm.client { provider = "mistrl" }"#, "did you mean \"mistral\"?"),
        ]) func wrongProviders(lua: String, says: String) throws
    {
        let run = try ScriptHarness.run(lua, prelude: "local llm = require 'llm'\n") { $0.offlineBaseURL = nil }
        #expect(run.failure.hasPrefix("test.lua:2: "), "\(run.failure)")
        #expect(run.failure.contains(says), "\(run.failure)")
    }

    // MARK: The configuration file

    private func configured(_ lua: String) throws -> (path: String, providers: () throws -> [Provider]) {
        let folder = try TemporaryFolder(["config.lua": lua])
        let path = folder.url.appendingPathComponent("config.lua").path
        return (path, { [folder] in try withExtendedLifetime(folder) { try ConfigurationFile.providers(at: path) } })
    }

    @Test func configurationFile() throws {
        let (_, providers) = try configured(
            """
            local llm = require "llm"
            for _, name in ipairs { "one", "two" } do
              llm.provider { name = name, base_url = "https://" .. name .. ".example/v1" }
            end
            llm.provider { name = "deepseek", model = "deepseek-reasoner" }
            llm.provider { name = "two", model = "m" }
            """)
        let found = try providers()
        #expect(found.map(\.name) == ["one", "deepseek", "two"])
        #expect(found[2].baseURL == "https://two.example/v1")
        #expect(found[2].model == "m")
        #expect(found[1].keyVariable == "DEEPSEEK_API_KEY")
    }

    @Test func withoutAConfigurationFile() throws {
        #expect(try ConfigurationFile.providers(at: "/nowhere/config.lua").isEmpty)
        #expect(try ConfigurationFile.providers(at: nil).isEmpty)
    }

    @Test(
        arguments: [
            (#"io.open("/etc/passwd")"#, ":2: attempt to index a nil value (global 'io')"),
            (#"os.execute("true")"#, ":2: attempt to index a nil value (global 'os')"),
            (#"require "socket""#, ":2: the configuration file can require \"llm\" and nothing else"),
            (#"dofile "x""#, ":2: attempt to call a nil value (global 'dofile')"),
            (#"llm.provider { name = "a", base_ur = 3 }"#, ":2: llm.provider: unknown member \"base_ur\""),
            ("while true do end", ": did not end within 2.0 s"),
            ("local x = = 3", ":2: unexpected symbol near '='\n2 | local x = = 3\n"),
            ("local t = {} for i = 1, 1e9 do t[i] = ('x'):rep(1000000) .. i end", ": not enough memory"),
        ]) func wrongConfigurations(lua: String, says: String) throws
    {
        let (path, providers) = try configured("local a = 1\n" + lua)
        let error = #expect(throws: ScriptHostError.self) { try providers() }
        #expect(error?.message.hasPrefix(path + says) == true, "\(error?.message ?? "")")
    }

    // MARK: Images

    @Test func images() throws {
        let folder = try TemporaryFolder()
        let png: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A, 0x00, 0xFF]
        try Data(png).write(to: URL(fileURLWithPath: folder.url.path + "/a.png"))
        let run = try ScriptHarness.run(
            """
            local path = "\(folder.url.path)/a.png"
            local function ask(part) client:ask { { role = "user", content = { "Look:", part } } } end
            local part = { type = "image", path = path, detail = "low" }
            ask(part)
            assert(part.path == path and part.data == nil, "the script's own table was changed")
            ask { type = "image", data = io.open(path, "rb"):read("a") }
            ask { type = "image", url = "https://e.example/a.png" }
            """)
        #expect(run.failure == "")
        let parts = run.bodies.map { $0["messages"]?.array?.first?["content"]?.array?[1] }
        let url: JSONValue = .string("data:image/png;base64," + Data(png).base64EncodedString())
        #expect(
            parts == [
                ["type": "image_url", "image_url": ["url": url, "detail": "low"]],
                ["type": "image_url", "image_url": ["url": url]],
                ["type": "image_url", "image_url": ["url": "https://e.example/a.png"]],
            ])
    }

    @Test(
        arguments: [
            (#"{ type = "image", path = "/nowhere/a.png" }"#, "the image cannot be read: /nowhere/a.png"),
            (#"{ type = "image", path = "/etc/hostname" }"#, "the file /etc/hostname is no image of a known type"),
            (#"{ type = "image", path = "/" }"#, "the image / cannot be read: Is a directory"),
            (#"{ type = "image", media_type = "image/png", data = "\x89PNG" }"#, "not base64"),
            (#"{ type = "image", data = "hello" }"#, "data is no image of a known type (PNG, JPEG, GIF or WebP)"),
        ]) func wrongImages(part: String, says: String) throws
    {
        let run = try ScriptHarness.run(
            """
            local reply, err = client:ask { { role = 'user', content = { \(part) } } }
            print(reply, err.kind, err.message)
            """)
        #expect(run.failure == "")
        #expect(run.lines.first?.hasPrefix("nil invalid_request messages[1].content[1]") == true, "\(run.lines)")
        #expect(run.lines.first?.contains(says) == true, "\(run.lines)")
        #expect(run.requests.isEmpty)
    }

    /// A part that could not be an image with any data is misuse.
    @Test func anImageWithoutASource() throws {
        let run = try ScriptHarness.run("client:ask { { role = 'user', content = { { type = 'image' } } } }")
        #expect(
            run.failure.contains(":2: client:ask: messages[1].content[1] is an image without a source"),
            "\(run.failure)")
    }

    // MARK: What goes wrong before a byte is sent

    @Test func aToolWithAWrongSchema() throws {
        let run = try ScriptHarness.run(
            """
            local reply, err = client:ask("hi", { tools = { { name = "f", parameters = { type = "objct" } } } })
            print(reply, err.kind, err)
            """)
        #expect(
            run.lines == [
                "nil invalid_request mock: invalid_request: tools[1].parameters.type is no JSON type: \"objct\" "
                    + "(did you mean \"object\"?)"
            ], "\(run.failure)")
        #expect(run.requests.isEmpty)
    }

    // MARK: Reasoning in tags

    /// The reply comes character by character, with its reasoning in tags.
    /// - Parameters:
    ///   - options: of the request.
    ///   - client: further options of the client.
    ///   - before: what the script does first.
    private func tagged(
        _ options: String, client: String = "", before: (String) -> String = { _ in "" },
        text: String = "<think>\nmoon\n</think>\n\nlight"
    ) throws -> ScriptHarness {
        let frames = text.map { character in
            let chunk: JSONValue = ["choices": [["index": 0, "delta": ["content": .string(String(character))]]]]
            return "data: " + String(decoding: JSONWriter.bytes(chunk), as: UTF8.self) + "\n\n"
        }
        let body = frames.joined() + "data: {\"choices\":[{\"finish_reason\":\"stop\",\"delta\":{}}]}\n\n"
        let server = try RawServer { connection in
            guard connection.readRequest() != nil else { return }
            let head =
                "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: \(body.utf8.count)\r\n\r\n"
            connection.write(Array((head + body).utf8))
        }
        let lua = """
            \(before("http://127.0.0.1:\(server.port)/v1"))
            local seen = ""
            local reply = assert(llm.client { model = "m", \(client) }:ask("hi", { \(options)
              on_reasoning = function(text) seen = seen .. "r" .. text end,
              on_token = function(text) seen = seen .. "t" .. text end }))
            print(seen)
            print(reply.reasoning .. "|" .. reply.text .. "|" .. reply.message.content)
            """
        return try ScriptHarness.run(lua) {
            $0.offlineBaseURL = nil
            $0.baseURL = "http://127.0.0.1:\(server.port)/v1"
        }
    }

    @Test func thinkTagsAreReasoning() throws {
        let run = try tagged("")
        #expect(run.lines == ["rmrororntltitgthtt", "moon|light|light"], "\(run.failure)")
    }

    /// Chat templates that put the opening tag into the prompt.
    @Test func thinkTagsMayBeOpen() throws {
        let seen = ["rmrororntltitgthtt", "moon|light|light"]
        let lone = "moon\n</think>\n\nlight"
        #expect(try tagged(#"think_tags = "open","#, text: lone).lines == seen)
        #expect(try tagged("", client: #"think_tags = "open","#, text: lone).lines == seen)
        let provider: (String) -> String = {
            #"llm.provider { name = "mine", base_url = "\#($0)", key_env = false, quirks = { think_tags = "open" } }"#
        }
        #expect(try tagged("", client: #"provider = "mine","#, before: provider, text: lone).lines == seen)
        #expect(try tagged(#"think_tags = "open","#).lines == seen)
        // The request's word outweighs the client's, and the client's the provider's.
        #expect(try tagged("think_tags = true,", client: #"think_tags = "open","#, text: "a").lines == ["ta", "|a|a"])
        let client = #"provider = "mine", think_tags = false,"#
        #expect(try tagged("", client: client, before: provider, text: "a").lines == ["ta", "|a|a"])
        // Without a closing tag all of it is reasoning.
        #expect(try tagged(#"think_tags = "open","#, text: "ab").lines == ["rarb", "ab||"])
    }

    @Test(arguments: [
        #"llm.client { model = "m", think_tags = "opened" }"#,
        #"llm.client { model = "m" }:ask("hi", { think_tags = 1 })"#,
    ]) func wrongThinkTags(lua: String) throws {
        let run = try ScriptHarness.run(lua, prelude: "local llm = require 'llm'\n")
        #expect(run.failure.contains("think_tags") && run.failure.contains("true, false or \"open\""), "\(run.failure)")
    }

    @Test func thinkTagsMayStay() throws {
        let run = try tagged("think_tags = false,")
        let text = "<think>\nmoon\n</think>\n\nlight"
        let output = text.map { "t\($0)" }.joined() + "\n|\(text)|\(text)\n"
        #expect(run.result.output == output, "\(run.failure)")
    }
}
