// The provider's generateContent, asked and read by the dialect that scripts use, as events and as one array.

import Chat
import Formats
import Foundation
import JSON
import ProviderSimulator
import Testing

enum GeminiExchange: ExchangeFormat {
    static let dialect: WireFormat = WireFormat.gemini
    /// Where the answer is one array.
    static let arrayPath = "/v1beta/models/moonrill-chat:streamGenerateContent"
    static let path = "/v1beta/models/moonrill-chat:streamGenerateContent?alt=sse"
}

private typealias Exchange = FormatExchange<GeminiExchange>

private func raw(
    _ server: SimulatorServer, _ body: String, path: String = GeminiExchange.path, fault: String? = nil
)
    throws
    -> Exchange
{
    try Exchange(server, body: Array(body.utf8), path: path, fault: fault)
}

private func hi(_ prompt: String = "Hi") -> String {
    #"{"contents":[{"role":"user","parts":[{"text":"\#(prompt)"}]}]}"#
}

@Suite struct GeminiTests {
    /// What is said depends on the conversation, not on the format in which it is asked for.
    @Test(arguments: ["Explain tides", "解释潮汐", "Tell me a joke 👩‍👩‍👧"], ["moonrill-chat", "moonrill-reasoner"])
    func saysWhatChatCompletionsSay(prompt: String, model: String) throws {
        try withServer { server in
            let deltas = try ask(server, chat(prompt, model: model)).deltas()
            let stream = try Exchange(server, [user(prompt)], model: model)
            #expect(stream.text == deltas.text() && stream.reasoning == deltas.reasoning)
            #expect(!stream.text.isEmpty && stream.reasoning.isEmpty == (model == "moonrill-chat"))
            #expect(stream.error == nil && stream.hasCleanEnd && stream.summary.finishReasonRaw == "STOP")
            let usage = try #require(stream.summary.usage)
            #expect(usage.totalTokens == (usage.inputTokens ?? 0) + deltas.pieces && stream.summary.model == model)
            #expect(usage.reasoningTokens ?? 0 == deltas.count { ($0.reasoning ?? "") != "" })
            #expect(stream.response.headers["content-type"] == "text/event-stream")
            let whole = try Exchange(server, [user(prompt)], model: model, fault: "whole")
            #expect(whole.response.headers["content-type"] == "application/json")
            #expect(whole.text == stream.text && whole.reasoning == stream.reasoning && whole.hasCleanEnd)
            #expect(whole.summary.usage == usage)
        }
    }

    @Test func chunksAreGeminis() throws {
        let text = try withServer { try Exchange($0, [user("Hi")], model: "r1").response.text }
        let chunks = try text.components(separatedBy: "\r\n\r\n").dropLast().map {
            try JSONReader.value(String($0.dropFirst("data: ".count)))
        }
        let candidates = chunks.compactMap { $0["candidates"]?.array?.first }
        #expect(candidates.count == chunks.count && candidates.allSatisfy { $0["content"]?["role"] == "model" })
        #expect(candidates.dropLast().allSatisfy { $0["finishReason"] == nil })
        #expect(candidates.last?["finishReason"] == "STOP")
        #expect(candidates.last?["content"]?["parts"]?.array?.first?["thoughtSignature"]?.string != nil)
        #expect(candidates.first?["content"]?["parts"]?.array?.first?["thought"] == true)
        let totals = chunks.compactMap { $0["usageMetadata"]?["totalTokenCount"]?.int }
        #expect(totals.count == chunks.count && totals == totals.sorted() && totals[0] < totals[totals.count - 1])
        #expect(Set(chunks.map { $0["responseId"] }).count == 1)
    }

    @Test(arguments: [
        "/v1beta/models/moonrill-chat", "/v1/models/moonrill-chat",
        "/v1/projects/p/locations/us/publishers/google/models/moonrill-chat",
    ]) func pathsSayHowToAnswer(path: String) throws {
        try withServer { server in
            let events = try raw(server, hi(), path: path + ":streamGenerateContent?alt=sse")
            let list = try raw(server, hi(), path: path + ":streamGenerateContent")
            let whole = try raw(server, hi(), path: path + ":generateContent")
            #expect(events.response.text.hasPrefix("data: {") && list.response.text.hasPrefix("[{"))
            #expect(list.response.headers["content-type"] == "application/json; charset=UTF-8")
            #expect(!events.text.isEmpty && events.text == list.text && events.text == whole.text)
            #expect(events.summary.usage == list.summary.usage && events.summary.usage == whole.summary.usage)
            #expect(events.hasCleanEnd && list.hasCleanEnd && whole.hasCleanEnd)
            let elements = try JSONReader.value(list.response.text).array
            #expect((elements?.count ?? 0) == events.response.text.components(separatedBy: "data: ").count - 1)
        }
    }

