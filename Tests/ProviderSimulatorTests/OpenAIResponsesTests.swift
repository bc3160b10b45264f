// The provider's Responses, asked and read by the dialect that scripts use.

import Chat
import Formats
import Foundation
import JSON
import ProviderSimulator
import Testing

enum OpenAIResponsesExchange: ExchangeFormat {
    static let dialect: WireFormat = WireFormat.openAIResponses
    static let path = "/v1/responses"
    static let quirks = Quirks()
}

private typealias Exchange = FormatExchange<OpenAIResponsesExchange>

@Suite struct OpenAIResponsesTests {
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
            #expect(stream.summary.finishReasonRaw == "completed")
            #expect(stream.summary.finishReason == .stop)
            #expect(stream.summary.model == model)
            #expect(stream.summary.id?.hasPrefix("resp_") == true)
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

    @Test func eventsAreTheRealOnesAndNumbered() throws {
        let text = try withServer { try Exchange($0, [user("Hi")], model: "r1").response.text }
        let lines = text.split(separator: "\n")
        let names = lines.filter { $0.hasPrefix("event: ") }.map { String($0.dropFirst(7)) }
        #expect(
            names.prefix(5) == [
                "response.created", "response.in_progress", "response.output_item.added",
                "response.reasoning_summary_part.added", "response.reasoning_summary_text.delta",
            ])
        #expect(
            names.suffix(4) == [
                "response.output_text.done", "response.content_part.done", "response.output_item.done",
                "response.completed",
            ])
        #expect(names.count { $0 == "response.output_item.done" } == 2)
        let payloads = try lines.filter { $0.hasPrefix("data: ") }.map { try JSONReader.value(String($0.dropFirst(6))) }
        #expect(payloads.map { $0["type"]?.string } == names)
        #expect(payloads.map { $0["sequence_number"]?.int } == payloads.indices.map { Int64($0) })
        let deltas = payloads.filter { $0["type"]?.string?.hasSuffix(".delta") == true }
        #expect(
            deltas.allSatisfy { (($0["delta"]?.string ?? "") + ($0["obfuscation"]?.string ?? "")).utf8.count % 16 == 0 }
        )
    }

    @Test(arguments: [("high", true), ("none", false)]) func thinkingIsAsked(effort: String, thinks: Bool) throws {
        for model in ["gpt-5.2", "gpt-4.1", "moonrill-reasoner"] {
            let reply = try withServer {
                try Exchange($0, [user("Hi")], ["reasoning_effort": .string(effort)], model: model)
            }
            #expect(reply.reasoning.isEmpty == !thinks)
            #expect(!reply.text.isEmpty)
        }
    }

    @Test(arguments: ["moonrill-chat", "moonrill-reasoner"]) func limits(model: String) throws {
        try withServer { server in
            let cut = try Exchange(server, [user("Explain wind")], ["max_tokens": 7], model: model)
            #expect(cut.summary.finishReasonRaw == "incomplete")
            #expect(cut.summary.finishReason == .length)
            #expect(cut.summary.usage?.outputTokens == 7)
            #expect(cut.text.isEmpty == (model == "moonrill-reasoner"))
            // Reasoning that led to nothing would be refused.
            let next = try Exchange(server, [user("Explain wind"), cut.message, user("Well?")], model: model)
            #expect(next.error == nil)
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

    /// The whole way of a tool: reasoning, the call, its result, the answer. The provider checks each.
    @Test(arguments: ["What is the weather in Oslo?", "奥斯陆的天气怎么样？"], [true, false])
    func toolLoop(prompt: String, isStored: Bool) throws {
        try withServer { server in
            let model = "moonrill-reasoner"
            let options = Self.weather.with("store", .bool(isStored))
            let first = try Exchange(server, [user(prompt)], options, model: model)
            #expect(first.summary.finishReason == .toolCalls)
            #expect(!first.reasoning.isEmpty)
            let call = try #require(first.summary.toolCalls.first)
            #expect(call.name == "get_weather")
            #expect(call.arguments?["city"]?.string?.isEmpty == false)
            let result: JSONValue = ["role": "tool", "tool_call_id": .string(call.id), "content": "4 degrees"]
            let second = try Exchange(server, [user(prompt), first.message, result], options, model: model)
            #expect(second.error == nil)
            #expect(second.text.contains("4 degrees"))
            let whole = try Exchange(server, [user(prompt)], options, model: model, fault: "whole")
            #expect(whole.message == first.message)

            let missing = try Exchange(server, [user(prompt), first.message, user("Well?")], options, model: model)
            #expect(missing.error?.kind == .invalidRequest)
            #expect(missing.error?.message == "No tool output found for function call \(call.id).")
            let alone = try Exchange(server, [user(prompt), result], options, model: model)
            #expect(alone.error?.message.hasPrefix("No tool call found") == true)
            var changed = try #require(first.message.object)
            var native = try #require(changed["native"]?.object)
            var items = try #require(native["output"]?.array)
            items[0] = .object(try #require(items[0].object).with("encrypted_content", "gAAAAother=="))
            native["output"] = .array(items)
            changed["native"] = .object(native)
            let refused = try Exchange(server, [user(prompt), .object(changed), result], options, model: model)
            #expect(refused.error?.code == "invalid_encrypted_content")
            // Without what it keeps, the call goes in the common form.
            changed["native"] = nil
            #expect(
                try Exchange(server, [user(prompt), .object(changed), result], options, model: model).text
                    == second.text)
        }
    }

    @Test func toolsAreChosen() throws {
        try withServer { server in
            let two: JSONObject = ["tools": [["name": "alpha_tool"], ["name": "beta_tool"], ["type": "web_search"]]]
            let both = try Exchange(server, [user("Use alpha_tool and beta_tool")], two)
            #expect(both.summary.toolCalls.map(\.name) == ["alpha_tool", "beta_tool"])
            #expect(both.message["native"]?["output"]?.array?.count == 2)
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

    @Test func formatsAndInstructions() throws {
        let schema: JSONValue = ["type": "object", "properties": ["moon": ["type": "string"]], "required": ["moon"]]
        let reply = try withServer {
            try Exchange(
                $0, [user("Which moon?")], ["response_format": ["type": "json_schema", "schema": schema]],
                system: "Be brief.")
        }
        #expect(try JSONReader.value(reply.text)["moon"]?.string != nil)
        let brief = try withServer { try Exchange($0, [user("Hi")], system: "Be brief.").summary.usage?.inputTokens }
        let plain = try withServer { try Exchange($0, [user("Hi")]).summary.usage?.inputTokens }
        #expect((brief ?? 0) > (plain ?? 0))
    }

    /// openai's package declares these members as required.
    @Test(arguments: [
        (
            #""tools":[{"type":"function","name":"f","parameters":{}}],"tool_choice":"none","instructions":"Be brief.""#,
            1
        ),
        (#""metadata":{"a":"b"}"#, 0),
    ]) func theResponseRepeatsTheRequest(members: String, tools: Int) throws {
        let body = #"{"model":"m","stream":true,"input":"Hi",\#(members)}"#
        let sent = try JSONReader.value(body)
        let text = try withServer { try Exchange($0, body: Array(body.utf8)).response.text }
        let payloads = try text.split(separator: "\n").filter { $0.hasPrefix("data: ") }.map {
            try JSONReader.value(String($0.dropFirst(6)))
        }
        let responses = payloads.compactMap { $0["response"] }
        #expect(responses.count == 3)
        for response in responses {
            #expect(response["tools"]?.array?.count == tools)
            #expect(response["tools"] == (sent["tools"] ?? []))
            #expect(response["tool_choice"] == (sent["tool_choice"] ?? "auto"))
            #expect(response["instructions"] == (sent["instructions"] ?? .null))
            #expect(response["metadata"] == (sent["metadata"] ?? [:]))
        }
        #expect(responses.last?["usage"]?["input_tokens_details"]?["cache_write_tokens"] == 0)
        #expect(payloads.first { $0["type"] == "response.output_text.done" }?["logprobs"] == [])
    }

    @Test func inputMayBeOneText() throws {
        try withServer { server in
            let text = try Exchange(server, body: Array(#"{"model":"m","stream":true,"input":"Explain tides"}"#.utf8))
            let items = try Exchange(server, [user("Explain tides")], model: "m")
            #expect(text.text == items.text && !text.text.isEmpty)
        }
    }

    // MARK: What is refused

    @Test(
        arguments: [
            (#"{"input":"x"}"#, "model"), (#"{"model":"m"}"#, "Missing required parameter: 'input'"),
            (#"{"model":"m","input":3}"#, "Invalid type for 'input'"),
            (#"{"model":"m","messages":[]}"#, "has moved to 'input'"),
            (#"{"model":"m","input":"x","response_format":{}}"#, "has moved to 'text.format'"),
            (#"{"model":"m","input":"x","max_tokens":5}"#, "Unknown parameter: 'max_tokens'"),
            (#"{"model":"m","input":"x","stop":"a"}"#, "Unknown parameter: 'stop'"),
            (#"{"model":"m","input":"x","previous_response_id":"resp_1"}"#, "'resp_1' not found"),
            (#"{"model":"m","input":[{"role":"tool","content":"x"}]}"#, "Invalid value: 'tool'"),
            (
                #"{"model":"m","input":[{"role":"user","content":[{"type":"text","text":"x"}]}]}"#,
                "Invalid value: 'text'"
            ),
            (
                #"{"model":"m","input":[{"role":"assistant","content":[{"type":"input_text","text":"x"}]}]}"#,
                "'output_text', 'refusal'"
            ),
            (#"{"model":"m","input":[{"type":"function_call","call_id":"c","name":"f"}]}"#, "'input[0].arguments'"),
            (
                #"{"model":"m","input":[{"type":"reasoning","id":"rs_1","summary":[]},{"role":"user","content":"x"}]}"#,
                "without its required following item"
            ),
            (
                #"{"model":"m","input":"x","tools":[{"type":"function","function":{"name":"f"}}]}"#,
                "Missing required parameter: 'tools[0].name'"
            ),
            ("{", "parse"),
        ]) func refusals(body: String, says: String) throws
    {
        let exchange = try withServer { try Exchange($0, body: Array(body.utf8)) }
        #expect(exchange.response.status == 400)
        #expect(exchange.error?.kind == .invalidRequest)
        #expect(exchange.error?.message.contains(says) == true, "\(exchange.error?.message ?? "")")
    }

    @Test(arguments: ["Authorization: Bearer bad", "api-key: invalid-1"]) func wrongKeys(field: String) throws {
        let parts = field.components(separatedBy: ": ")
        let reply = try withServer {
            try Exchange($0, body: Array(#"{"model":"m","input":"x"}"#.utf8), headers: [parts[0]: parts[1]])
        }
        #expect(reply.response.status == 401)
        #expect(reply.error?.kind == .auth)
        #expect(reply.error?.code == "invalid_api_key")
    }

    @Test func otherPaths() throws {
        try withServer { server in
            let client = try RawClient(port: server.port)
            try client.send(post(#"{"model":"m","input":"x"}"#, path: "/openai/v1/responses?api-version=preview"))
            #expect(try client.response().status == 200)
            let wrong = try RawClient(port: server.port)
            try wrong.send(post("{}", path: "/v1/response"))
            let missing = try wrong.response()
            #expect(missing.status == 404)
            #expect(missing.text.contains("/v1/responses"))
        }
    }

    // MARK: Faults

    @Test(arguments: [
        ("400", "invalid_request_error"), ("401", "invalid_api_key"), ("403", "forbidden"), ("404", "model_not_found"),
        ("429", "rate_limit_exceeded"), ("500", "server_error"), ("503", "overloaded"),
        ("quota", "insufficient_quota"),
    ]) func codes(fault: String, code: String) throws {
        #expect(try withServer { try Exchange($0, [user("Hi")], fault: fault) }.error?.code == code)
    }

    @Test(arguments: ["no-done", "no-finish"]) func endsThatAreMissing(fault: String) throws {
        try withServer { server in
            let plain = try Exchange(server, [user("写一首诗")])
            let open = try Exchange(server, [user("写一首诗")], fault: fault)
            #expect(!open.hasCleanEnd && open.error == nil && open.text == plain.text)
            #expect(open.response.text.hasSuffix("data: [DONE]\n\n") == (fault == "no-finish"))
        }
    }

}
