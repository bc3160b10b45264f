// The provider's Cohere chat, asked and read by the dialect that scripts use.

import Chat
import Formats
import Foundation
import JSON
import ProviderSimulator
import Testing

enum CohereExchange: ExchangeFormat {
    static let dialect: WireFormat = WireFormat.cohere
    static let path = "/v2/chat"
}

private typealias Exchange = FormatExchange<CohereExchange>

private func ask(
    _ server: SimulatorServer, _ messages: [JSONValue], _ parameters: JSONObject = [:], model: String = "moonrill-chat",
    fault: String? = nil, headers: [String: String] = [:], key: String? = "k"
) throws -> Exchange {
    try Exchange(server, messages, parameters, model: model, fault: fault, headers: headers, key: key)
}

private func raw(_ server: SimulatorServer, _ body: String, path: String = "/v2/chat") throws -> Exchange {
    try Exchange(server, body: Array(body.utf8), path: path)
}

private func plan(_ exchange: Exchange) -> String? { exchange.message["native"]?["tool_plan"]?.string }

@Suite struct CohereTests {
    /// What is said depends on the conversation, not on the format in which it is asked for.
    @Test(arguments: ["Explain tides", "解释潮汐", "Tell me a joke 👩‍👩‍👧"], ["moonrill-chat", "moonrill-reasoner"])
    func saysWhatChatCompletionsSay(prompt: String, model: String) throws {
        try withServer { server in
            let deltas = try ProviderSimulatorTests.ask(server, chat(prompt, model: model)).deltas()
            let stream = try ask(server, [user(prompt)], model: model)
            #expect(stream.text == deltas.text() && stream.reasoning == deltas.reasoning)
            #expect(!stream.text.isEmpty && stream.reasoning.isEmpty == (model == "moonrill-chat"))
            #expect(stream.error == nil && stream.hasCleanEnd)
            #expect(stream.summary.finishReasonRaw == "COMPLETE" && stream.summary.finishReason == .stop)
            let usage = try #require(stream.summary.usage)
            #expect(usage.outputTokens == deltas.pieces)
            #expect(usage.totalTokens == (usage.inputTokens ?? 0) + deltas.pieces)
            #expect(stream.response.headers["content-type"] == "text/event-stream")
            let whole = try ask(server, [user(prompt)], model: model, fault: "whole")
            #expect(whole.response.headers["content-type"] == "application/json")
            #expect(whole.message == stream.message && whole.reasoning == stream.reasoning)
            #expect(whole.summary.usage == usage && whole.hasCleanEnd)
        }
    }

    @Test func eventsAreCoheres() throws {
        let text = try withServer { try ask($0, [user("Hi")], model: "r1").response.text }
        let frames = text.components(separatedBy: "\n\n").dropLast().map { $0.components(separatedBy: "\n") }
        let values = try frames.map { try JSONReader.value(String($0[1].dropFirst("data: ".count))) }
        let names = frames.map { String($0[0].dropFirst("event: ".count)) }
        #expect(names == values.map { $0["type"]?.string })
        #expect(names.prefix(3) == ["message-start", "content-start", "content-delta"])
        #expect(names.suffix(3) == ["content-delta", "content-end", "message-end"])
        let starts = values.filter { $0["type"] == "content-start" }
        #expect(starts.map { $0["index"] } == [0, 1])
        #expect(starts.map { $0["delta"]?["message"]?["content"]?["type"] } == ["thinking", "text"])
        #expect(names.count { $0 == "content-end" } == 2)
        #expect(!text.contains("[DONE]"))
    }

    @Test(arguments: ["/v2/chat", "/v1/v2/chat"]) func pathsAndWholeReplies(path: String) throws {
        try withServer { server in
            let body = #"{"model":"moonrill-chat","messages":[{"role":"user","content":"Hi"}],"stream":"#
            let (stream, whole) = (
                try raw(server, body + "true}", path: path), try raw(server, body + "false}", path: path)
            )
            #expect(stream.response.text.hasPrefix("event: message-start\n"))
            #expect(try whole.response.json()["finish_reason"] as? String == "COMPLETE")
            #expect(!stream.text.isEmpty && stream.text == whole.text && stream.summary.usage == whole.summary.usage)
        }
    }