    @Test func namesMayBeWrittenAsTheyAreDeclared() throws {
        let tool =
            #"{"name":"get_rain","parameters_json_schema":{"type":"object","properties":{"my_city":{"type":"string"}},"required":["my_city"]}}"#
        let asked = #"{"contents":[{"parts":[{"text":"get_rain"}]}],"tools":[{"function_declarations":[\#(tool)]}]}"#
        let reply = try withServer { try raw($0, asked) }
        #expect(reply.summary.toolCalls.first?.arguments?["my_city"]?.string != nil)
    }

    @Test(arguments: [true, false]) func thinkingIsAsked(asked: Bool) throws {
        for model in ["gemini-2.5-flash", "moonrill-reasoner"] {
            let reply = try withServer { try Exchange($0, [user("Hi")], ["thinking": .bool(asked)], model: model) }
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

    /// The whole way of a tool; Gemini 3 wants its calls back signed.
    @Test(
        arguments: ["What is the weather in Oslo?", "奥斯陆的天气怎么样？"],
        ["moonrill-chat", "moonrill-reasoner", "gemini-3-pro"])
    func toolLoop(prompt: String, model: String) throws {
        try withServer { server in
            let first = try Exchange(server, [user(prompt)], Self.weather, model: model)
            #expect(first.summary.finishReason == .toolCalls && first.summary.finishReasonRaw == "STOP")
            let call = try #require(first.summary.toolCalls.first)
            #expect(call.name == "get_weather" && call.arguments?["city"]?.string?.isEmpty == false)
            let whole = try Exchange(server, [user(prompt)], Self.weather, model: model, fault: "whole")
            #expect(whole.message == first.message && whole.summary.usage == first.summary.usage)
            let result: JSONValue = ["role": "tool", "tool_call_id": .string(call.id), "content": "4 degrees"]
            let second = try Exchange(server, [user(prompt), first.message, result], Self.weather, model: model)
            #expect(second.error == nil && second.text.contains("4 degrees") && second.summary.toolCalls == [])
            let third = try Exchange(
                server, [user(prompt), first.message, result, second.message, user("And now?")], Self.weather,
                model: model)
            #expect(third.error == nil && !third.text.isEmpty)
            let missing = try Exchange(
                server, [user(prompt), first.message, user("Well?")], Self.weather, model: model)
            #expect(missing.error?.message.contains("'get_weather' has none") == true)
        }
    }

    @Test func toolsAreChosen() throws {
        try withServer { server in
            let two: JSONObject = ["tools": [["name": "alpha_tool"], ["name": "beta_tool"]]]
            let both = try Exchange(server, [user("Use alpha_tool and beta_tool")], two)
            #expect(both.summary.toolCalls.map(\.name) == ["alpha_tool", "beta_tool"])
            let must = try Exchange(server, [user("Hello")], two.with("tool_choice", "required"))
            #expect(must.summary.toolCalls.map(\.name) == ["alpha_tool"])
            let named = try Exchange(server, [user("Hello")], two.with("tool_choice", ["name": "beta_tool"]))
            #expect(named.summary.toolCalls.map(\.name) == ["beta_tool"])
            let none = try Exchange(server, [user("Use alpha_tool")], two.with("tool_choice", "none"))
            #expect(none.summary.toolCalls == [] && !none.text.isEmpty)
        }
    }

    @Test func formats() throws {
        let schema: JSONValue = ["type": "object", "properties": ["moon": ["type": "string"]], "required": ["moon"]]
        try withServer { server in
            let shaped = try Exchange(
                server, [user("Which moon?")], ["response_format": ["type": "json_schema", "schema": schema]])
            #expect(try JSONReader.value(shaped.text)["moon"]?.string != nil)
            let capitals = try raw(
                server,
                #"{"contents":[{"parts":[{"text":"Moon?"}]}],"generationConfig":{"responseMimeType":"application/json","responseSchema":{"type":"OBJECT","properties":{"n":{"type":"INTEGER"}},"required":["n"]}}}"#
            )
            #expect(try JSONReader.value(capitals.text)["n"]?.int != nil)
        }
    }

    // MARK: What is refused

    @Test(
        arguments: [
            ("{}", "contents is not specified"), (#"{"contents":[{"parts":[]}]}"#, "parts must not be empty"),
            (#"{"contents":[{"role":"assistant","parts":[{"text":"x"}]}]}"#, "valid role: user, model"),
            (#"{"contents":[{"parts":[{"txt":"x"}]}]}"#, "a part must have one of text"),
            (#"{"contents":[{"parts":[{"inlineData":{"data":"x"}}]}]}"#, "inlineData is not valid"),
            (#"{"contents":[{"parts":[{"functionResponse":{"name":"f","response":{}}}]}]}"#, "'f' answers no call"),
            (#"{"systemInstruction":"x","contents":[{"parts":[{"text":"x"}]}]}"#, "system_instruction"),
            (#"{"generationConfig":7,"contents":[{"parts":[{"text":"x"}]}]}"#, "generation_config"),
            (#"{"generationConfig":{"maxOutputTokens":0},"contents":[{"parts":[{"text":"x"}]}]}"#, "maxOutputTokens"),
            (
                #"{"generationConfig":{"candidateCount":2},"contents":[{"parts":[{"text":"x"}]}]}"#,
                "Multiple candidates"
            ),
            (#"{"generationConfig":{"responseMimeType":"x"},"contents":[{"parts":[{"text":"x"}]}]}"#, "mime type"),
            (
                #"{"generationConfig":{"responseSchema":{}},"contents":[{"parts":[{"text":"x"}]}]}"#,
                "needs the mime type"
            ),
            (#"{"tools":[{"functionDeclarations":[{}]}],"contents":[{"parts":[{"text":"x"}]}]}"#, "function name"),
            (
                #"{"toolConfig":{"functionCallingConfig":{"mode":"ANY"}},"contents":[{"parts":[{"text":"x"}]}]}"#,
                "needs function declarations"
            ),
            ("{", "parse"), ("[]", "JSON object"),
        ]) func refusals(body: String, says: String) throws
    {
        let reply = try withServer { try raw($0, body) }
        #expect(reply.response.status == 400 && reply.error?.kind == .invalidRequest)
        #expect(reply.error?.code == "INVALID_ARGUMENT")
        #expect(reply.error?.message.contains(says) == true, "\(reply.response.text)")
    }

    // MARK: Faults

    @Test(
        arguments: [
            ("400", nil), ("429", nil), ("429:1@2.5", 2.5), ("429:1@ms:1500", 1.5), ("429:1@date:9", 9),
            ("429:1@raw:inf", nil), ("503", nil), ("quota", nil),
        ] as [(String, Double?)]) func waits(fault: String, retryAfter: Double?) throws
    {
        let reply = try withServer { try Exchange($0, [user("Hi")], fault: fault) }
        // The exchange hands no header on: the wait stands in the body.
        #expect(reply.error != nil && reply.error?.retryAfter == retryAfter)
        let list = try withServer { try raw($0, hi(), path: GeminiExchange.arrayPath, fault: fault) }
        #expect(list.error == reply.error && list.response.text == "[\(reply.response.text)]")
    }

    /// The provider's own limit says in the body when there will be room again.
    @Test func limitsSayWhenToComeBack() throws {
        try withServer({ $0.limit = 0.1 }) { server in
            #expect(try Exchange(server, [user("Hi")]).error == nil)
            let refused = try Exchange(server, [user("Hi")])
            #expect(refused.error?.kind == .rateLimit)
            let wait = try #require(refused.error?.retryAfter)
            #expect(wait > 1 && wait <= 10 && refused.response.headers["retry-after"] == String(Int(wait)))
        }
    }

    @Test(arguments: [("", 200), ("/moonrill-chat", 200), ("/other", 404)]) func models(path: String, status: Int)
        throws
    {
        try withServer { server in
            let client = try RawClient(port: server.port)
            try client.send("GET /v1beta/models\(path) HTTP/1.1\r\nHost: x\r\n\r\n")
            let response = try client.response()
            #expect(response.status == status)
            if path.isEmpty { #expect(try (response.json()["models"] as? [Any])?.count == 2) }
            if path == "/moonrill-chat" { #expect(try response.json()["name"] as? String == "models/moonrill-chat") }
        }
    }

    @Test(arguments: [GeminiExchange.path, GeminiExchange.arrayPath])
    func endsThatAreMissing(path: String) throws {
        try withServer { server in
            func poem(_ fault: String? = nil) throws -> Exchange {
                try raw(server, hi("写一首诗"), path: path, fault: fault)
            }
            let plain = try poem()
            let noDone = try poem("no-done")
            #expect(!noDone.hasCleanEnd && noDone.text == plain.text)
            let noFinish = try poem("no-finish")
            #expect(!noFinish.hasCleanEnd && noFinish.summary.usage == plain.summary.usage)
        }
    }

}
