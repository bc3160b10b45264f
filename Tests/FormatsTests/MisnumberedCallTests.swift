// Pieces of calls under wrong indexes, and duplicate calls, in each format; ends without a finish reason.

import Chat
import JSON
import Testing

@testable import Formats

@Suite struct MisnumberedCallTests {
    private func run(_ dialect: WireFormat, _ payloads: [String]) -> StreamOutcome {
        StreamHarness.run(frames: payloads.map { (.data, "", $0) }, dialect: dialect)
    }

    private func said(_ outcome: StreamOutcome) -> [String] {
        outcome.summary.toolCalls.map { "\($0.id) \($0.name) \($0.argumentsJSON)" }
    }

    // MARK: Messages

    private static func begin(_ index: Int, _ id: String) -> String {
        #"{"type":"content_block_start","index":\#(index),"content_block":{"type":"tool_use","id":"\#(id)","name":"f","input":{}}}"#
    }

    private static func input(_ index: Int, _ json: String) -> String {
        JSONWriter.text([
            "type": "content_block_delta", "index": .int(Int64(index)),
            "delta": ["type": "input_json_delta", "partial_json": .string(json)],
        ])
    }

    private static func stop(_ index: Int) -> String { #"{"type":"content_block_stop","index":\#(index)}"# }

    @Test(arguments: [
        // A piece under an unknown index, or that of a complete call.
        [begin(0, "a"), input(7, #"{"n":"#), input(7, "1}"), stop(0), begin(1, "b"), input(8, #"{"n":2}"#), stop(1)],
        [begin(0, "a"), input(0, #"{"n":1}"#), stop(0), begin(1, "b"), input(0, #"{"n":2}"#), stop(1)],
        // One index for both.
        [begin(0, "a"), input(0, #"{"n":1}"#), stop(0), begin(0, "b"), input(0, #"{"n":2}"#), stop(0)],
        // The begin repeats under another index.
        [begin(0, "a"), begin(1, "a"), input(1, #"{"n":1}"#), stop(1), begin(2, "b"), input(2, #"{"n":2}"#), stop(2)],
        // Interleaved, each under its own index.
        [
            begin(0, "a"), begin(1, "b"), input(1, #"{"n":"#), input(0, #"{"n":1"#), input(1, "2}"), input(0, "}"),
            stop(0), stop(1),
        ],
    ]) func messagesInput(events: [String]) {
        let end = [#"{"type":"message_delta","delta":{"stop_reason":"tool_use"}}"#, #"{"type":"message_stop"}"#]
        #expect(said(run(WireFormat.anthropicMessages, events + end)) == [#"a f {"n":1}"#, #"b f {"n":2}"#])
    }

    // MARK: Responses

    private static func added(_ index: Int, _ id: String) -> String {
        #"{"type":"response.output_item.added","output_index":\#(index),"item":{"type":"function_call","id":"i\#(id)","call_id":"\#(id)","name":"f","arguments":""}}"#
    }

    private static func piece(_ index: Int?, _ id: String?, _ json: String) -> String {
        var event: JSONObject = ["type": "response.function_call_arguments.delta", "delta": .string(json)]
        if let index { event["output_index"] = .int(Int64(index)) }
        if let id { event["item_id"] = .string("i\(id)") }
        return JSONWriter.text(.object(event))
    }

    @Test(arguments: [
        // All pieces under one number, with correct ids.
        [added(0, "a"), piece(0, "a", #"{"n":1}"#), added(1, "b"), piece(0, "b", #"{"n":2}"#)],
        // Under numbers without an item, with unknown ids.
        [added(0, "a"), piece(5, "x", #"{"n":1}"#), done(0, "a"), added(1, "b"), piece(6, "y", #"{"n":2}"#)],
        // Interleaved: by number if ids change, by id if there are no numbers.
        [added(0, "a"), added(1, "b"), piece(1, "x", #"{"n":"#), piece(0, "y", #"{"n":1}"#), piece(1, "z", "2}")],
        [
            added(0, "a"), added(1, "b"), piece(nil, "b", #"{"n":"#), piece(nil, "a", #"{"n":1}"#),
            piece(nil, "b", "2}"),
        ],
    ]) func responsesArguments(events: [String]) {
        let end = #"{"type":"response.completed","response":{"status":"completed"}}"#
        #expect(said(run(WireFormat.openAIResponses, events + [end])) == [#"a f {"n":1}"#, #"b f {"n":2}"#])
    }

    private static func done(_ index: Int, _ id: String, _ number: Int = 1) -> String {
        #"{"type":"response.output_item.done","output_index":\#(index),"item":\#(whole(id, number))}"#
    }

    private static func whole(_ id: String, _ number: Int) -> String {
        #"{"type":"function_call","id":"i\#(id)","call_id":"\#(id)","name":"f","arguments":"{\"n\":\#(number)}"}"#
    }

    private static func argumentsDone(_ id: String, _ number: Int) -> String {
        #"{"type":"response.function_call_arguments.done","output_index":0,"item_id":"i\#(id)","arguments":"{\"n\":\#(number)}"}"#
    }

    /// One number for all calls, with distinct ids.
    @Test(
        arguments: [
            [
                added(0, "a"), piece(0, "a", #"{"n":1}"#), argumentsDone("a", 1), done(0, "a", 1),
                added(0, "b"), piece(0, "b", #"{"n":2}"#), argumentsDone("b", 2), done(0, "b", 2),
            ],
            // Interleaved.
            [
                added(0, "a"), added(0, "b"), piece(0, "b", #"{"n":"#), piece(0, "a", #"{"n":1}"#), piece(0, "b", "2}"),
                argumentsDone("a", 1), argumentsDone("b", 2), done(0, "a", 1), done(0, "b", 2),
            ],
            // Without pieces, begins or ends.
            [added(0, "a"), done(0, "a", 1), added(0, "b"), done(0, "b", 2)],
            [done(0, "a", 1), done(0, "b", 2)],
            [added(0, "a"), piece(0, "a", #"{"n":1}"#), added(0, "b"), piece(0, "b", #"{"n":2}"#)],
        ], ["", "\(whole("a", 1)),\(whole("b", 2))"]) func responsesCallsUnderOneIndex(events: [String], output: String)
    {
        let end = #"{"type":"response.completed","response":{"status":"completed","output":[\#(output)]}}"#
        #expect(said(run(WireFormat.openAIResponses, events + [end])) == [#"a f {"n":1}"#, #"b f {"n":2}"#])
    }

    // MARK: Chat Completions

    private static func chunk(_ id: String?, _ name: String?, _ arguments: String, isLast: Bool = false) -> String {
        var function: JSONObject = ["arguments": .string(arguments)]
        if let name { function["name"] = .string(name) }
        var call: JSONObject = ["index": 0, "function": .object(function)]
        if let id { call["id"] = .string(id) }
        var choice: JSONObject = ["index": 0, "delta": ["tool_calls": [.object(call)]]]
        if isLast { choice["finish_reason"] = "tool_calls" }
        return JSONWriter.text(["choices": [.object(choice)]])
    }

    /// A call in pieces, then complete.
    @Test(arguments: [("a", "f"), ("a", nil), (nil, "f"), (nil, nil)] as [(String?, String?)], [false, true])
    func wholeRepetition(head: (id: String?, name: String?), isLast: Bool) {
        let pieces = [Self.chunk("a", "f", #"{"n""#), Self.chunk(nil, nil, ":1}")]
        let again = Self.chunk(head.id, head.name, #"{"n":1}"#, isLast: isLast)
        let outcome = run(WireFormat.openAIChat, pieces + [again, "[DONE]"])
        #expect(said(outcome) == [#"a f {"n":1}"#])
        let twice = run(WireFormat.openAIChat, pieces + [again, again, "[DONE]"])
        #expect(said(twice) == [#"a f {"n":1}"#])
    }

    @Test func otherWholeCallIsNoRepetition() {
        let pieces = [Self.chunk("a", "f", #"{"n""#), Self.chunk(nil, nil, ":1}")]
        for number in [1, 2] {
            let other = Self.chunk("b", "f", #"{"n":\#(number)}"#, isLast: true)
            #expect(
                said(run(WireFormat.openAIChat, pieces + [other, "[DONE]"])) == [
                    #"a f {"n":1}"#, #"b f {"n":\#(number)}"#,
                ])
        }
        let unnamed = run(WireFormat.openAIChat, pieces + [Self.chunk(nil, "f", #"{"n":2}"#), "[DONE]"])
        #expect(unnamed.summary.toolCalls.map(\.argumentsJSON) == [#"{"n":1}"#, #"{"n":2}"#])
    }

    // MARK: Cohere

    @Test func cohereArguments() {
        let begin = { (index: Int, id: String) in
            #"{"type":"tool-call-start","index":\#(index),"delta":{"message":{"tool_calls":{"id":"\#(id)","type":"function","function":{"name":"f","arguments":""}}}}}"#
        }
        let piece = { (index: Int, json: String) in
            JSONWriter.text([
                "type": "tool-call-delta", "index": .int(Int64(index)),
                "delta": ["message": ["tool_calls": ["function": ["arguments": .string(json)]]]],
            ])
        }
        let end = #"{"type":"message-end","delta":{"finish_reason":"COMPLETE"}}"#
        let wanted = [#"a f {"n":1}"#, #"b f {"n":2}"#]
        for events in [
            [begin(0, "a"), piece(0, #"{"n":1}"#), begin(0, "b"), piece(0, #"{"n":2}"#)],
            [begin(0, "a"), piece(4, #"{"n":"#), piece(5, "1}"), begin(1, "b"), piece(0, #"{"n":2}"#)],
        ] {
            let outcome = run(WireFormat.cohere, events + [end])
            #expect(said(outcome) == wanted)
            #expect(outcome.summary.finishReason == .toolCalls)
        }
    }

    // MARK: Gemini and Ollama

    private static func parts(_ parts: String, _ rest: String = "") -> String {
        #"{"candidates":[{"content":{"parts":[\#(parts)]}\#(rest)}]}"#
    }

    @Test func geminiCallsThatComeTwice() {
        let call = #"{"functionCall":{"id":"a","name":"f","args":{"n":1}}}"#
        let other = #"{"functionCall":{"id":"b","name":"f","args":{"n":2}}}"#
        let outcome = run(
            WireFormat.gemini,
            [Self.parts(call), Self.parts("\(call),\(other)"), Self.parts(other, #","finishReason":"STOP""#)])
        #expect(said(outcome) == [#"a f {"n":1}"#, #"b f {"n":2}"#])
        #expect(outcome.message["native"]?["parts"]?.array?.count == 2)
    }

    @Test(arguments: ["", #""id":"a","#]) func geminiNameInEachPiece(id: String) {
        let pieces = [("$.a", "1"), ("$.b", "2")].map { path, value in
            Self.parts(
                #"{"functionCall":{\#(id)"name":"f","willContinue":true,"partialArgs":[{"jsonPath":"\#(path)","numberValue":\#(value)}]}}"#
            )
        }
        let outcome = run(
            WireFormat.gemini, pieces + [Self.parts(#"{"functionCall":{}}"#, #","finishReason":"STOP""#)])
        #expect(outcome.summary.toolCalls.map(\.arguments) == [["a": 1, "b": 2]])
    }

    @Test(arguments: [#""id":"a","function":{"#, #""function":{"index":0,"#]) func ollamaCallsThatComeTwice(
        head: String
    ) {
        let line = #"{"message":{"content":"","tool_calls":[{\#(head)"name":"f","arguments":{"n":1}}}]},"done":false}"#
        let outcome = run(WireFormat.ollama, [line, line, #"{"done":true,"done_reason":"stop"}"#])
        #expect(outcome.summary.toolCalls.map(\.name) == ["f"])
        #expect(outcome.summary.finishReason == .toolCalls)
    }

    // MARK: Ends without a reason

    private static func delta(_ arguments: String) -> String {
        JSONWriter.text([
            "choices": [
                [
                    "delta": [
                        "tool_calls": [
                            ["index": 0, "id": "a", "function": ["name": "f", "arguments": .string(arguments)]]
                        ]
                    ]
                ]
            ]
        ])
    }

    /// Arguments; whether the reply is complete with `[DONE]`, and at the end of the body without it.
    @Test(arguments: [
        (#"{"n":1}"#, true, true), ("{}", true, true), ("", true, false), (#"{"n":"#, false, false),
        (#"{"n":"}"#, false, false),
    ]) func endsWithoutReason(arguments: String, isWholeWithMark: Bool, isWholeWithout: Bool) throws {
        let marked = run(WireFormat.openAIChat, [Self.delta(arguments), "[DONE]"])
        #expect(marked.hasCleanEnd == isWholeWithMark)
        #expect(marked.summary.finishReason == (isWholeWithMark ? .toolCalls : nil))
        let decoder = WireFormat.openAIChat.makeDecoder()
        var events: [DecodedEvent] = []
        try decoder.decode(.data, name: "", bytes: [UInt8](Self.delta(arguments).utf8).span, into: &events)
        #expect(!decoder.hasCleanEnd)
        decoder.bodyEnded()
        #expect(decoder.hasCleanEnd == isWholeWithout)
        #expect(decoder.summary.finishReason == (isWholeWithout ? .toolCalls : nil))
    }
}
