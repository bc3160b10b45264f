// The provider's Messages, asked and read by the dialect that scripts use.

import Chat
import Formats
import Foundation
import JSON
import ProviderSimulator
import Testing

enum AnthropicMessagesExchange: ExchangeFormat {
    static let dialect: WireFormat = WireFormat.anthropicMessages
    static let path = "/v1/messages"
    static let quirks = Quirks(continuation: .prefill)
}

private typealias Exchange = FormatExchange<AnthropicMessagesExchange>

@Suite struct AnthropicMessagesTests {
    /// What is said depends on the conversation, not on the format in which it is asked for.
    @Test(arguments: ["Explain tides", "解释潮汐", "Tell me a joke 👩‍👩‍👧"], ["moonrill-chat", "moonrill-reasoner"])
    func saysWhatChatCompletionsSay(prompt: String, model: String) throws {
        try withServer { server in
            let deltas = try ask(server, chat(prompt, model: model)).deltas()
            let stream = try Exchange(server, [user(prompt)], model: model)
            #expect(stream.text == deltas.text())
            #expect(stream.reasoning == deltas.reasoning)
            #expect(!stream.text.isEmpty && stream.reasoning.isEmpty == (model == "moonrill-chat"))
            #expect(stream.error == nil && stream.hasCleanEnd)
            #expect(stream.summary.finishReasonRaw == "end_turn")
            #expect(stream.summary.model == model)
            #expect(stream.summary.usage?.outputTokens == deltas.pieces)
            #expect(stream.summary.usage?.reasoningTokens == deltas.count { ($0.reasoning ?? "") != "" })
            #expect((stream.summary.usage?.inputTokens ?? 0) > 0)
            #expect(stream.response.headers["content-type"] == "text/event-stream; charset=utf-8")
            let whole = try Exchange(server, [user(prompt)], model: model, fault: "whole")
            #expect(whole.response.headers["content-type"] == "application/json")
            #expect(whole.message == stream.message)
            #expect(whole.summary.usage == stream.summary.usage)
            #expect(whole.hasCleanEnd)
        }
    }

    @Test func eventsAreAnthropics() throws {
        let text = try withServer { try Exchange($0, [user("Hi")], model: "r1").response.text }
        let names = text.split(separator: "\n").filter { $0.hasPrefix("event: ") }.map { String($0.dropFirst(7)) }
        #expect(names.prefix(4) == ["message_start", "ping", "content_block_start", "content_block_delta"])
        #expect(names.suffix(3) == ["content_block_stop", "message_delta", "message_stop"])
        #expect(names.count { $0 == "content_block_start" } == 2)
        #expect(text.contains("\"signature_delta\""))
    }

    @Test(arguments: [(true, true), (false, false)]) func thinkingIsAsked(asked: Bool, thinks: Bool) throws {
        for model in ["claude-opus-4-7", "claude-sonnet-4-5", "moonrill-reasoner"] {
            let reply = try withServer { try Exchange($0, [user("Hi")], ["thinking": .bool(asked)], model: model) }
            #expect(reply.reasoning.isEmpty == !thinks)
            #expect(!reply.text.isEmpty)
        }
    }

    private static let weather: JSONObject = [
        "tools": [
            [
                "name": "get_weather",
                "parameters": ["type": "object", "properties": ["city": ["type": "string"]], "required": ["city"]],
            ]
        ]
    ]

    /// The whole way of a tool: signed thinking, the call, its result, the answer. The provider checks each.
    @Test(arguments: ["What is the weather in Oslo?", "奥斯陆的天气怎么样？"]) func toolLoop(prompt: String) throws {
        try withServer { server in
            let model = "moonrill-reasoner"
            let first = try Exchange(server, [user(prompt)], Self.weather, model: model)
            #expect(first.summary.finishReason == .toolCalls)
            #expect(!first.reasoning.isEmpty)
            let call = try #require(first.summary.toolCalls.first)
            #expect(call.name == "get_weather")
            #expect(call.id.hasPrefix("toolu_"))
            #expect(call.arguments?["city"]?.string?.isEmpty == false)
            let result: JSONValue = ["role": "tool", "tool_call_id": .string(call.id), "content": "4 degrees"]
            let second = try Exchange(server, [user(prompt), first.message, result], Self.weather, model: model)
            #expect(second.error == nil)
            #expect(second.text.contains("4 degrees"))
            let whole = try Exchange(server, [user(prompt)], Self.weather, model: model, fault: "whole")
            #expect(whole.message == first.message)

            let missing = try Exchange(
                server, [user(prompt), first.message, user("Well?")], Self.weather, model: model)
            #expect(missing.error?.kind == .invalidRequest)
            #expect(missing.error?.message.contains("without `tool_result` blocks") == true)
            var changed = try #require(first.message.object)
            var native = try #require(changed["native"]?.object)
            var blocks = try #require(native["content"]?.array)
            var thinking = try #require(blocks[0].object)
            thinking["thinking"] = "other thoughts"
            blocks[0] = .object(thinking)
            native["content"] = .array(blocks)
            changed["native"] = .object(native)
            let refused = try Exchange(server, [user(prompt), .object(changed), result], Self.weather, model: model)
            #expect(refused.error?.message.contains("Invalid `signature` in `thinking` block") == true)
        }
    }

    @Test func callsCutByTheLimitGoBackAsTheyAre() throws {
        try withServer { server in
            let first = try Exchange(
                server, [user("Call the tool get_weather")], Self.weather.with("max_tokens", 3))
            let call = try #require(first.summary.toolCalls.first)
            #expect(call.arguments == nil)
            #expect(first.summary.finishReason == .length)
            let result: JSONValue = ["role": "tool", "tool_call_id": .string(call.id), "content": "cut"]
            #expect(try Exchange(server, [user("x"), first.message, result], Self.weather).error == nil)
        }
    }

