// Tool calls in the pieces that servers send.

import Chat
import JSON
import Testing

@testable import Formats

@Suite struct OpenAIToolCallTests {
    private func calls(_ deltas: String...) -> [JSONValue] {
        let frames = deltas.map { delta -> (FrameKind, String, String) in
            (.data, "", "{\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[\(delta)]}}]}")
        }
        return StreamHarness.run(frames: frames).summary.toolCalls.map {
            [
                .string(LocalCallIDs.isLocal($0.id) ? "" : $0.id), .string($0.name), .string($0.argumentsJSON),
                $0.arguments ?? .null,
            ]
        }
    }

    @Test func piecesByIndex() {
        #expect(
            calls(
                #"{"index":0,"id":"a","function":{"name":"f","arguments":""}}"#,
                #"{"index":1,"id":"b","function":{"name":"g","arguments":"{\"y\""}}"#,
                #"{"index":0,"function":{"arguments":"{\"x\":"}}"#, #"{"index":0,"function":{"arguments":"1}"}}"#,
                #"{"index":1,"function":{"arguments":":2}"}}"#)
                == [["a", "f", #"{"x":1}"#, ["x": 1]], ["b", "g", #"{"y":2}"#, ["y": 2]]])
    }

    @Test func orderIsByIndex() {
        #expect(
            calls(
                #"{"index":3,"id":"b","function":{"name":"g","arguments":"{}"}}"#,
                #"{"index":1,"id":"a","function":{"name":"f","arguments":"{}"}}"#)
                == [["a", "f", "{}", [:]], ["b", "g", "{}", [:]]])
    }

    @Test func withoutIndex() {
        #expect(
            calls(
                #"{"id":"a","function":{"name":"f","arguments":"{\"x\":"}},{"id":"b","function":{"name":"g","arguments":"{}"}}"#,
                #"{"id":"a","function":{"name":"f","arguments":"1}"}}"#)
                == [["a", "f", #"{"x":1}"#, ["x": 1]], ["b", "g", "{}", [:]]])
        #expect(
            calls(
                #"{"id":"a","function":{"name":"f","arguments":"{\"x\""}}"#, #"{"function":{"arguments":":1}"}}"#)
                == [["a", "f", #"{"x":1}"#, ["x": 1]]])
    }

    @Test func withoutIndexAndId() {
        // Complete calls, from servers that do not send fragments.
        #expect(
            calls(#"{"function":{"name":"f","arguments":{"x":1}}},{"function":{"name":"f","arguments":{"x":2}}}"#)
                == [["", "f", #"{"x":1}"#, ["x": 1]], ["", "f", #"{"x":2}"#, ["x": 2]]])
        #expect(
            calls(#"{"function":{"name":"f","arguments":"{}"}}"#, #"{"function":{"name":"f","arguments":"{}"}}"#)
                == [["", "f", "{}", [:]], ["", "f", "{}", [:]]])
        #expect(calls(#"{"name":"f","arguments":"{}"}"#) == [["", "f", "{}", [:]]])
    }

    @Test func twoCallsShareAnIndex() {
        #expect(
            calls(
                #"{"index":0,"id":"a","function":{"name":"f","arguments":"{}"}}"#,
                #"{"index":0,"id":"b","function":{"name":"f","arguments":"{}"}}"#)
                == [["a", "f", "{}", [:]], ["b", "f", "{}", [:]]])
        // Without ids, a whole object is the boundary.
        #expect(
            calls(
                #"{"index":0,"function":{"name":"f","arguments":"{\"x\":\"}\"}"}}"#,
                #"{"index":0,"function":{"name":"g","arguments":"{}"}}"#)
                == [["", "f", #"{"x":"}"}"#, ["x": "}"]], ["", "g", "{}", [:]]])
    }

    @Test(arguments: [
        #""id":"","function":{"arguments":"1}"}"#, #""id":null,"function":{"name":null,"arguments":"1}"}"#,
        #""id":"a","function":{"name":"f","arguments":"1}"}"#, #""function":{"name":"","arguments":"1}"}"#,
        #""id":"other","function":{"arguments":"1}"}"#,
    ]) func continuations(rest: String) {
        #expect(
            calls(#"{"index":0,"id":"a","function":{"name":"f","arguments":"{\"x\":"}}"#, "{\"index\":0,\(rest)}")
                == [["a", "f", #"{"x":1}"#, ["x": 1]]])
    }

    @Test(arguments: [["get_", "weather"], ["get_", "get_weather"], ["get_weather", "get_weather"]])
    func namesInPieces(pieces: [String]) {
        #expect(
            calls(
                "{\"index\":0,\"id\":\"a\",\"function\":{\"name\":\"\(pieces[0])\"}}",
                "{\"index\":0,\"id\":\"a\",\"function\":{\"name\":\"\(pieces[1])\",\"arguments\":\"{}\"}}")
                == [["a", "get_weather", "{}", [:]]])
    }

    @Test(
        arguments: [
            (#""arguments":"""#, "", [:] as JSONValue), (#""arguments":null"#, "", [:]),
            (#""arguments":"null""#, "null", [:]),
            (#""arguments":{"x":[1,null]}"#, #"{"x":[1,null]}"#, ["x": [1, .null]]),
            (#""arguments":"{\"x\":""#, #"{"x":"#, .null), (#""arguments":" {} ""#, " {} ", [:]),
        ] as [(String, String, JSONValue)]) func argumentShapes(member: String, text: String, value: JSONValue)
    {
        #expect(
            calls("{\"index\":0,\"id\":\"a\",\"function\":{\"name\":\"f\",\(member)}}") == [
                ["a", "f", .string(text), value]
            ])
    }

    @Test func legacyFunctionCall() {
        let outcome = StreamHarness.run(
            #"{"choices":[{"index":0,"delta":{"function_call":{"name":"f","arguments":""}}}]}"#,
            #"{"choices":[{"index":0,"delta":{"function_call":{"arguments":"{\"x\":1}"}}}]}"#,
            #"{"choices":[{"index":0,"delta":{},"finish_reason":"function_call"}]}"#)
        #expect(outcome.summary.toolCalls.map(\.name) == ["f"])
        #expect(outcome.summary.toolCalls.map(\.argumentsJSON) == [#"{"x":1}"#])
        #expect(outcome.summary.finishReason == .toolCalls)
    }

    @Test func stopWithCallsWaitsForResults() {
        let outcome = StreamHarness.run(
            #"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"f"}}]},"finish_reason":"stop"}]}"#
        )
        #expect(outcome.summary.finishReason == .toolCalls)
        #expect(outcome.summary.finishReasonRaw == "stop")
        #expect(outcome.hasOutput)
    }

    @Test func messageKeepsCallsAndSignatures() {
        let outcome = StreamHarness.run(
            #"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{\"x\": 1}"},"extra_content":{"google":{"thought_signature":"S=="}}},{"index":1,"id":"b","function":{"name":"g"}}]}}]}"#
        )
        #expect(
            outcome.message == [
                "role": "assistant", "content": .null,
                "tool_calls": [
                    [
                        "id": "a", "type": "function", "function": ["name": "f", "arguments": #"{"x": 1}"#],
                        "extra_content": ["google": ["thought_signature": "S=="]],
                    ],
                    ["id": "b", "type": "function", "function": ["name": "g", "arguments": "{}"]],
                ],
            ])
    }
}
