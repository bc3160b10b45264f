// Endless empty pieces of tool calls: the reply does not grow, and its timeouts run. Pieces with content stop them.

import Chat
import Testing

@testable import Engine

@Suite struct EmptyPieceTests {
    struct Case: CustomTestStringConvertible {
        var dialect: String
        /// The beginning of the reply; its output.
        var opening: [String]
        /// Sent without end.
        var empty: String
        /// A piece with content.
        var piece: String
        var testDescription: String { "\(dialect): \(empty)" }
    }

    private static let call = #"{"index":0,"id":"A","type":"function","function":{"name":"get","arguments":""}}"#

    private static func openai(_ empty: String) -> Case {
        Case(
            dialect: "openai", opening: [chunk(call)], empty: chunk(empty),
            piece: chunk(#"{"index":0,"function":{"arguments":" "}}"#))
    }

    private static func chunk(_ call: String) -> String { delta(#""tool_calls":[\#(call)]"#) }
    private static func delta(_ members: String) -> String { #"{"choices":[{"index":0,"delta":{\#(members)}}]}"# }

    private static func responses(_ kind: String, _ type: String, _ empty: String) -> Case {
        Case(
            dialect: "responses",
            opening: [
                #"{"type":"response.output_item.added","output_index":0,"item":{"type":"\#(type)","call_id":"A","name":"get"}}"#
            ], empty: empty, piece: #"{"type":"response.\#(kind).delta","output_index":0,"delta":" "}"#)
    }

    private static func cohere(_ empty: String) -> Case {
        Case(
            dialect: "cohere", opening: [cohereStart], empty: empty,
            piece:
                #"{"type":"tool-call-delta","index":0,"delta":{"message":{"tool_calls":{"function":{"arguments":" "}}}}}"#
        )
    }

    private static let cohereStart =
        #"{"type":"tool-call-start","index":0,"delta":{"message":{"tool_calls":{"id":"A","function":{"name":"get"}}}}}"#

    private static func gemini(_ empty: String) -> Case {
        Case(
            dialect: "gemini", opening: [part(#""name":"get","willContinue":true"#)], empty: part(empty),
            piece: part(#""partialArgs":[{"jsonPath":"$.a","stringValue":" "}],"willContinue":true"#))
    }

    private static func part(_ call: String) -> String {
        #"{"candidates":[{"content":{"parts":[{"functionCall":{\#(call)}}]}}]}"#
    }

    static let cases = [
        openai(#"{"index":0,"function":{"arguments":""}}"#), openai(#"{"index":0}"#), openai("{}"), openai(call),
        openai(#"{"index":0,"id":null,"function":null}"#),
        openai(#"{"index":0,"id":"A","function":{"arguments":null}}"#),
        Case(
            dialect: "openai", opening: [delta(#""function_call":{"name":"get"}"#)],
            empty: delta(#""function_call":{"arguments":""}"#), piece: delta(#""function_call":{"arguments":" "}"#)),
        Case(
            dialect: "openai", opening: [delta(#""content":"a""#), delta(#""content":"b""#)],
            empty: delta(#""content":"""#), piece: delta(#""content":"c""#)),
        Case(
            dialect: "anthropic",
            opening: [
                #"{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"A","name":"get","input":{}}}"#
            ],
            empty: #"{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":""}}"#,
            piece: #"{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":" "}}"#),
        responses(
            "function_call_arguments", "function_call",
            #"{"type":"response.function_call_arguments.delta","output_index":0,"delta":""}"#),
        responses(
            "function_call_arguments", "function_call",
            #"{"type":"response.function_call_arguments.done","output_index":0,"arguments":""}"#),
        responses(
            "function_call_arguments", "function_call",
            #"{"type":"response.output_item.added","output_index":0,"item":{"type":"function_call","name":"get"}}"#),
        responses(
            "custom_tool_call_input", "custom_tool_call",
            #"{"type":"response.custom_tool_call_input.delta","output_index":0,"delta":""}"#),
        Case(
            dialect: "responses",
            opening: [
                #"{"type":"response.output_text.delta","output_index":0,"delta":"a"}"#,
                #"{"type":"response.output_text.delta","output_index":0,"delta":"b"}"#,
            ], empty: #"{"type":"response.output_text.delta","output_index":0,"delta":""}"#,
            piece: #"{"type":"response.output_text.delta","output_index":0,"delta":"c"}"#),
        cohere(
            #"{"type":"tool-call-delta","index":0,"delta":{"message":{"tool_calls":{"function":{"arguments":""}}}}}"#),
        cohere(cohereStart), gemini(#""willContinue":true"#), gemini(#""partialArgs":[],"willContinue":true"#),
        gemini(#""partialArgs":[{"jsonPath":"$.a","stringValue":""}],"willContinue":true"#),
    ]

    private func ended(_ opening: [String], _ beat: String, _ dialect: String) -> EngineHarness {
        let world = EngineHarness()
        world.start(
            1,
            EngineHarness.spec(
                dialect: dialect, retry: RetryPolicy(max: 0), timeouts: Timeouts(first: 20, idle: 10, stall: 20)))
        world.head()
        for payload in opening { world.send(events: payload) }
        world.turnAndTake()
        for _ in 0..<9 {
            world.send(events: beat)
            world.advance(5)
        }
        world.takeAll()
        return world
    }

    @Test(arguments: cases) func emptyPiecesAreAStall(_ the: Case) {
        #expect(ended(the.opening, the.empty, the.dialect).failure?.phase == .stall)
    }

    @Test(arguments: cases) func otherPiecesAreNone(_ the: Case) {
        #expect(ended(the.opening, the.piece, the.dialect).failure == nil)
    }

    @Test(arguments: [
        ("openai", chunk(#"{"index":0}"#)), ("openai", chunk(#"{"index":0,"function":{"arguments":""}}"#)),
        ("openai", chunk(#"{"index":0,"id":"","function":{"name":""}}"#)), ("openai", delta(#""function_call":{}"#)),
        ("responses", #"{"type":"response.function_call_arguments.delta","output_index":0,"delta":""}"#),
        ("responses", #"{"type":"response.output_item.added","output_index":0,"item":{"type":"function_call"}}"#),
        ("anthropic", #"{"type":"content_block_delta","delta":{"type":"input_json_delta","partial_json":""}}"#),
        ("cohere", #"{"type":"tool-call-start","index":0,"delta":{"message":{"tool_calls":{}}}}"#),
        ("gemini", part("")),
    ]) func emptyPiecesAreNoBegin(dialect: String, payload: String) {
        #expect(ended([], payload, dialect).failure?.phase == .first)
    }
}
