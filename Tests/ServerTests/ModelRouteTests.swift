// Paths of providers, lists of models, and what the callers' options become.

import Chat
import Formats
import HTTP
import JSON
import Testing

@testable import Server

@Suite struct ModelRouteTests {
    private static let models = ["small", "org/large:8b"]

    private static func find(_ target: String, _ headers: HTTPHeaders = [:]) -> ModelRoute? {
        ModelRoute.find(RequestTarget(target), headers: headers, models: models)
    }

    @Test(arguments: [
        ("/v1/chat/completions", "openai"), ("/v1/responses", "responses"), ("/openai/v1/responses", "responses"),
        ("/v1/messages", "anthropic"), ("/v1/messages?beta=true", "anthropic"),
        ("/v1beta/models/small:generateContent", "gemini"),
        ("/v1beta/models/small:streamGenerateContent?alt=sse", "gemini"), ("/api/chat", "ollama"),
        ("/v2/chat", "cohere"), ("/v1/v2/chat", "cohere"), ("/generate_stream", "tgi"), ("/generate", "tgi"),
    ]) func replies(_ target: String, _ name: String) throws {
        guard case .reply(let format)? = Self.find(target) else {
            Issue.record("\(target) is not found")
            return
        }
        #expect(format.name == name)
        #expect(Self.find(target)?.method == "POST")
        // Only one format has the path.
        let claims = FormatCatalog.all.filter {
            if case .reply? = $0.server?.requests.route(RequestTarget(target), models: Self.models) {
                true
            } else {
                false
            }
        }
        #expect(claims.map(\.name) == [name])
    }

    @Test func framings() {
        #expect(Self.find("/v1beta/models/small:streamGenerateContent")?.format.framing == .jsonArray)
        #expect(Self.find("/api/chat")?.format.framing == .newlineDelimitedJSON)
    }

    @Test(arguments: ["/v1/models", "/v1/models/small", "/v1beta/models", "/api/tags", "/api/version"])
    func documents(_ target: String) throws {
        let route = try #require(Self.find(target))
        guard case .document = route else {
            Issue.record("\(target) is no document")
            return
        }
        #expect(route.method == "GET")
    }

    @Test func lists() throws {
        guard case .document(let list, let format)? = Self.find("/v1/models") else {
            Issue.record("no list")
            return
        }
        #expect(format.name == "openai" && list["object"] == "list")
        #expect(list["data"]?.array?.compactMap { $0["id"]?.string } == Self.models)
        guard
            case .document(let other, let anthropic)? = Self.find(
                "/v1/models?limit=20", ["Anthropic-Version": "2023-06-01"])
        else {
            Issue.record("no list of Anthropic's")
            return
        }
        #expect(anthropic.name == "anthropic" && other["has_more"] == false && other["first_id"] == "small")
        #expect(other["data"]?.array?.allSatisfy { $0["type"] == "model" } == true)
        // Names are encoded in paths.
        for target in ["/v1/models/org/large:8b", "/v1/models/org%2Flarge%3A8b"] {
            for headers in [[:], ["anthropic-version": "x"]] as [HTTPHeaders] {
                guard case .document(let model, _)? = Self.find(target, headers) else {
                    Issue.record("\(target) is not found")
                    continue
                }
                #expect(model["id"] == "org/large:8b")
            }
        }
        for target in ["/v1/models/other", "/", "/stream", "/v1/chat%2Fcompletions", "/models/small:other"] {
            #expect(Self.find(target) == nil)
        }
    }

    @Test func modelNames() throws {
        #expect(try ModelList.index(of: "org/large:8b", among: Self.models) == 1)
        #expect(try ModelList.index(of: "", among: Self.models) == 0)
        let error = try #require(throws: ReplyError.self) { try ModelList.index(of: "smal", among: Self.models) }
        #expect(error.status == 404 && error.code == "model_not_found" && error.message.contains("'small'"))
        for target in ["/v1beta/models/org/large:8b:generateContent", "/v1beta/models/org%2Flarge:8b:generateContent"] {
            let format = try #require(Self.find(target)).format
            let body = #"{"contents":[{"parts":[{"text":"Hi"}]}]}"#
            #expect(try format.request(Array(body.utf8), target: RequestTarget(target)).chat.model == "org/large:8b")
        }
    }

    // MARK: Requests

    private static func decoded(_ target: String, _ body: String) throws -> DecodedRequest {
        let format = try #require(find(target)).format
        return try format.request(Array(body.utf8), target: RequestTarget(target))
    }

    private static let schema = #"{"type":"object","properties":{"city":{"type":"string"}}}"#
    private static let function = #"{"name":"f","description":"d","parameters":\#(schema)}"#
    private static let messages =
        #""messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"Hi"}]"#

