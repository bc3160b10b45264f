// What goes back to the provider's generateContent: signatures, and contents as other clients keep them.

import Chat
import Formats
import Foundation
import JSON
import ProviderSimulator
import Testing

private enum Content: ExchangeFormat {
    static let dialect: WireFormat = WireFormat.gemini
    static let path = "/v1beta/models/moonrill-reasoner:streamGenerateContent?alt=sse"
}

private typealias Exchange = FormatExchange<Content>

private let model = "moonrill-reasoner"

private func tool(_ name: String) -> JSONValue {
    [
        "name": .string(name),
        "parameters": [
            "type": "object",
            "properties": ["unit": ["type": "string"], "city": ["type": "string"], "x": ["type": "number"]],
        ],
    ]
}

private let tools: JSONObject = ["tools": [tool("get_weather"), tool("get_time")]]

/// A reply's contents as Google's own client keeps them: each chunk's, one after the other.
private func contents(_ reply: Exchange) throws -> [JSONValue] {
    try reply.response.text.components(separatedBy: "\r\n\r\n").dropLast().compactMap {
        try JSONReader.value(String($0.dropFirst("data: ".count)))["candidates"]?.array?.first?["content"]
    }
}

private func asked(_ text: String) -> JSONValue { ["role": "user", "parts": [["text": .string(text)]]] }

private func send(_ server: SimulatorServer, _ contents: [JSONValue]) throws -> Exchange {
    try Exchange(server, body: JSONWriter.bytes(["contents": .array(contents)]))
}

