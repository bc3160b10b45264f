// Values: JSON to and from Lua, what misuse is answered with, and what scripts can learn of their host.

import Moonrill
import ProviderSimulator
import Testing

@Suite struct ValueTests {
    @Test(arguments: Self.texts) func text(_ test: ScriptCase) throws { try ScriptHarness.check(test) }

    static let texts = [
        ScriptCase(
            "round trips",
            prints: [
                "[]", "{}", "[null,1]", #"{"a":null}"#, "9223372036854775807", "-9223372036854775808", "1.5", "1.0",
                #""\u0000\n\"\\é中😀""#, "true", #"[[],{},[[]]]"#, "100.0", "9007199254740993",
            ],
            #"""
            for _, text in ipairs { "[]", "{}", "[null,1]", '{"a":null}', "9223372036854775807", "-9223372036854775808",
              "1.5", "1.0", [["\u0000\n\"\\é中😀"]], "true", "[[],{},[[]]]", "1e2", "9007199254740993" } do
              print(llm.json.encode(assert(llm.json.decode(text))))
            end
            """#),
        ScriptCase(
            "an empty table is an object, unless it is said to be an array", prints: ["{}", "[]"],
            """
            print(llm.json.encode {})
            print(llm.json.encode(llm.json.array {}))
            """),
        ScriptCase(
            "integers stay integers", prints: ["integer", "float", "float", "integer"],
            """
            for _, text in ipairs { "3", "3.0", "18446744073709551616", "-0" } do print(math.type(llm.json.decode(text))) end
            """),
        ScriptCase(
            "null is itself and is no nil", prints: ["null", "true", "false", "null", "null"],
            """
            local v = llm.json.decode('{"a":null}')
            print(v.a)
            print(v.a == llm.json.null)
            print(v.a == nil)
            print(llm.json.encode(nil))
            print(llm.json.encode(llm.json.null))
            """),
        ScriptCase(
            "members are sorted, so that bytes do not depend on a seed", prints: [#"{"a":1,"b":2,"c":{"x":1,"y":2}}"#],
            "print(llm.json.encode { b = 2, c = { y = 2, x = 1 }, a = 1 })"),
        ScriptCase(
            "replies, errors and their parts are data", prints: ["tok1 tok2 tok3 ", "3", "timeout", #"["bad"]"#],
            """
            local reply = client:ask("a")
            local decoded = llm.json.decode(llm.json.encode(reply))
            print(decoded.text)
            print(llm.json.decode(llm.json.encode(reply.usage)).output_tokens)
            local _, err = llm.flow.timeout(0.01, function() llm.sleep(60) end)()
            print(llm.json.decode(llm.json.encode(err)).kind)
            local _, errors = llm.flow.map({ "x" }, function() return nil, "bad" end, { keep_going = true })
            print(llm.json.encode(errors))
            """),
        ScriptCase(
            "what stands for something else is no data",
            prints: ["test.lua:2: value.c: an llm.client cannot be written as JSON"],
            """
            print(select(2, pcall(function() return llm.json.encode { c = client } end)))
            """),
        ScriptCase(
            "pretty", prints: ["{", #"  "a": ["#, "    1,", "    2", "  ]", "}"],
            "print(llm.json.encode({ a = { 1, 2 } }, { pretty = true }))"),
        ScriptCase(
            "lone surrogates are replaced", prints: ["\"\u{FFFD}\"", "\"😀\""],
            #"""
            print(llm.json.encode(llm.json.decode('"\\ud83d"')))
            print(llm.json.encode(llm.json.decode('"\\ud83d\\ude00"')))
            """#),
        ScriptCase(
            "the module goes on where a script writes over globals",
            prints: ["2", "tok1 tok2 tok3 ", "tok1 tok2 tok3 "],
            #"""
            local names, globals, unset, show = {}, _G, rawset, print
            for name in pairs(globals) do names[#names + 1] = name end
            for _, library in ipairs { table, math, string } do
              for name in pairs(library) do library[name] = function() error("not the original") end end
            end
            for _, name in ipairs(names) do unset(globals, name, nil) end
            local replies = llm.flow.map({ "a", "b" }, function(text) return client:ask(text) end)
            show(#replies)
            local tool = llm.tool { name = "look", parameters = { word = "string" }, run = function() return {} end }
            local limit, red = llm.limit { concurrent = 1 }, "\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1"
            local chat = client:chat { tools = { tool }, limit = limit }
            show(llm.budget { tokens = 1000, usd = 1 }(function()
              return chat:send({ { type = "image", data = red } }).text
            end))
            show(chat:fork():send("and again").text)
            """#),
        ScriptCase(
            "what is no JSON",
            prints: ["nil invalid JSON", "nil invalid JSON", "nil invalid JSON", "nil invalid JSON"],
            """
            for _, text in ipairs { "", "{", "[1,]", "{'a':1}" } do
              local value, message = llm.json.decode(text)
              print(value, (message:match("^invalid JSON")))
            end
            """),
        ScriptCase(
            "decode takes no other value for what JSON cannot hold",
            prints: [
                "nil invalid JSON: JSON has no NaN at byte 2", "nil invalid JSON: JSON has no -Infinity at byte 7",
                "nil invalid JSON: number out of range at byte 1", "nil invalid JSON: number out of range at byte 2",
                "nil invalid JSON: not UTF-8 at byte 6; llm.utf8 repairs it", "float 1.844674407371e+19", "true", "1",
            ],
            #"""
            for _, text in ipairs { "[NaN]", '{"a": -Infinity}', "1e400", "[-1e309]", '["caf\xe9"]' } do
              print(llm.json.decode(text))
            end
            print(math.type(llm.json.decode("18446744073709551615")), llm.json.decode("18446744073709551615"))
            print(llm.json.decode('"\\ud800"') == "\u{FFFD}")
            print(llm.json.decode("\u{FEFF}1"))
            """#),
        ScriptCase(
            "utf8 repairs and counts", prints: ["caf\u{FFFD} 1", "ok 0", "\u{FFFD}A 3"],
            #"""
            print(llm.utf8("caf\xe9"))
            print(llm.utf8("ok"))
            print(llm.utf8("\xf0\x9f\x98A"))
            """#),
        ScriptCase(
            "an error names the path",
            prints: [
                "value.a[2].f: a function cannot be written as JSON", "value.x: JSON has no NaN",
                "value[1]: JSON has no infinity",
                "value.s: not UTF-8 at byte 3; llm.utf8 repairs it", "not both", "is no string",
                "does one hold itself",
            ],
            #"""
            local function fails(v) local ok, m = pcall(llm.json.encode, v) assert(not ok) return (m:gsub("^test.lua:2: ", "")) end
            print(fails({ a = { 1, { f = print } } }))
            print(fails({ x = 0/0 }))
            print(fails({ 1/0 }))
            print(fails({ s = "ab\xff" }))
            print((fails({ 1, 2, x = 3 }):match("not both")))
            print((fails({ [true] = 1 }):match("is no string")))
            local t = {} t.t = t
            print((fails(t):match("does one hold itself")))
            """#),
    ]

    /// What is written, and what the message says.
    static let misuses: [(String, [String])] = [
        ("llm.client { modell = 'x' }", ["llm.client: unknown option 'modell' (did you mean 'model'?)"]),
        ("llm.client { provider = 'depseek' }", ["unknown provider \"depseek\" (did you mean \"deepseek\"?)"]),
        ("llm.client { provider = 'qqqqqqqq' }", ["unknown provider \"qqqqqqqq\"; moonrill providers lists them"]),
        ("llm.client { dialect = 'opnai' }", ["unknown dialect \"opnai\" (did you mean \"openai\"?)"]),
        ("llm.client { model = 5 }", ["option 'model' must be a string, not 5"]),
        ("llm.client 'x'", ["llm.client takes a table of options, not \"x\""]),
        ("llm.client { 'x' }", ["options are named"]),
        ("llm.client { base_url = 'ftp://x/' }", ["llm.client: base_url must begin with http:// or https://"]),
        ("llm.client { base_url = 'nonsense' }", ["llm.client: "]),
        ("llm.client { headers = { ['X-A'] = 'a\\r\\nB: c' } }", ["llm.client: headers: ", "X-A"]),
        ("llm.client { headers = { ['X-A\\r\\nB'] = 'a' } }", ["llm.client: headers: "]),
        ("llm.client { headers = { ['X-A'] = 5 } }", ["headers: the value of 'X-A' must be a string, not a number"]),
        (
            "llm.client { timeout = { frist = 1 } }",
            ["llm.client: timeout: unknown option 'frist' (did you mean 'first'?)"]
        ),
        ("llm.client { timeout = 0 }", ["option 'total' must be a number of seconds above 0, not 0"]),
        ("llm.client { timeout = 'x' }", ["llm.client: timeout"]),
        ("llm.client { retry = { maximum = 1 } }", ["retry: unknown option 'maximum'"]),
        ("llm.client { retry = { max = -1 } }", ["option 'max' must be an integer of 0 or more, not -1"]),
        (
            "llm.client { retry = { after_output = 'restrat' } }",
            ["retry.after_output must be \"fail\", \"restart\", \"continue\" or \"auto\"", "did you mean \"restart\"?"]
        ),
        ("client:ask('x', { on_tokne = print })", ["client:ask: unknown option 'on_tokne' (did you mean 'on_token'?)"]),
        ("client:ask('x', { on_token = 'print' })", ["option 'on_token' must be a function, not \"print\""]),
        ("client:ask('x', { temprature = 1 })", ["did you mean 'temperature'?", "params = {...}"]),
        ("client:ask('x', { temperature = 'hot' })", ["option 'temperature' must be a number"]),
        ("client:ask('x', { response_format = 5 })", ["option 'response_format' must be \"json\" or a table, not 5"]),
        ("client:ask('x', { coalesce = -1 })", ["option 'coalesce' must be a number of seconds"]),
        ("client:ask()", ["client:ask: the prompt must be a string or an array of messages, not nil"]),
        ("client:ask({})", ["client:ask: the array of messages is empty"]),
        ("client:ask({ 'x' })", ["client:ask: message 1 must be a table"]),
        ("client:ask({ { role = 'usr', content = 'x' } })", ["message 1: unknown role \"usr\" (did you mean 'user'?)"]),
        ("client:ask({ { role = 'user', content = 5 } })", ["message 1: content must be a string"]),
        ("client.ask('x')", ["client:ask is a method: write client:ask(...)"]),
        ("client:start('x', { on_end = print })", ["client:start: unknown option 'on_end'"]),
        ("client:stream('x', { on_end = print })", ["client:stream: unknown option 'on_end'"]),
        ("client:ask({ content = 'x' })", ["the prompt must be an array of messages; there is a value at \"content\""]),
        (
            "client:ask({ { type = 'text', text = 'x' } })",
            ["message 1 is a part: parts go into the content of a message"]
        ),
        ("llm.client { api_key = 'sk-1' }", ["unknown option 'api_key'", "key_env = \"NAME\""]),
        ("client:ask('x', { token = 'sk-1' })", ["unknown option 'token'", "key_env = \"NAME\""]),
        ("llm.utf8(5)", ["llm.utf8 takes a string, not 5"]),
        ("client:ask('x', { params = { f = print } })", ["params.f: a function cannot be written as JSON"]),
        ("llm.sleep('x')", ["llm.sleep takes a number of seconds of 0 or more, not \"x\""]),
        ("llm.sleep(-1)", ["llm.sleep takes a number"]),
        ("llm.json.encode({}, { prety = true })", ["llm.json.encode: unknown option 'prety' (did you mean 'pretty'?)"]),
        ("llm.json.decode(5)", ["llm.json.decode takes a string, not a number"]),
        ("require(5)", ["require takes the name of a module"]),
    ]

    @Test(arguments: misuses) func misuseNamesTheLineAndTheWayOut(_ lua: String, _ parts: [String]) throws {
        let run = try ScriptHarness.run("\n\(lua)\nprint('never')")
        #expect(run.lines == [])
        #expect(run.failure.hasPrefix("test.lua:3: "), "\(run.failure)")
        for part in parts { #expect(run.failure.contains(part), "\(run.failure)") }
        guard case .failed(_, let traceback) = run.result.ending else { return }
        #expect(traceback.contains("test.lua:3: in main chunk"))
        #expect(run.requests.isEmpty)
    }

    @Test func everyWayToRunNamesTheLine() throws {
        for name in ["stdin", "moonrill ask", "a.lua"] {
            let result = try ScriptHost().run(source: "\nrequire 'llm'.client { modell = 'x' }", name: name)
            guard case .failed(let message, _) = result.ending else {
                Issue.record("no failure")
                continue
            }
            #expect(message.hasPrefix("\(name):2: llm.client: unknown option"), "\(message)")
        }
    }

    @Test(arguments: [
        ("local x = = 1", "test.lua:1: unexpected symbol near '='\n1 | local x = = 1\n              ^"),
        (
            "local x = 1\nif x then\nprint(x)",
            "'end' expected (to close 'if' at line 2) near <eof>\n3 | print(x)\n            ^"
        ),
        ("x = 'abc", "test.lua:1: unfinished string near <eof>\n1 | x = 'abc\n            ^"),
    ]) func syntaxErrorsShowTheLineAndACaret(_ source: String, _ expected: String) throws {
        let run = try ScriptHarness.run(source, prelude: "")
        #expect(run.failure.hasSuffix(expected), "\(run.failure)")
    }

    @Test func errorsOfEveryKindEndTheScript() throws {
        #expect(try ScriptHarness.run("error({ code = 1 })").failure.contains("table"))
        #expect(
            try ScriptHarness.run("error(setmetatable({}, { __tostring = function() return 'mine' end }))").failure
                == "mine")
        #expect(try ScriptHarness.run("error()").failure.contains("nil"))
        #expect(try ScriptHarness.run("error('plain', 0)").failure == "plain")
        #expect(try ScriptHarness.run("local function f() return f() + 1 end f()").failure.contains("stack overflow"))
        let memory = try ScriptHarness.run("local t = {} while true do t[#t + 1] = ('x'):rep(100000) .. #t end") {
            $0.memoryLimit = 20 << 20
        }
        #expect(memory.failure.contains("memory"))
    }

    @Test(arguments: [
        ("os.exit()", 0), ("os.exit(7)", 7), ("os.exit(true)", 0), ("os.exit(false)", 1), ("os.exit(256 + 3)", 3),
    ])
    func exitCodes(_ lua: String, _ code: Int) throws {
        let run = try ScriptHarness.run("print('out') pcall(function() \(lua) end) print('never')")
        #expect(run.result.ending == .exited(code))
        #expect(run.lines == ["out"])
    }

    @Test func keysAreHiddenFromScripts() throws {
        let run = try ScriptHarness.run(
            """
            print(os.getenv("DEEPSEEK_API_KEY"), os.getenv("MY_OWN_KEY"), os.getenv("PLAIN"), os.getenv("UNSET"))
            llm.client { base_url = "http://127.0.0.1:1/v1", model = "m", key_env = "MY_OWN_KEY" }
            print(os.getenv("MY_OWN_KEY"))
            for _, p in ipairs(llm.providers()) do if p.name == "deepseek" then print(p.has_key, p.key_env) end end
            print(#llm.providers() > 10, llm.version:match("^%d") ~= nil)
            """
        ) {
            let values = ["DEEPSEEK_API_KEY": "sk-secret-1", "MY_OWN_KEY": "sk-secret-2", "PLAIN": "plain"]
            $0.environment = { values[$0] }
            $0.credentials = { values[$0] }
        }
        #expect(run.result.ending == .finished)
        #expect(
            run.lines == ["nil sk-secret-2 plain nil", "nil", "true DEEPSEEK_API_KEY", "true true"])
    }

    @Test func argumentsReachTheScript() throws {
        var host = ScriptHost()
        host.timeLimit = 10
        let result = try host.run(
            source: "print(arg[0], arg[1], arg[2], #arg, ...)", name: "x.lua", arguments: ["eins", "zwei 2"])
        #expect(result.output == "x.lua\teins\tzwei 2\t2\teins\tzwei 2\n")
    }

    @Test func hostFunctionsTakeAndGiveValues() throws {
        struct Odd: Error, CustomStringConvertible { var description: String { "odd thing" } }
        let run = try ScriptHarness.run(
            """
            local host = require "host"
            print(llm.json.encode { host.echo(1, "x", { a = { true } }) })
            print(pcall(host.fail))
            """
        ) {
            $0.register("echo") { $0 }
            $0.register("fail") { _ in throw Odd() }
        }
        #expect(run.lines == [#"[1,"x",{"a":[true]}]"#, "false test.lua:4: fail: odd thing"])
    }

    @Test func noGlobalsAreSet() throws {
        let run = try ScriptHarness.run("print(llm, host, client)", prelude: "")
        #expect(run.lines == ["nil nil nil"])
    }
}
