// What the provider says: texts, reasoning, usage, tools, JSON, and that all of it can be told in advance.

import Foundation
import ProviderSimulator
import Testing

@Suite struct ReplyTests {
    @Test(arguments: ["Explain tides", "解释潮汐", "Tell me a joke 👩‍👩‍👧", "写一首关于月亮的诗"])
    func streamsReasoningThenText(prompt: String) throws {
        let response = try withServer {
            try ask($0, chat(prompt, model: "deepseek-r1", ",\"stream_options\":{\"include_usage\":true}"))
        }
        #expect(response.status == 200)
        #expect(response.headers["content-type"] == "text/event-stream; charset=utf-8")
        #expect(response.events.last == "[DONE]")
        let deltas = try response.deltas()
        #expect(deltas.first?.role == "assistant")
        let firstText = try #require(deltas.firstIndex { ($0.content ?? "") != "" })
        let lastReasoning = try #require(deltas.lastIndex { ($0.reasoning ?? "") != "" })
        #expect(lastReasoning < firstText)
        #expect(deltas.finish == "stop")
        #expect(deltas.last?.choice == nil)
        let usage = try #require(deltas.last?.usage as? [String: Any])
        let output = try #require(usage["completion_tokens"] as? Int)
        #expect(output == deltas.pieces)
        #expect(usage["total_tokens"] as? Int == output + (usage["prompt_tokens"] as? Int ?? 0))
        let details = usage["completion_tokens_details"] as? [String: Any]
        #expect(details?["reasoning_tokens"] as? Int == deltas.count { ($0.reasoning ?? "") != "" })
        let hasHan = deltas.text().unicodeScalars.contains { (0x4E00...0x9FFF).contains($0.value) }
        #expect(hasHan == (prompt.utf8.count > prompt.count && !prompt.hasPrefix("Tell")))
    }

    @Test func plainModelsDoNotThink() throws {
        try withServer { server in
            let deltas = try ask(server, chat("Hello", model: "moonrill-chat")).deltas()
            #expect(deltas.reasoning == "")
            #expect(deltas.allSatisfy { $0.usage == nil })
            #expect(try !ask(server, chat("Hello", model: "gpt-4o")).text.contains("reasoning_content"))
            #expect(try ask(server, chat("Hello", model: "moonrill-reasoner")).deltas().reasoning != "")
        }
    }

    @Test func sameRequestSameBytes() throws {
        let body = chat("Explain rivers", model: "o3-mini", ",\"n\":2")
        let first = try withServer { try ask($0, body) }
        let again = try withServer { try ask($0, body) }
        #expect(first.body == again.body)
        #expect(first.headers == again.headers)
        let seeds = try withServer { server in
            try (0..<8).map { try ask(server, body, ["X-Moonrill-Seed": "\($0)"]).deltas().text() }
        }
        #expect(Set(seeds).count > 1)
        #expect(seeds[0] == (try first.deltas().text()))
    }

    @Test func wholeBodyEqualsTheStream() throws {
        try withServer { server in
            let deltas = try ask(server, chat("Explain rain", model: "qwq-32b")).deltas()
            let whole = try ask(server, chat("Explain rain", model: "qwq-32b", stream: false))
            #expect(whole.headers["content-type"] == "application/json")
            let object = try whole.json()
            let choice = try #require((object["choices"] as? [[String: Any]])?.first)
            let message = try #require(choice["message"] as? [String: Any])
            #expect(message["content"] as? String == deltas.text())
            #expect(message["reasoning_content"] as? String == deltas.reasoning)
            #expect(choice["finish_reason"] as? String == "stop")
            #expect((object["usage"] as? [String: Any])?["completion_tokens"] as? Int == deltas.pieces)
        }
    }

    @Test(arguments: ["max_tokens", "max_completion_tokens"])
    func tokenLimitCuts(field: String) throws {
        let deltas = try withServer { try ask($0, chat("Explain wind", model: "r1", ",\"\(field)\":7")).deltas() }
        #expect(deltas.pieces == 7)
        #expect(deltas.finish == "length")
    }

    @Test func stopStringsEndTheText() throws {
        try withServer { server in
            let full = try ask(server, chat("Explain snow")).deltas().text()
            let stop = String(full.dropFirst(20).prefix(9))
            let cut = try ask(server, chat("Explain snow", ",\"stop\":[\"zzzz\",\"\(stop)\"]")).deltas()
            #expect(cut.text() == String(full.prefix(upTo: try #require(full.range(of: stop)).lowerBound)))
            #expect(cut.finish == "stop")
        }
    }

    @Test func choicesInterleave() throws {
        let deltas = try withServer { try ask($0, chat("Explain fog", ",\"n\":3")).deltas() }
        #expect(Set(deltas.compactMap(\.choice)) == [0, 1, 2])
        #expect(deltas.count { $0.finish == "stop" } == 3)
        let order = deltas.filter { ($0.content ?? "") != "" }.prefix(6).compactMap(\.choice)
        #expect(order == [0, 1, 2, 0, 1, 2])
    }

    /// A reply cut after any character and continued is the reply that would have come.
    @Test(arguments: ["Explain clouds", "解释云"])
    func continuesFromEveryPlace(prompt: String) throws {
        try withServer { server in
            let full = try ask(server, chat(prompt)).deltas().text()
            let client = try RawClient(port: server.port)
            for length in 1...full.count {
                let said = String(full.prefix(length))
                let messages: [[String: Any]] = [
                    ["role": "user", "content": prompt], ["role": "assistant", "content": said, "prefix": true],
                ]
                let body: [String: Any] = ["model": "moonrill-chat", "stream": true, "messages": messages]
                try client.send(post(String(decoding: try JSONSerialization.data(withJSONObject: body), as: UTF8.self)))
                #expect(said + (try client.response().deltas().text()) == full)
            }
        }
    }

