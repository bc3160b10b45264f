// What scripts can rely on: order, waiting, stopping, errors, retries. Each case is a short script run by a real
// runtime against the offline provider, and what it prints.

import Dialects
import Engine
import Glibc
import MoonrillMock
import Support
import Testing
import Wire

@testable import Scripting

/// Runs scripts against an offline provider of their own.
struct Stage {
    var faults = ""
    var rate = 0.0
    var seconds = 20.0
    /// How many closed connections the server is to notice before its numbers are taken: it learns of them when the
    /// kernel tells it.
    var expectedAborts = 0

    /// What the script printed, and how it ended.
    func play(_ script: String, observe: (@Sendable (ObservedRequest) -> Void)? = nil) throws -> (
        output: String, outcome: ScriptOutcome, statistics: MockStatistics
    ) {
        var options = MockOptions()
        options.rate = rate
        options.onRequest = observe
        if !faults.isEmpty { options.faults = try FaultPlan.parse(faults) }
        let server = try MockServer.start(options)
        defer { server.stop() }
        var configuration = ScriptConfiguration(
            source: Array(("local llm = require 'llm' local client = llm.client {} " + script).utf8), name: "test.lua")
        configuration.defaults.provider = "mock"
        configuration.defaults.offlineBaseURL = server.baseURL
        configuration.defaults.model = "moonrill-reasoner"
        configuration.timeLimit = seconds
        configuration.version = Product.version
        let written = Locked([UInt8]())
        configuration.output = { bytes in
            written.withLock { $0 += bytes }
            return true
        }
        let start = Engine.now()
        let engine = try Engine(EngineConfiguration(credentials: { _ in nil }, dialect: DialectCatalog.named))
        let outcome = try ScriptRuntime(configuration, engine: engine).run()
        while server.statistics().aborted < expectedAborts, Engine.now() < start + seconds { sched_yield() }
        return (String(decoding: written.withLock { $0 }, as: UTF8.self), outcome, server.statistics())
    }
}

extension ScriptOutcome {
    var isFinished: Bool { if case .finished = self { true } else { false } }
    var failure: ScriptFailure? { if case .failed(let failure) = self { failure } else { nil } }
}