    @Test func toolsAreChosen() throws {
        try withServer { server in
            let two: JSONObject = ["tools": [["name": "alpha_tool"], ["name": "beta_tool"]]]
            let both = try Exchange(server, [user("Use alpha_tool and beta_tool")], two)
            #expect(both.summary.toolCalls.map(\.name) == ["alpha_tool", "beta_tool"])
            let one = try Exchange(
                server, [user("Use alpha_tool and beta_tool")], two.with("parallel_tool_calls", false))
            #expect(one.summary.toolCalls.map(\.name) == ["alpha_tool"])
            let named = try Exchange(server, [user("Hello")], two.with("tool_choice", ["name": "beta_tool"]))
            #expect(named.summary.toolCalls.map(\.name) == ["beta_tool"])
            #expect(
                try Exchange(server, [user("Use alpha_tool")], two.with("tool_choice", "none")).summary.toolCalls == [])
            let wrong = try Exchange(server, [user("Hello")], two.with("tool_choice", ["name": "gamma"]))
            #expect(wrong.error?.message.contains("'gamma'") == true)
        }
    }

    @Test func formatsAndSystemPrompts() throws {
        let schema: JSONValue = [
            "type": "object", "properties": ["moon": ["type": "string"]], "required": ["moon"],
        ]
        let reply = try withServer {
            try Exchange(
                $0, [user("Which moon?")], ["response_format": ["type": "json_schema", "schema": schema]],
                system: "Be brief.")
        }
        #expect(try JSONReader.value(reply.text)["moon"]?.string != nil)
    }

    /// A reply cut after any character and continued is the reply that would have come, but for white space at the cut.
    @Test(arguments: ["Explain clouds", "解释云"]) func continues(prompt: String) throws {
        try withServer { server in
            let full = try Exchange(server, [user(prompt)]).text
            for length in stride(from: 1, through: full.count, by: 7) {
                let said = String(full.prefix(length))
                let rest = try Exchange(server, [user(prompt)], continuing: said)
                #expect(rest.error == nil)
                let kept = String(said.reversed().drop { $0.isWhitespace }.reversed())
                #expect(kept + rest.text == full)
            }
        }
    }

    // MARK: What is refused

    @Test(
        arguments: [
            (#"{"messages":[]}"#, "model"),
            (#"{"model":"m","messages":[{"role":"user","content":"x"}]}"#, "max_tokens"),
            (#"{"model":"m","max_tokens":5,"messages":[]}"#, "messages"),
            (#"{"model":"m","max_tokens":5,"messages":[{"role":"system","content":"x"}]}"#, "Unexpected role"),
            (#"{"model":"m","max_tokens":5,"messages":[{"role":"user","content":" "}]}"#, "non-whitespace text"),
            (#"{"model":"m","max_tokens":5,"messages":[{"role":"user","content":[]}]}"#, "not empty"),
            (
                #"{"model":"m","max_tokens":5,"messages":[{"role":"user","content":"x"},{"role":"assistant","content":"a "}]}"#,
                "trailing whitespace"
            ),
            (
                #"{"model":"m","max_tokens":5,"thinking":{"type":"enabled","budget_tokens":5},"messages":[{"role":"user","content":"x"}]}"#,
                "1024"
            ),
            (
                #"{"model":"m","max_tokens":5,"thinking":{"type":"enabled","budget_tokens":2000},"messages":[{"role":"user","content":"x"}]}"#,
                "must be greater than"
            ),
            (
                #"{"model":"m","max_tokens":5,"tools":[{"name":"f"}],"messages":[{"role":"user","content":"x"}]}"#,
                "tools.0.input_schema"
            ),
            ("{", "parse"),
        ]) func refusals(body: String, says: String) throws
    {
        let exchange = try withServer { try Exchange($0, body: Array(body.utf8)) }
        #expect(exchange.response.status == 400)
        #expect(try exchange.response.json()["type"] as? String == "error")
        #expect(exchange.error?.kind == .invalidRequest)
        #expect(exchange.error?.code == "invalid_request_error")
        #expect(exchange.error?.message.contains(says) == true, "\(exchange.error?.message ?? "")")
    }

    @Test func wrongKeys() throws {
        let reply = try withServer { try Exchange($0, [user("Hi")], key: "bad") }
        #expect(reply.response.status == 401)
        #expect(reply.error?.kind == .auth)
        #expect(reply.error?.code == "authentication_error")
    }

    // MARK: Faults

    @Test(arguments: [
        ("400", "invalid_request_error"), ("401", "authentication_error"), ("403", "permission_error"),
        ("404", "not_found_error"), ("408", "timeout_error"), ("429", "rate_limit_error"), ("500", "api_error"),
        ("503", "overloaded_error"), ("529", "overloaded_error"), ("quota", "billing_error"),
    ]) func codes(fault: String, code: String) throws {
        #expect(try withServer { try Exchange($0, [user("Hi")], fault: fault) }.error?.code == code)
    }

    @Test func endsThatAreMissing() throws {
        try withServer { server in
            let plain = try Exchange(server, [user("写一首诗")])
            let noDone = try Exchange(server, [user("写一首诗")], fault: "no-done")
            #expect(!noDone.hasCleanEnd && noDone.summary.finishReason == .stop && noDone.text == plain.text)
            let noFinish = try Exchange(server, [user("写一首诗")], fault: "no-finish")
            #expect(noFinish.hasCleanEnd && noFinish.summary.finishReason == .other)
        }
    }

}