@Suite struct GeminiHistoryTests {
    /// A call is signed, or the end of a text; what was signed must come back as it was.
    @Test(arguments: ["What is the weather in Oslo?", "Explain wind"], [false, true])
    func whatWasSignedMustNotChange(prompt: String, streams: Bool) throws {
        try withServer { server in
            let first = try Exchange(server, [user(prompt)], tools, model: model, fault: streams ? nil : "whole")
            let call = first.summary.toolCalls.first
            #expect((call != nil) == prompt.contains("weather"))
            let next: JSONValue =
                call.map { ["role": "tool", "tool_call_id": .string($0.id), "content": "4 degrees"] }
                ?? user("And then?")
            let parts = try #require(first.message["native"]?["parts"]?.array)
            #expect(parts.count { $0["thoughtSignature"] != nil } == 1)
            let signed = try #require(parts.firstIndex { $0["thoughtSignature"] != nil })
            let signature = try #require(parts[signed]["thoughtSignature"]?.string)
            #expect(Data(base64Encoded: signature)?.base64EncodedString() == signature)
            #expect(!signature.contains("/") && !signature.contains("+"))

            func again(_ parts: [JSONValue]) throws -> APIError? {
                var message = try #require(first.message.object)
                message["native"] = ["dialect": "gemini", "parts": .array(parts)]
                // Parts that say other than their message are not sent.
                message["content"] = .string(
                    parts.compactMap { $0["thought"] == nil ? $0["text"]?.string : nil }.joined())
                if let call {
                    let part = try #require(parts.compactMap { $0["functionCall"] }.first)
                    message["tool_calls"] = [
                        ["id": .string(call.id), "name": .string(call.name), "arguments": part["args"] ?? [:]]
                    ]
                }
                return try Exchange(server, [user(prompt), .object(message), next], tools, model: model).error
            }
            #expect(try again(parts) == nil)
            // Thoughts need not come back.
            #expect(try again(parts.filter { $0["thought"] == nil }) == nil)
            var (forged, changed) = (parts, parts)
            forged[signed] = .object(try #require(parts[signed].object).with("thoughtSignature", "c29tZXRoaW5n"))
            if call != nil {
                let function = try #require(parts[signed]["functionCall"]?.object).with("args", ["city": "Rome"])
                changed[signed] = .object(try #require(parts[signed].object).with("functionCall", .object(function)))
            } else {
                let text = try #require(parts.firstIndex { $0["thought"] == nil && $0["text"] != "" })
                changed[text] = .object(try #require(parts[text].object).with("text", "Other words."))
            }
            for parts in [forged, changed] {
                let error = try #require(try again(parts))
                #expect(error.kind == .invalidRequest && error.message.contains("Thought signature is not valid."))
            }
        }
    }

    /// A text in many contents, its signature on an empty part at their end.
    @Test func chunksMayGoBackOneByOne() throws {
        try withServer { server in
            let first = try Exchange(server, [user("Explain wind")], model: model)
            let said = try contents(first)
            #expect(said.count > 8)
            let reply = try send(server, [asked("Explain wind")] + said + [asked("And rain?")])
            let joined = try Exchange(server, [user("Explain wind"), first.message, user("And rain?")], model: model)
            #expect(reply.error == nil && reply.text == joined.text && !reply.text.isEmpty)
            var changed = said
            changed[said.count - 3] = ["role": "model", "parts": [["text": "other words"]]]
            let refused = try send(server, [asked("Explain wind")] + changed + [asked("And rain?")])
            #expect(refused.error?.message.contains("Thought signature is not valid.") == true)
        }
    }

    /// Calls in two contents, answered in one, with members in another order and numbers written otherwise.
    @Test(arguments: [true, false]) func parallelCallsMayGoBackOneByOne(hasIDs: Bool) throws {
        try withServer { server in
            let prompt = "What is the weather and the time in Oslo?"
            let first = try Exchange(server, [user(prompt)], tools, model: model)
            #expect(first.summary.toolCalls.map(\.name) == ["get_weather", "get_time"])
            let said = try contents(first).map { content in
                var part = try #require(content["parts"]?.array?.first?.object)
                guard var call = part["functionCall"]?.object else { return content }
                call["args"] = reordered(try #require(call["args"]?.object))
                if !hasIDs { call["id"] = nil }
                part["functionCall"] = .object(call)
                return ["role": "model", "parts": [.object(part)]]
            }
            let results: [JSONValue] = first.summary.toolCalls.reversed().map {
                [
                    "functionResponse": [
                        "id": .string($0.id), "name": .string($0.name), "response": ["output": "4 degrees"],
                    ]
                ]
            }
            let answer: JSONValue = ["role": "user", "parts": .array(results)]
            let second = try send(server, [asked(prompt)] + said + [answer])
            #expect(second.error == nil && second.text.contains("4 degrees"), "\(second.response.text)")
            let half = try send(server, [asked(prompt)] + said + [["role": "user", "parts": [results[0]]]])
            #expect(half.error?.message.contains("'get_weather' has none") == true)
        }
    }

    private func reordered(_ object: JSONObject) -> JSONValue {
        var result = JSONObject()
        for member in object.reversed() {
            if case .double(let value) = member.value, let whole = Int64(exactly: value) {
                result[member.key] = .int(whole)
            } else {
                result[member.key] = member.value
            }
        }
        return .object(result)
    }

    /// Calls of this turn must be signed in Gemini 3, unless another model made them.
    @Test(arguments: [
        ("gemini-3-pro", "", "", false), ("gemini-2.5-pro", "", "", true),
        ("gemini-3-pro", #","thoughtSignature":"skip_thought_signature_validator""#, "", true),
        ("gemini-3-pro", "", #",{"role":"model","parts":[{"text":"y"}]},{"role":"user","parts":[{"text":"z"}]}"#, true),
    ])
    func gemini3WantsItsSignatures(model: String, signature: String, later: String, isTaken: Bool) throws {
        let body =
            #"{"contents":[{"role":"user","parts":[{"text":"x"}]},{"role":"model","parts":[{"functionCall":{"name":"f","#
            + #""args":{}}\#(signature)}]},{"role":"user","parts":[{"functionResponse":{"name":"f","response":{}}}]}"#
            + later + "]}"
        let reply = try withServer {
            try Exchange($0, body: Array(body.utf8), path: "/v1beta/models/\(model):generateContent")
        }
        #expect((reply.error == nil) == isTaken, "\(reply.response.text)")
        #expect(isTaken || reply.error?.message.contains("missing a thought_signature") == true)
    }

    @Test(arguments: [true, false]) func thoughtsMayBeLeftOut(included: Bool) throws {
        let body =
            #"{"contents":[{"parts":[{"text":"Hi"}]}],"generationConfig":{"thinkingConfig":{"includeThoughts":\#(included)}}}"#
        let reply = try withServer { try Exchange($0, body: Array(body.utf8)) }
        #expect(reply.reasoning.isEmpty == !included && !reply.text.isEmpty)
    }
}