    /// What a caller sends in a format's own words arrives by the common names.
    @Test(
        arguments: [
            (
                "/v1/chat/completions",
                #"{"model":"small",\#(messages),"max_completion_tokens":9,"temperature":0.5,"top_p":0.25,"seed":7,"#
                    + #""stop":["END"],"presence_penalty":0.1,"frequency_penalty":0.2,"logit_bias":{"5":1},"logprobs":true,"#
                    + #""top_logprobs":2,"n":1,"user":"u","parallel_tool_calls":false,"reasoning_effort":"low","#
                    + #""tools":[{"type":"function","function":\#(function)}],"tool_choice":"required","#
                    + #""response_format":{"type":"json_object"}}"#,
                [
                    "max_tokens", "temperature", "top_p", "seed", "stop", "presence_penalty", "frequency_penalty",
                    "logit_bias", "logprobs", "top_logprobs", "user", "parallel_tool_calls", "reasoning_effort",
                    "tools",
                    "tool_choice", "response_format",
                ]
            ),
            (
                "/v1/responses",
                #"{"model":"small","instructions":"Be brief.","input":"Hi","max_output_tokens":9,"temperature":0.5,"#
                    + #""top_p":0.25,"top_logprobs":2,"user":"u","parallel_tool_calls":false,"reasoning":{"effort":"low"},"#
                    + #""tools":[{"type":"function","name":"f","description":"d","parameters":\#(schema)}],"#
                    + #""tool_choice":"required","text":{"format":{"type":"json_object"}}}"#,
                [
                    "max_tokens", "temperature", "top_p", "top_logprobs", "user", "parallel_tool_calls",
                    "reasoning_effort",
                    "tools", "tool_choice", "response_format",
                ]
            ),
            (
                "/v1/messages",
                #"{"model":"small","system":"Be brief.","messages":[{"role":"user","content":"Hi"}],"max_tokens":9,"#
                    + #""temperature":0.5,"top_p":0.25,"top_k":4,"stop_sequences":["END"],"metadata":{"user_id":"u"},"#
                    + #""tools":[{"name":"f","description":"d","input_schema":\#(schema)}],"thinking":{"type":"disabled"},"#
                    + #""tool_choice":{"type":"any","disable_parallel_tool_use":true},"output_config":{"effort":"low"}}"#,
                [
                    "max_tokens", "temperature", "top_p", "top_k", "stop", "user", "tools", "tool_choice",
                    "parallel_tool_calls", "thinking", "reasoning_effort",
                ]
            ),
            (
                "/v1beta/models/small:generateContent",
                #"{"systemInstruction":{"parts":[{"text":"Be brief."}]},"contents":[{"parts":[{"text":"Hi"}]}],"#
                    + #""tools":[{"functionDeclarations":[\#(function)]}],"#
                    + #""toolConfig":{"functionCallingConfig":{"mode":"ANY"}},"generationConfig":{"maxOutputTokens":9,"#
                    + #""temperature":0.5,"topP":0.25,"topK":4,"seed":7,"stopSequences":["END"],"presencePenalty":0.1,"#
                    + #""frequencyPenalty":0.2,"responseMimeType":"application/json","#
                    + #""thinkingConfig":{"includeThoughts":true}}}"#,
                [
                    "max_tokens", "temperature", "top_p", "top_k", "seed", "stop", "presence_penalty",
                    "frequency_penalty",
                    "tools", "tool_choice", "response_format", "thinking",
                ]
            ),
            (
                "/api/chat",
                #"{"model":"small",\#(messages),"think":true,"format":"json","#
                    + #""tools":[{"type":"function","function":\#(function)}],"options":{"num_predict":9,"temperature":0.5,"#
                    + #""top_p":0.25,"top_k":4,"min_p":0.1,"seed":7,"stop":["END"]}}"#,
                [
                    "max_tokens", "temperature", "top_p", "top_k", "min_p", "seed", "stop", "tools", "thinking",
                    "response_format",
                ]
            ),
            (
                "/v2/chat",
                #"{"model":"small",\#(messages),"max_tokens":9,"temperature":0.5,"p":0.25,"k":4,"seed":7,"#
                    + #""stop_sequences":["END"],"presence_penalty":0.1,"frequency_penalty":0.2,"#
                    + #""thinking":{"type":"enabled"},"tools":[{"type":"function","function":\#(function)}],"#
                    + #""tool_choice":"REQUIRED","response_format":{"type":"json_object"}}"#,
                [
                    "max_tokens", "temperature", "top_p", "top_k", "seed", "stop", "presence_penalty",
                    "frequency_penalty",
                    "thinking", "tools", "tool_choice", "response_format",
                ]
            ),
            (
                "/generate",
                #"{"inputs":"Be brief.\nUser: Hi\nAssistant:","parameters":{"max_new_tokens":9,"temperature":0.5,"#
                    + #""top_p":0.25,"top_k":4,"seed":7,"stop":["END"],"grammar":{"type":"json","value":{"type":"object"}}}}"#,
                ["max_tokens", "temperature", "top_p", "top_k", "seed", "stop", "response_format"]
            ),
        ] as [(String, String, [String])]) func options(_ target: String, _ body: String, _ names: [String]) throws
    {
        let request = try Self.decoded(target, body)
        let parameters = request.chat.parameters
        let expected: JSONObject = [
            "max_tokens": 9, "temperature": 0.5, "top_p": 0.25, "top_k": 4, "min_p": 0.1, "seed": 7, "stop": ["END"],
            "presence_penalty": 0.1, "frequency_penalty": 0.2, "logit_bias": ["5": 1], "logprobs": true,
            "top_logprobs": 2, "user": "u", "parallel_tool_calls": false, "reasoning_effort": "low",
            "tool_choice": "required", "response_format": ["type": "json_object"],
            "thinking": .bool(target != "/v1/messages"),
        ]
        for name in names where name != "tools" { #expect(parameters[name] == expected[name], "\(name)") }
        if names.contains("tools") {
            let tool = parameters["tools"]?.array?.first?["function"]
            let schema = try JSONReader.value(Self.schema)
            #expect(tool?["name"] == "f" && tool?["description"] == "d" && tool?["parameters"] == schema)
        }
        #expect(Set(parameters.map(\.key)) == Set(names))
        #expect(request.chat.system == "Be brief." && request.chat.messages == [["role": "user", "content": "Hi"]])
    }

    /// A client sends back what it got: signatures of this server's encoders, which no provider accepts, or a provider's own.
    @Test func opaqueParts() throws {
        let thinking = #"{"type":"thinking","thinking":"t","signature":"any"}"#
        let anthropic = try Self.decoded(
            "/v1/messages",
            #"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":["#
                + thinking + #",{"type":"text","text":"A"}]},{"role":"user","content":"B"},"#
                + #"{"role":"assistant","content":[\#(thinking)]},{"role":"user","content":"C"}]}"#)
        #expect(
            anthropic.chat.messages == [
                ["role": "user", "content": "Hi"], ["role": "assistant", "content": "A"],
                ["role": "user", "content": "B"], ["role": "user", "content": "C"],
            ])
        let gemini = try Self.decoded(
            "/v1beta/models/gemini-3-pro:generateContent",
            #"{"contents":[{"parts":[{"text":"Hi"}]},{"role":"model","parts":[{"text":"t","thought":true},"#
                + #"{"functionCall":{"id":"c","name":"f","args":{}},"thoughtSignature":"any"},{"thoughtSignature":"x"}]},"#
                + #"{"role":"user","parts":[{"functionResponse":{"id":"c","name":"f","response":{"result":"R"}}}]}]}"#)
        #expect(gemini.chat.messages.count == 3 && gemini.chat.messages[1]["native"] == nil)
        #expect(gemini.chat.messages[1]["tool_calls"]?.array?.count == 1)
        let responses = try Self.decoded(
            "/v1/responses",
            #"{"model":"m","input":[{"role":"user","content":"Hi"},{"type":"reasoning","id":"rs_1","summary":[],"#
                + #""encrypted_content":"any"},{"type":"message","role":"assistant","id":"msg_1","content":"#
                + #"[{"type":"output_text","text":"A"}]},{"role":"user","content":"B"}]}"#)
        #expect(responses.chat.messages.map { $0["content"] } == ["Hi", "A", "B"])
        #expect(responses.chat.messages.allSatisfy { $0["native"] == nil })
    }

    /// No client reads files of the server or asks for several choices.
    @Test func untrustedRequests() throws {
        let path = #"{"type":"image","path":"/etc/passwd"}"#
        for (target, body) in [
            ("/v1/chat/completions", #"{"model":"m","messages":[{"role":"user","content":[\#(path)]}]}"#),
            ("/v1/messages", #"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":[\#(path)]}]}"#),
            ("/v2/chat", #"{"model":"m","messages":[{"role":"user","content":[\#(path)]}]}"#),
            (
                "/v1beta/models/m:generateContent",
                #"{"contents":[{"parts":[{"executableCode":{},"type":"image","path":"/etc/passwd"}]}]}"#
            ),
        ] {
            let error = try #require(throws: ReplyError.self) { try Self.decoded(target, body) }
            #expect(error.status == 400 && error.message.contains("must not have a path"))
        }
        let choices = #"{"model":"m","n":2,"messages":[{"role":"user","content":"Hi"}]}"#
        let error = try #require(throws: ReplyError.self) { try Self.decoded("/v1/chat/completions", choices) }
        #expect(error.parameter == "n")
        let image = try Self.decoded(
            "/api/chat", #"{"model":"m","messages":[{"role":"user","content":"x","images":["iVBORw0KGgo="]}]}"#)
        #expect(image.chat.messages[0]["content"]?.array?.last?["media_type"] == "image/png")
    }
}
