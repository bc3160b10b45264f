// The provider's /api/chat, asked and read by the dialect that scripts use.

import Chat
import Formats
import Foundation
import JSON
import ProviderSimulator
import Testing

enum OllamaExchange: ExchangeFormat {
    static let dialect: WireFormat = WireFormat.ollama
    static let path = "/api/chat"
    static let quirks = Quirks(continuation: .prefill)
}

private typealias Exchange = FormatExchange<OllamaExchange>

private func raw(_ server: SimulatorServer, _ body: String) throws -> Exchange {
    try Exchange(server, body: Array(body.utf8))
}

@Suite struct OllamaTests {
    /// What is said depends on the conversation, not on the format in which it is asked for.
    @Test(arguments: ["Explain tides", "解释潮汐", "Tell me a joke 👩‍👩‍👧"], ["moonrill-chat", "moonrill-reasoner"])
    func saysWhatChatCompletionsSay(prompt: String, model: String) throws {
        try withServer { server in
            let deltas = try ask(server, chat(prompt, model: model)).deltas()
            let stream = try Exchange(server, [user(prompt)], model: model)
            #expect(stream.text == deltas.text() && stream.reasoning == deltas.reasoning)
            #expect(!stream.text.isEmpty && stream.reasoning.isEmpty == (model == "moonrill-chat"))
            #expect(stream.error == nil && stream.hasCleanEnd && stream.summary.finishReasonRaw == "stop")
            #expect(stream.summary.usage?.outputTokens == deltas.pieces && stream.summary.model == model)
            #expect(abs((stream.summary.timings?.eval ?? 0) - Double(deltas.pieces) * 0.02) < 1e-9)
            #expect(stream.response.headers["content-type"] == "application/x-ndjson")
            let whole = try Exchange(server, [user(prompt)], model: model, fault: "whole")
            #expect(whole.response.headers["content-type"] == "application/json")
            #expect(whole.message == stream.message && whole.summary.usage == stream.summary.usage)
            #expect(whole.text == stream.text && whole.hasCleanEnd)
        }
    }

    @Test func linesAreOllamas() throws {
        let text = try withServer { try Exchange($0, [user("Hi")], model: "r1").response.text }
        #expect(text.hasSuffix("}\n"))
        let lines = try text.split(separator: "\n").map { try JSONReader.value(String($0)) }
        #expect(lines.dropLast().allSatisfy { $0["done"] == false && $0["done_reason"] == nil })
        #expect(lines.allSatisfy { $0["message"]?["role"] == "assistant" && $0["message"]?["content"]?.string != nil })
        let times = lines.compactMap { $0["created_at"]?.string }
        #expect(times.count == lines.count && times == times.sorted() && Set(times).count == times.count)
        let form = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z/
        #expect(times.allSatisfy { $0.wholeMatch(of: form) != nil }, "\(times[0])")
        let last = try #require(lines.last)
        #expect(last["done"] == true && last["done_reason"] == "stop" && last["message"]?["content"] == "")
    }