@Suite struct ScriptingTests {
    /// Scripts that check themselves: they print "ok" at the end, or raise.
    @Test(arguments: [
        // The pieces make up the reply; tostring is the text.
        """
        local text, reasoning = '', ''
        local reply = assert(client:ask('hello there', {
          on_token = function(t) text = text .. t end, on_reasoning = function(t) reasoning = reasoning .. t end }))
        assert(text == reply.text and #text > 0 and reasoning == reply.reasoning and #reasoning > 0)
        assert(tostring(reply) == text and reply.finish_reason == 'stop' and reply.attempts == 1)
        assert(reply.usage.input_tokens > 0 and reply.usage.total_tokens == reply.usage.input_tokens + reply.usage.output_tokens)
        assert(reply.message.role == 'assistant' and reply.message.content == text and reply.provider == 'mock')
        assert(reply.timing.total >= reply.timing.first_token)
        """,
        // Callbacks and pulled events see the same order.
        """
        local called, pulled = {}, {}
        assert(client:ask('hi', { on_event = function(e) called[#called + 1] = e.type .. (e.text or '') end }))
        for e in client:stream('hi') do pulled[#pulled + 1] = e.type .. (e.text or '') end
        assert(table.concat(called, '|') == table.concat(pulled, '|') and called[1] == 'start' and called[#called] == 'finish')
        """,
        // Exactly one end, last; a stream with callbacks shows both in the same order.
        """
        local log = {}
        for e in client:stream('hi', { on_token = function() log[#log + 1] = 't' end,
          on_finish = function() log[#log + 1] = 'F' end, on_error = function() log[#log + 1] = 'E' end }) do
          if e.type == 'token' then log[#log + 1] = 'p' end
        end
        local text = table.concat(log)
        assert(text:match('^[tp]+F$') or text:match('^[tp]+Fp*$'), text)
        assert(select(2, text:gsub('F', '')) == 1 and not text:find('E'))
        assert(text:find('^tptp'), text)
        """,
        // false stops: the reply holds what was shown, no more.
        """
        local shown, calls = '', 0
        local reply = assert(client:ask('tell me a lot', { on_token = function(t)
          shown, calls = shown .. t, calls + 1
          return calls < 3 end }))
        assert(reply.finish_reason == 'cancelled' and reply.text == shown and calls == 3, reply.finish_reason)
        """,
        // A callback may wait and may ask; its request goes on afterwards, in order.
        """
        local order, nested = {}, nil
        local reply = assert(client:ask('outer', { on_token = function(t)
          llm.sleep(0.001)
          if not nested then nested = assert(client:ask('inner')) end
          order[#order + 1] = t end }))
        assert(table.concat(order) == reply.text and #nested.text > 0)
        """,
        // What a callback raises reaches the caller, with the place.
        """
        for _, name in ipairs { 'on_token', 'on_reasoning', 'on_event', 'on_usage', 'on_chunk', 'on_finish' } do
          local ok, message = pcall(client.ask, client, 'x', { [name] = function() error('from ' .. name) end })
          assert(not ok and message:find('test.lua:%d+: from ' .. name) and message:find('stack traceback'), tostring(message))
        end
        local ok, value = pcall(client.ask, client, 'x', { on_token = function() error({ own = true }) end })
        assert(not ok and value.own)
        """,
        // on_token may be a C function.
        """
        local reply = assert(client:ask('x', { on_token = tostring }))
        assert(reply.finish_reason == 'stop')
        """,
        // The background: wait, status, cancel.
        """
        local call = client:start('x')
        local reply = assert(call:wait())
        assert(call.status == 'finished' and call:wait() == reply)
        local failed
        local second = client:start('x', { on_error = function(e) failed = e end })
        second:cancel()
        local none, err = second:wait()
        assert(none == nil and err.kind == 'cancelled' and failed == err and second.status == 'failed')
        """,
        // Pause holds everything; resume lets it go on.
        """
        local seen = 0
        local call = client:start('x', { on_token = function() seen = seen + 1 end })
        call:pause()
        llm.sleep(0.05)
        assert(seen == 0 and call.status == 'paused')
        call:resume()
        assert(call:wait() and seen > 0)
        """,
        // Tasks: results, errors, cancelling.
        """
        local a = llm.spawn(function(x, y) llm.sleep(0.01) return x + y, 'two' end, 1, 2)
        local b = llm.spawn(function() error({ code = 5 }) end)
        local c = llm.spawn(function() llm.sleep(60) end)
        local n, s = a:wait()
        assert(n == 3 and s == 'two' and a.status == 'done' and a:wait() == 3)
        local ok, e = pcall(b.wait, b)
        assert(not ok and e.code == 5 and b.status == 'failed')
        c:cancel()
        local none, err = c:wait()
        assert(none == nil and err.kind == 'cancelled' and c.status == 'cancelled')
        local d = llm.spawn(function() return client:ask('never asked') end)
        d:cancel()
        assert(select(2, d:wait()).kind == 'cancelled')
        """,
        // A cancelled task closes what it opened, and every further wait raises.
        """
        local closed, again
        local t = llm.spawn(function()
          local guard <close> = setmetatable({}, { __close = function() closed = true end })
          pcall(llm.sleep, 60)
          again = select(2, pcall(llm.sleep, 0))
        end)
        llm.sleep(0)
        t:cancel() t:wait()
        assert(closed and again.kind == 'cancelled')
        """,
        // Sleeps end in the order of their times; equal ones in the order they began.
        """
        local order = {}
        local tasks = {}
        for i, s in ipairs { 0.03, 0.01, 0.02, 0.01 } do
          tasks[i] = llm.spawn(function() llm.sleep(s) order[#order + 1] = i end)
        end
        for _, t in ipairs(tasks) do t:wait() end
        assert(table.concat(order, ',') == '2,4,3,1', table.concat(order, ','))
        """,
        // A script's own coroutines may wait.
        """
        local co = coroutine.wrap(function()
          coroutine.yield('before')
          local reply = client:ask('x')
          coroutine.yield(#reply.text > 0)
          return 'after'
        end)
        assert(co() == 'before' and co() == true and co() == 'after')
        """,
        // Tokens gathered: fewer callbacks, the same text.
        """
        local calls, text = 0, ''
        local reply = assert(client:ask('tell me a story', { coalesce = 10, on_token = function(t) calls, text = calls + 1, text .. t end }))
        assert(calls == 1 and text == reply.text)
        """,
        // JSON: arrays stay arrays, null stays null, integers stay integers.
        """
        local json = llm.json
        local text = '{"a":[],"b":{},"c":null,"d":1,"e":1.5,"f":[1,[2]],"g":9007199254740993,"h":"\\\\u00e9"}'
        local v = json.decode(text)
        assert(v.c == json.null and math.type(v.d) == 'integer' and v.g == 9007199254740993 and v.h == 'é')
        assert(json.encode(v) == '{"a":[],"b":{},"c":null,"d":1,"e":1.5,"f":[1,[2]],"g":9007199254740993,"h":"é"}')
        assert(json.encode({}) == '{}' and json.encode(json.array {}) == '[]' and tostring(json.null) == 'null')
        local none, message = json.decode('{"a":')
        assert(none == nil and message:find('invalid JSON'))
        local loop = {} loop.x = loop
        for _, case in ipairs { { { [1] = 1, x = 2 }, 'both' }, { { f = print }, 'value.f' }, { 0 / 0, 'NaN' }, { loop, 'hold itself' }, { '\\xff', 'UTF%-8' } } do
          local ok, e = pcall(json.encode, case[1])
          assert(not ok and e:find(case[2]), e)
        end
        """,
        // Tool calls come whole, with their arguments as a table.
        """
        local tools = { { type = 'function', ['function'] = { name = 'add', parameters = { type = 'object',
          properties = { a = { type = 'integer' } }, required = { 'a' } } } } }
        local heard
        local reply = assert(client:ask('use add', { tools = tools, tool_choice = 'required', on_tool_call = function(c) heard = c end }))
        local call = reply.tool_calls[1]
        assert(reply.finish_reason == 'tool_calls' and call.name == 'add' and math.type(call.arguments.a) == 'integer')
        assert(heard.id == call.id and call.arguments_json:find('"a"'))
        """,
        "assert(#llm.providers() > 10 and llm.providers()[1].key_env and llm.version:match('^%d'))",
        "local a = llm.now() llm.sleep(0.01) assert(llm.now() - a >= 0.01 and llm.time() > 1.7e9)",
        "local t t = llm.spawn(function() local ok, e = pcall(t.wait, t) assert(not ok and e:find('itself')) end) t:wait()",
    ])
    func holds(script: String) throws {
        let run = try Stage().play(script + "\nprint 'ok'")
        #expect(run.output == "ok\n", "\(run.output) \(run.outcome)")
        #expect(run.outcome.isFinished, "\(run.outcome)")
    }