    @Test(arguments: [true, false]) func thinkingIsAsked(asked: Bool) throws {
        for model in ["command-a-reasoning-08-2025", "command-a-03-2025"] {
            let reply = try withServer { try ask($0, [user("Hi")], ["thinking": .bool(asked)], model: model) }
            #expect(reply.reasoning.isEmpty == !asked && !reply.text.isEmpty)
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

    /// The whole way of a tool: the thinking or the plan, the call, its result, the answer.
    @Test(
        arguments: ["What is the weather in Oslo?", "奥斯陆的天气怎么样？"], ["moonrill-chat", "moonrill-reasoner"])
    func toolLoop(prompt: String, model: String) throws {
        try withServer { server in
            let first = try ask(server, [user(prompt)], Self.weather, model: model)
            #expect(first.summary.finishReason == .toolCalls && first.summary.finishReasonRaw == "TOOL_CALL")
            let thinks = model == "moonrill-reasoner"
            #expect(first.reasoning.isEmpty == !thinks && (plan(first)?.isEmpty == false) == !thinks)
            let call = try #require(first.summary.toolCalls.first)
            #expect(call.name == "get_weather" && call.arguments?["city"]?.string?.isEmpty == false)
            let deltas = first.response.text.components(separatedBy: "-delta\ndata").count - 1
            #expect(first.summary.usage?.outputTokens == deltas + 1)
            let whole = try ask(server, [user(prompt)], Self.weather, model: model, fault: "whole")
            #expect(whole.message == first.message && whole.summary.toolCalls == first.summary.toolCalls)
            #expect(whole.summary.usage == first.summary.usage)

            let result: JSONValue = ["role": "tool", "tool_call_id": .string(call.id), "content": "4 degrees"]
            let second = try ask(server, [user(prompt), first.message, result], Self.weather, model: model)
            #expect(second.error == nil && second.text.contains("4 degrees") && second.summary.toolCalls == [])
            let missing = try ask(server, [user(prompt), first.message, user("Well?")], Self.weather, model: model)
            #expect(missing.error?.message.contains("has no result") == true)
            let stray: JSONValue = ["role": "tool", "tool_call_id": "other", "content": "4 degrees"]
            let wrong = try ask(server, [user(prompt), first.message, stray], Self.weather, model: model)
            #expect(wrong.error?.message.contains("'other' is of no call") == true)
        }
    }

    @Test func toolsAreChosen() throws {
        try withServer { server in
            let two: JSONObject = ["tools": [["name": "alpha_tool"], ["name": "beta_tool"]]]
            let both = try ask(server, [user("Use alpha_tool and beta_tool")], two)
            #expect(both.summary.toolCalls.map(\.name) == ["alpha_tool", "beta_tool"])
            let whole = try ask(server, [user("Use alpha_tool and beta_tool")], two, fault: "whole")
            #expect(whole.summary.toolCalls == both.summary.toolCalls && plan(whole) == plan(both))
            let must = try ask(server, [user("Hello")], two.with("tool_choice", "required"))
            #expect(must.summary.toolCalls.map(\.name) == ["alpha_tool"])
            let none = try ask(server, [user("Use alpha_tool")], two.with("tool_choice", "none"))
            #expect(none.summary.toolCalls == [] && plan(none) == nil && !none.text.isEmpty)
        }
    }

    @Test func formats() throws {
        let schema: JSONValue = ["type": "object", "properties": ["moon": ["type": "string"]], "required": ["moon"]]
        try withServer { server in
            let shaped = try ask(
                server, [user("Which moon?")], ["response_format": ["type": "json_schema", "schema": schema]])
            #expect(try JSONReader.value(shaped.text)["moon"]?.string != nil)
            let object = try ask(server, [user("Which moon?")], ["response_format": "json"])
            #expect(try JSONReader.value(object.text).object != nil)
        }
    }

    // MARK: What is refused

    @Test(
        arguments: [
            (#""messages":[]"#, "model"), (#""model":"m","messages":[]"#, "messages"),
            (#""model":"m","messages":[{"role":"robot","content":"x"}]"#, "role"),
            (#""model":"m","messages":[{"content":"x"}]"#, "role"),
            (#""model":"m","messages":[{"role":"user"}]"#, "content is missing"),
            (#""model":"m","messages":[{"role":"user","content":7}]"#, "content must be"),
            (#""model":"m","messages":[{"role":"user","content":[{"text":"x"}]}]"#, "content must be"),
            (#""model":"m","messages":[{"role":"assistant","content":"x"}]"#, "last message"),
            (#""model":"m","messages":[{"role":"assistant","tool_calls":[{"id":"a"}]}]"#, "function with name"),
            (#""model":"m","messages":[{"role":"tool","tool_call_id":"a","content":"x"}]"#, "'a' is of no call"),
            (#""model":"m","max_tokens":0,"messages":[{"role":"user","content":"x"}]"#, "max_tokens"),
            (#""model":"m","tool_choice":"auto","messages":[{"role":"user","content":"x"}]"#, "tool_choice"),
            (#""model":"m","tool_choice":"REQUIRED","messages":[{"role":"user","content":"x"}]"#, "needs tools"),
            (#""model":"m","thinking":{"type":"deep"},"messages":[{"role":"user","content":"x"}]"#, "thinking.type"),
            (
                #""model":"m","response_format":{"type":"xml"},"messages":[{"role":"user","content":"x"}]"#,
                "response_format.type"
            ),
            (#""model":"m","tools":[{}],"messages":[{"role":"user","content":"x"}]"#, "tools[0].function.name"),
            ("", "model"), ("{", "parse"),
        ]) func refusals(members: String, says: String) throws
    {
        let reply = try withServer { try raw($0, members == "{" ? members : "{\(members)}") }
        #expect(reply.response.status == 400)
        let body = try reply.response.json()
        #expect((body["id"] as? String).flatMap(UUID.init(uuidString:)) != nil && body.count == 2)
        #expect((body["message"] as? String)?.contains(says) == true, "\(reply.response.text)")
        #expect(reply.error?.kind == .invalidRequest)
    }

    // MARK: Faults

    @Test(arguments: ["400", "401", "403", "404", "408", "422", "429", "500", "503", "529", "quota"])
    func errorBodies(fault: String) throws {
        let body = try withServer { try ask($0, [user("Hi")], fault: fault).response.json() }
        #expect(Set(body.keys) == ["id", "message"])
    }

    @Test func endsThatAreMissing() throws {
        try withServer { server in
            let plain = try ask(server, [user("写一首诗")])
            let noDone = try ask(server, [user("写一首诗")], fault: "no-done")
            #expect(!noDone.hasCleanEnd && noDone.text == plain.text && noDone.summary.usage == nil)
            let noFinish = try ask(server, [user("写一首诗")], fault: "no-finish")
            #expect(noFinish.summary.finishReasonRaw == nil && noFinish.summary.usage == plain.summary.usage)
            #expect(try ask(server, [user("Hi")], fault: "error-frame@3").error?.code == "ERROR")
        }
    }

}