    @Test func whatIsNotSaidStreams() throws {
        try withServer { server in
            let body = #"{"model":"moonrill-chat","messages":[{"role":"user","content":"Hi"}]"#
            let (stream, whole) = (try raw(server, body + "}"), try raw(server, body + #","stream":false}"#))
            #expect(stream.response.headers["content-type"] == "application/x-ndjson")
            #expect(try whole.response.json()["done"] as? Bool == true)
            #expect(!stream.text.isEmpty && stream.text == whole.text && stream.summary.usage == whole.summary.usage)
            for path in ["/api/version", "/api/tags"] {
                let client = try RawClient(port: server.port)
                try client.send("GET \(path) HTTP/1.1\r\nHost: x\r\n\r\n")
                #expect(try client.response().status == 200)
            }
        }
    }

    @Test(arguments: [true, false]) func thinkingIsAsked(asked: Bool) throws {
        for model in ["qwen3", "deepseek-r1"] {
            let reply = try withServer { try Exchange($0, [user("Hi")], ["thinking": .bool(asked)], model: model) }
            #expect(reply.reasoning.isEmpty == !asked && !reply.text.isEmpty)
        }
    }

    /// A reply cut anywhere goes on.
    @Test func continues() throws {
        try withServer { server in
            let full = try Exchange(server, [user("Explain snow")]).text
            for length in stride(from: 1, through: full.count, by: 37) {
                let said = String(full.prefix(length))
                #expect(try said + Exchange(server, [user("Explain snow")], continuing: said).text == full)
            }
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

    @Test(arguments: ["What is the weather in Oslo?", "奥斯陆的天气怎么样？"], ["moonrill-chat", "moonrill-reasoner"])
    func toolLoop(prompt: String, model: String) throws {
        try withServer { server in
            let first = try Exchange(server, [user(prompt)], Self.weather, model: model)
            #expect(first.summary.finishReason == .toolCalls && first.summary.finishReasonRaw == "stop")
            let call = try #require(first.summary.toolCalls.first)
            #expect(call.name == "get_weather" && call.arguments?["city"]?.string?.isEmpty == false)
            let whole = try Exchange(server, [user(prompt)], Self.weather, model: model, fault: "whole")
            #expect(whole.message == first.message && whole.summary.toolCalls == first.summary.toolCalls)
            #expect(whole.summary.usage == first.summary.usage)
            let result: JSONValue = ["role": "tool", "tool_call_id": .string(call.id), "content": "4 degrees"]
            let second = try Exchange(server, [user(prompt), first.message, result], Self.weather, model: model)
            #expect(second.error == nil && second.text.contains("4 degrees") && second.summary.toolCalls == [])
            // Arguments that the limit cut are no call.
            let cut = try Exchange(
                server, [user(prompt)],
                Self.weather.with("max_tokens", .int(Int64(first.summary.usage?.outputTokens ?? 2) - 1)),
                model: model)
            #expect(cut.summary.toolCalls == [] && cut.summary.finishReason == .length)
        }
    }

    @Test func formats() throws {
        let schema: JSONValue = ["type": "object", "properties": ["moon": ["type": "string"]], "required": ["moon"]]
        try withServer { server in
            let shaped = try Exchange(
                server, [user("Which moon?")], ["response_format": ["type": "json_schema", "schema": schema]])
            #expect(try JSONReader.value(shaped.text)["moon"]?.string != nil)
            let object = try Exchange(server, [user("Which moon?")], ["response_format": "json"])
            #expect(try JSONReader.value(object.text).object != nil)
        }
    }

    // MARK: What is refused

    @Test(
        arguments: [
            (#""messages":[]"#, "model"), (#""model":"m","messages":[]"#, "messages"),
            (#""model":"m","messages":[{"role":"robot","content":"x"}]"#, "role"),
            (#""model":"m","messages":[{"role":"user","content":[]}]"#, "content must be"),
            (#""model":"m","messages":[{"role":"user","content":"x","images":[7]}]"#, "images"),
            (
                #""model":"m","messages":[{"role":"assistant","tool_calls":[{"function":{"name":"f","arguments":"{}"}}]}]"#,
                "object of arguments"
            ),
            (#""model":"m","options":7,"messages":[{"role":"user","content":"x"}]"#, "options"),
            (#""model":"m","options":{"num_predict":0},"messages":[{"role":"user","content":"x"}]"#, "num_predict"),
            (#""model":"m","options":{"stop":7},"messages":[{"role":"user","content":"x"}]"#, "stop"),
            (#""model":"m","think":"deeply","messages":[{"role":"user","content":"x"}]"#, "think"),
            (#""model":"m","format":"xml","messages":[{"role":"user","content":"x"}]"#, "format"),
            (#""model":"m","stream":"no","messages":[{"role":"user","content":"x"}]"#, "stream"),
            (#""model":"m","tools":[{}],"messages":[{"role":"user","content":"x"}]"#, "tools[0].function.name"),
            ("", "model"), ("{", "parse"),
        ]) func refusals(members: String, says: String) throws
    {
        let reply = try withServer { try raw($0, members == "{" ? members : "{\(members)}") }
        #expect(reply.response.status == 400 && reply.error?.kind == .invalidRequest)
        let body = try reply.response.json()
        #expect((body["error"] as? String)?.contains(says) == true && body.count == 1, "\(reply.response.text)")
    }

    // MARK: Faults

    @Test(arguments: ["400", "401", "403", "404", "408", "422", "429", "500", "503", "529", "quota"])
    func errorBodies(fault: String) throws {
        let body = try withServer { try Exchange($0, [user("Hi")], fault: fault).response.json() }
        #expect(Set(body.keys) == ["error"])
    }

    @Test func endsThatAreMissing() throws {
        try withServer { server in
            let plain = try Exchange(server, [user("写一首诗")])
            let noDone = try Exchange(server, [user("写一首诗")], fault: "no-done")
            #expect(!noDone.hasCleanEnd && noDone.text == plain.text && noDone.summary.usage == nil)
            let noFinish = try Exchange(server, [user("写一首诗")], fault: "no-finish")
            #expect(noFinish.summary.finishReasonRaw == nil && noFinish.summary.usage == plain.summary.usage)
            let split = try Exchange(server, [user("Hi")], fault: "split-utf8")
            #expect(split.response.chunks.contains { $0 == Array("{\"m".utf8) })
        }
    }

}
