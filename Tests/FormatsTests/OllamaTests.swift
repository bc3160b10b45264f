// Ollama's own endpoint: lines and requests.

import Chat
import Formats
import HTTP
import JSON
import Testing

@Suite struct OllamaTests {
    private static func read(_ lines: String...) -> StreamOutcome {
        StreamHarness.run(frames: lines.map { (.data, "", $0) }, dialect: WireFormat.ollama)
    }

    private static func body(
        _ messages: [JSONValue] = [["role": "user", "content": "hi"]], _ parameters: JSONObject = [:],
        system: String? = nil, baseURL: String = "http://127.0.0.1:11434", isLenient: Bool = false,
        continuing: String? = nil
    ) throws -> (url: String, body: JSONValue) {
        let endpoint = Endpoint(provider: "ollama", dialect: "ollama", baseURL: baseURL)
        let request = ChatRequest(
            model: "qwen3", system: system, messages: messages, parameters: parameters, isLenient: isLenient,
            continuing: continuing)
        let sent = try WireFormat.ollama.encode(request, endpoint: endpoint, key: nil)
        return (sent.url, try JSONReader.value(sent.body))
    }

    // MARK: Reading

    @Test func thinkingTextAndTimes() throws {
        let outcome = Self.read(
            #"{"model":"q","message":{"role":"assistant","content":"","thinking":"Hm"},"done":false}"#,
            #"{"model":"q","message":{"role":"assistant","content":"Yes"},"done":false}"#,
            #"{"model":"q","message":{"content":""},"done":true,"done_reason":"stop","load_duration":1500000000,"#
                + #""prompt_eval_count":3,"prompt_eval_duration":250000000,"eval_count":4,"eval_duration":1000000}"#)
        #expect(outcome.events.prefix(3) == [.start, .reasoning("Hm"), .token("Yes")])
        #expect(outcome.summary.finishReason == .stop)
        #expect(outcome.summary.usage?.totalTokens == 7)
        #expect(outcome.summary.timings?.load == 1.5)
        #expect(outcome.summary.timings?.promptEval == 0.25)
        #expect(outcome.summary.timings?.eval == 0.001)
        #expect(outcome.isDone)
        #expect(
            outcome.message == [
                "role": "assistant", "content": "Yes", "native": ["dialect": "ollama", "thinking": "Hm"],
            ])
    }