    @Test func continuesSyntheticText() throws {
        try withServer { server in
            let said =
                #","messages":[{"role":"user","content":"x"},{"role":"assistant","content":"tok1 tok2 to"}]"#
            let deltas = try ask(server, "{\"model\":\"m\",\"stream\":true\(said)}", ["X-Moonrill-Deltas": "4"])
                .deltas()
            #expect(deltas.text() == "k3 tok4 ")
        }
    }

    @Test func exactDeltas() throws {
        try withServer { server in
            for count in [0, 1, 64, 65, 1_000] {
                let deltas = try ask(server, chat("x"), ["X-Moonrill-Deltas": "\(count)"]).deltas()
                #expect(deltas.pieces == count)
                #expect(deltas.text() == (0..<count).map { "tok\($0 + 1) " }.joined())
            }
            #expect(try ask(server, chat("x", stream: false), ["X-Moonrill-Deltas": "inf"]).status == 400)
            let limited = try ask(server, chat("x", ",\"max_tokens\":3"), ["X-Moonrill-Deltas": "inf"]).deltas()
            #expect(limited.text() == "tok1 tok2 tok3 ")
            #expect(limited.finish == "length")
        }
    }

    @Test func remembersEarlierTurns() throws {
        let messages =
            "[{\"role\":\"user\",\"content\":\"I like otters\"},{\"role\":\"assistant\",\"content\":\"Nice\"},"
            + "{\"role\":\"user\",\"content\":\"Explain why\"}]"
        let deltas = try withServer {
            try ask($0, "{\"model\":\"m\",\"stream\":true,\"messages\":\(messages)}").deltas()
        }
        #expect(deltas.text().contains("I like otters"))
    }

    @Test func jsonOnRequest() throws {
        try withServer { server in
            let object = try ask(server, chat("moons", ",\"response_format\":{\"type\":\"json_object\"}")).deltas()
                .text()
            #expect(try JSONSerialization.jsonObject(with: Data(object.utf8)) is [String: Any])
            let schema =
                #"{"type":"object","properties":{"n":{"type":"integer","minimum":5},"l":{"type":"array","#
                + "\"minItems\":2,\"items\":{\"$ref\":\"#/$defs/C\"}}},\"$defs\":{\"C\":{\"enum\":[\"red\"]}}}"
            let extra = ",\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"schema\":\(schema)}}"
            #expect(try ask(server, chat("moons", extra)).deltas().text() == "{\"n\":5,\"l\":[\"red\",\"red\"]}")
        }
    }
}

@Suite struct ToolTests {
    private static let tools =
        ",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"get_weather\",\"parameters\":{\"type\":\"object\","
        + #""properties":{"city":{"type":"string"},"days":{"type":"integer","minimum":1,"maximum":2}}}}},"#
        + #"{"type":"function","function":{"name":"get_time","parameters":{"type":"object","properties":{}}}}]"#

    private func calls(_ prompt: String, _ extra: String = "") throws -> [(id: String, name: String, arguments: String)]
    {
        let deltas = try withServer { try ask($0, chat(prompt, Self.tools + extra)).deltas() }
        var calls: [(id: String, name: String, arguments: String)] = []
        for call in deltas.compactMap(\.call) {
            let function = try #require(call["function"] as? [String: Any])
            let index = try #require(call["index"] as? Int)
            if let id = call["id"] as? String { calls.append((id, try #require(function["name"] as? String), "")) }
            calls[index].arguments += function["arguments"] as? String ?? ""
        }
        #expect((deltas.finish == "tool_calls") == !calls.isEmpty)
        return calls
    }

    @Test func callsWhatThePromptNames() throws {
        let calls = try calls("What is the weather in Tokyo?")
        #expect(calls.map(\.name) == ["get_weather"])
        #expect(calls[0].arguments == "{\"city\":\"Tokyo\",\"days\":2}")
        #expect(try self.calls("北京的天气怎么样").map(\.arguments) == ["{\"city\":\"北京\",\"days\":2}"])
        #expect(try self.calls("Tell me a joke").isEmpty)
    }

    @Test func parallelCallsHaveTheirOwnIDs() throws {
        let calls = try calls("weather and time in Paris")
        #expect(calls.map(\.name) == ["get_weather", "get_time"])
        #expect(Set(calls.map(\.id)).count == 2)
        #expect(calls[1].arguments == "{}")
        #expect(try self.calls("weather and time", ",\"parallel_tool_calls\":false").count == 1)
    }

    @Test func obeysToolChoice() throws {
        #expect(try calls("weather", ",\"tool_choice\":\"none\"").isEmpty)
        #expect(try calls("joke", ",\"tool_choice\":\"required\"").map(\.name) == ["get_weather"])
        let named = ",\"tool_choice\":{\"type\":\"function\",\"function\":{\"name\":\"get_time\"}}"
        #expect(try calls("joke", named).map(\.name) == ["get_time"])
    }

    @Test func quotesTheResult() throws {
        let messages =
            #"[{"role":"user","content":"weather in Rome"},{"role":"assistant","content":null,"tool_calls":[]},"#
            + "{\"role\":\"tool\",\"tool_call_id\":\"c\",\"content\":\"21 degrees\"}]"
        let deltas = try withServer {
            try ask($0, "{\"model\":\"m\",\"stream\":true,\"messages\":\(messages)\(Self.tools)}").deltas()
        }
        #expect(deltas.text().contains("21 degrees"))
        #expect(deltas.finish == "stop")
    }
}