    /// What goes wrong on the wire, and what the script is told.
    @Test(arguments: [
        (
            "429:2@0",
            "local n = 0 local r = assert(client:ask('x', { on_retry = function(i) n = n + 1 assert(i.attempt == n and i.err.kind == 'rate_limit') end })) print(n, r.attempts)",
            "2\t3\n"
        ),
        (
            "429:9@500", "local r, e = client:ask('x') print(r, e.kind, e.status, e.retry_after, e.attempts)",
            "nil\trate_limit\t429\t500.0\t1\n"
        ),
        (
            "401", "local r, e = client:ask('x') print(r, e.kind, e.status, e.retryable, e.attempts)",
            "nil\tauth\t401\tfalse\t1\n"
        ),
        ("quota:1", "local r, e = client:ask('x') print(r, e.kind, e.attempts)", "nil\tquota\t1\n"),
        (
            "cut@900",
            "local r, e = client:ask('x', { on_token = print, on_reasoning = function() end, retry = { max = 0 } }) print(r, e.kind, e.position.bytes > 0)",
            "nil\ttruncated\ttrue\n"
        ),
        ("eof@900x1", "local r = assert(client:ask('x', { retry = { base = 0.001 } })) print(r.attempts)", "2\n"),
        (
            "stall@800:1x1,eof@900x1",
            "local n, e = client:ask('x', { on_reasoning = function() end }) print(n, e.kind, e.partial ~= nil)",
            "nil\ttruncated\ttrue\n"
        ),
        (
            "eof@2500x1",
            "local text = '' local r = assert(client:ask('x', { retry = { base = 0.001, after_output = 'restart' }, on_token = function(t) text = text .. t end, on_reset = function() text = '' end, on_reasoning = function() end })) print(text == r.text, r.attempts)",
            "true\t2\n"
        ),
        ("html", "local r, e = client:ask('x') print(e.kind, e.message:find('html') ~= nil)", "protocol\ttrue\n"),
        ("empty", "local r, e = client:ask('x') print(e.kind)", "protocol\n"),
        (
            "error-frame@3", "local r, e = client:ask('x', { on_reasoning = function() end }) print(e.kind)",
            "overloaded\n"
        ),
        (
            "stall@900:30",
            "local r, e = client:ask('x', { timeout = { idle = 0.1 }, retry = { max = 0 } }) print(e.kind, e.phase)",
            "timeout\tidle\n"
        ),
        (
            "slow-head:30",
            "local r, e = client:ask('x', { timeout = { first = 0.1 }, retry = { max = 0 } }) print(e.kind, e.phase)",
            "timeout\tfirst\n"
        ),
        ("slow-head:30", "local r, e = client:ask('x', { timeout = 0.1 }) print(e.kind, e.phase)", "timeout\ttotal\n"),
        (
            "cut@900",
            "local ok, e = pcall(function() for _ in client:stream('x') do end end) print(ok, e.kind, tostring(e):find('mock: truncated') ~= nil)",
            "false\ttruncated\ttrue\n"
        ),
        ("no-done", "print(assert(client:ask('x')).finish_reason)", "stop\n"),
        ("whole", "print(assert(client:ask('x')).finish_reason)", "stop\n"),
        ("split-utf8", "print(utf8.len(assert(client:ask('写一首诗')).text) > 5)", "true\n"),
    ])
    func tells(faults: String, script: String, expected: String) throws {
        let run = try Stage(faults: faults).play(script)
        #expect(run.output == expected, "\(run.outcome)")
        #expect(run.outcome.isFinished, "\(run.outcome)")
    }