    @Test func toolCallsComeWhole() {
        let outcome = Self.read(
            #"{"message":{"content":"","tool_calls":[{"function":{"name":"f","arguments":{"a":[1,"月"]}}},"#
                + #"{"id":"c2","function":{"index":1,"name":"g","arguments":{}}}]},"done":false}"#,
            #"{"message":{"content":""},"done":true,"done_reason":"stop"}"#)
        #expect(outcome.summary.toolCalls.map(\.name) == ["f", "g"])
        #expect(outcome.summary.toolCalls.map(\.id).last == "c2")
        #expect(outcome.summary.toolCalls[0].arguments == ["a": [1, "月"]])
        #expect(outcome.summary.toolCalls[0].argumentsJSON == #"{"a":[1,"月"]}"#)
        #expect(outcome.summary.finishReason == .toolCalls)
        #expect(outcome.summary.finishReasonRaw == "stop")
        #expect(outcome.hasOutput)
    }

    @Test(arguments: [
        (#"{"error":"model 'x' not found"}"#, "model 'x' not found"),
        (#"{"error":{"message":"broken"}}"#, "broken"),
        (#"{"StatusCode":500,"error":"an error was encountered while running the model"}"#, "an error was"),
    ]) func errors(line: String, message: String) {
        let outcome = Self.read(#"{"model":"q","message":{"content":"a"},"done":false}"#, line)
        #expect(outcome.text == "a")
        #expect(outcome.error?.message.hasPrefix(message) == true)
        #expect(!outcome.hasCleanEnd)
    }

    @Test func brokenLinesAreNamed() {
        let outcome = Self.read(#"{"message":{"content":"a"},"do"#)
        #expect(outcome.error?.kind == .protocol)
        #expect(outcome.error?.message.contains(#"{"message":{"content":"a"},"do"#) == true)
        // A marker of a proxy ends nothing.
        #expect(!Self.read("[DONE]").hasCleanEnd)
    }

    // MARK: Asking

    @Test(arguments: [
        "http://127.0.0.1:11434", "http://127.0.0.1:11434/v1", "http://127.0.0.1:11434/api",
        "http://127.0.0.1:11434/api/chat",
    ]) func addresses(baseURL: String) throws {
        #expect(try Self.body(baseURL: baseURL).url == "http://127.0.0.1:11434/api/chat")
    }

    @Test func everythingHasItsPlace() throws {
        let parameters: JSONObject = [
            "temperature": 0.5, "max_tokens": 9, "stop": "END", "seed": 7, "top_k": 3, "thinking": true,
            "keep_alive": "5m", "options": ["num_ctx": 4096],
            "response_format": ["type": "json_schema", "schema": ["type": "object"]],
            "tools": [["name": "f"]],
        ]
        #expect(
            try Self.body([["role": "user", "content": "hi"]], parameters, system: "Be brief.").body == [
                "model": "qwen3",
                "messages": [["role": "system", "content": "Be brief."], ["role": "user", "content": "hi"]],
                "stream": true,
                "tools": [
                    [
                        "type": "function",
                        "function": ["name": "f", "parameters": ["type": "object", "properties": [:]]],
                    ]
                ],
                "format": ["type": "object"], "think": true,
                "options": [
                    "num_predict": 9, "stop": ["END"], "temperature": 0.5, "top_k": 3, "seed": 7, "num_ctx": 4096,
                ],
                "keep_alive": "5m",
            ])
    }

    @Test func conversations() throws {
        let messages: [JSONValue] = [
            [
                "role": "user",
                "content": ["What is it?", ["type": "image", "media_type": "image/png", "data": "iVBO"]],
            ],
            [
                "role": "assistant", "content": "", "native": ["dialect": "ollama", "thinking": "Hm"],
                "tool_calls": [["id": "c1", "type": "function", "function": ["name": "f", "arguments": "{\"a\":1}"]]],
            ],
            ["role": "tool", "tool_call_id": "c1", "content": "7"],
        ]
        #expect(
            try Self.body(messages, continuing: "It").body["messages"] == [
                ["role": "user", "content": "What is it?", "images": ["iVBO"]],
                [
                    "role": "assistant", "content": "", "thinking": "Hm",
                    "tool_calls": [["id": "c1", "function": ["name": "f", "arguments": ["a": 1]]]],
                ],
                ["role": "tool", "content": "7", "tool_name": "f", "tool_call_id": "c1"],
                ["role": "assistant", "content": "It"],
            ])
    }

    @Test(
        arguments: [
            (["tool_choice": "required"], "tool_choice"), (["logit_bias": ["1": 2]], "logit_bias"),
            (["n": 2], "n"), (["thinking": 100], "thinking"), (["parallel_tool_calls": false], "parallel_tool_calls"),
        ] as [(JSONObject, String)]) func whatItCannotSay(parameters: JSONObject, name: String) throws
    {
        let error = #expect(throws: APIError.self) { try Self.body([["role": "user", "content": "a"]], parameters) }
        #expect(error?.message.hasPrefix("\(name) cannot be expressed for ollama (dialect \"ollama\")") == true)
        #expect(try Self.body([["role": "user", "content": "a"]], parameters, isLenient: true).body[name] == nil)
    }

    @Test func imagesByAddress() throws {
        let message: JSONValue = [
            "role": "user", "content": [["type": "image", "url": "https://e.example/a.png"]],
        ]
        let error = #expect(throws: APIError.self) { try Self.body([message]) }
        #expect(error?.message.hasPrefix("messages[1].content[1] cannot be expressed") == true)
    }
}