    @Test func leavingALoopEndsTheRequest() throws {
        let run = try Stage(rate: 50, expectedAborts: 1).play(
            "for e in client:stream('a long story', { headers = { ['X-Moonrill-Deltas'] = 'inf' } }) do if e.type == 'token' then break end end print 'left'"
        )
        #expect(run.output == "left\n")
        #expect(run.outcome.isFinished)
        #expect(run.statistics.aborted == 1)
    }

    @Test func anErrorInMainCancelsTheRest() throws {
        let run = try Stage(rate: 50, expectedAborts: 2).play(
            """
            local options = { headers = { ['X-Moonrill-Deltas'] = 'inf' }, on_error = function(e) print(e.kind) end }
            client:start('x', options)
            llm.spawn(function() client:ask('y', options) end)
            llm.sleep(0.1)
            error('stop here')
            """)
        #expect(run.output == "cancelled\ncancelled\n")
        #expect(run.outcome.failure?.message == "test.lua:5: stop here")
        #expect(run.statistics.aborted == 2)
    }

    @Test func anErrorInATaskThatNobodyWaitsForFailsTheScript() throws {
        let run = try Stage().play("llm.spawn(function() error('lost') end) print 'main'")
        #expect(run.output == "main\n")
        #expect(run.outcome.failure?.message.contains("lost") == true)
    }

    @Test func theRequestIsWhatTheScriptSays() throws {
        let seen = Locked<ObservedRequest?>(nil)
        _ = try Stage().play(
            """
            local other = llm.client { model = 'm', system = 'Be kind.', params = { temperature = 0.5, x = { 1, 2 } }, headers = { ['X-One'] = '1' } }
            assert(other:ask({ { role = 'user', content = 'q' } }, { temperature = 0.1, max_tokens = 50, params = { y = llm.json.array {} }, headers = { ['X-Two'] = '2' } }))
            """, observe: { request in seen.withLock { $0 = request } })
        let request = try #require(seen.withLock { $0 })
        let body = try JSONReader.value(request.body)
        #expect(request.path == "/v1/chat/completions")
        #expect(request.headers["X-One"] == "1" && request.headers["X-Two"] == "2")
        let messages = try #require(body["messages"]?.array)
        #expect(messages.map { $0["role"] } == ["system", "user"])
        #expect(messages.map { $0["content"] } == ["Be kind.", "q"])
        #expect(body["temperature"] == 0.1 && body["max_tokens"] == 50 && body["x"] == [1, 2] && body["y"] == [])
        #expect(body["stream"] == true && body["model"] == "m")
    }

    /// A slow reader slows the server down instead of filling memory.
    @Test func aSlowCallbackHoldsTheServerBack() throws {
        let run = try Stage().play(
            """
            local n = 0
            local reply = assert(client:ask('x', { headers = { ['X-Moonrill-Deltas'] = 'inf' }, on_token = function()
              n = n + 1
              if n % 100 == 0 then llm.sleep(0.01) end
              return n < 2000
            end }))
            print(reply.finish_reason, n)
            """)
        #expect(run.output == "cancelled\t2000\n")
        // What the socket and the buffers hold is far below what an unhindered server would have sent.
        #expect(run.statistics.events < 100_000)
    }
}
