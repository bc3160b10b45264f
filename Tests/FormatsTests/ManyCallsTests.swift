// Linear time in the number of calls, blocks and items of a stream. Quadratic work takes minutes for these numbers,
// linear work a second or two in a debug build.

import Base
import Chat
import JSON
import Testing

@testable import Formats

@Suite(.serialized) struct ManyCallsTests {
    private static let count = 40_000
    private static let bound = Duration.seconds(60)

    private func run(_ dialect: WireFormat, last: [String], _ payload: (Int) -> [String]) -> StreamOutcome {
        let decoder = dialect.makeDecoder(reader: JSONReader())
        var outcome = StreamOutcome()
        let time = ContinuousClock().measure {
            do {
                for number in 0..<Self.count {
                    for payload in payload(number) {
                        try decoder.decode(.data, name: "", bytes: Array(payload.utf8).span, into: &outcome.events)
                    }
                    outcome.events.removeAll(keepingCapacity: true)
                }
                for payload in last {
                    try decoder.decode(.data, name: "", bytes: Array(payload.utf8).span, into: &outcome.events)
                }
            } catch { outcome.error = error as? APIError }
            outcome.summary = decoder.summary
            outcome.message = decoder.assistantMessage(ReplyText([]))
        }
        #expect(outcome.error == nil)
        #expect(time < Self.bound)
        return outcome
    }

    @Test(arguments: ["index", "id", "both", "none"]) func chatCompletions(key: String) {
        let outcome = run(WireFormat.openAIChat, last: ["[DONE]"]) { number in
            let names = [key != "id" && key != "none" ? #""index":\#(number),"# : "", #""id":"c\#(number)","#]
            let name = key == "index" ? names[0] : names.joined()
            return [
                #"{"choices":[{"delta":{"tool_calls":[{\#(name)"function":{"name":"f","arguments":"{"}}]}}]}"#,
                #"{"choices":[{"delta":{"tool_calls":[{\#(key == "none" ? "" : name)"function":{"arguments":"}"}}]}}]}"#,
            ]
        }
        #expect(outcome.summary.toolCalls.count == Self.count)
        #expect(outcome.summary.toolCalls.allSatisfy { $0.arguments == [:] })
    }

    @Test func oneCallWhoseNameIsRepeatedInEachPiece() {
        let outcome = run(WireFormat.openAIChat, last: ["[DONE]"]) { number in
            let piece = number == 0 ? #"[1"# : number == Self.count - 1 ? "]" : ",1"
            return [
                #"{"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"name":"f","arguments":"\#(piece)"}}]}}]}"#
            ]
        }
        #expect(outcome.summary.toolCalls.count == 1)
        #expect(outcome.summary.toolCalls.first?.arguments?.array?.count == Self.count - 1)
    }

    @Test(arguments: [true, false]) func messagesBlocks(isIndexed: Bool) {
        let outcome = run(WireFormat.anthropicMessages, last: [#"{"type":"message_stop"}"#]) { number in
            let index = isIndexed ? #""index":\#(number),"# : ""
            return [
                #"{"type":"content_block_start",\#(index)"content_block":{"type":"tool_use","id":"u","name":"f","input":{}}}"#,
                #"{"type":"content_block_delta",\#(index)"delta":{"type":"input_json_delta","partial_json":"{}"}}"#,
                #"{"type":"content_block_stop"\#(isIndexed ? ",\"index\":\(number)" : "")}"#,
            ]
        }
        #expect(outcome.summary.toolCalls.count == Self.count)
    }

    @Test func citationsOfOneBlock() {
        let outcome = run(WireFormat.anthropicMessages, last: [#"{"type":"message_stop"}"#]) { number in
            [
                #"{"type":"content_block_delta","index":0,"delta":{"type":"citations_delta","citation":{"n":\#(number)}}}"#
            ]
        }
        #expect(outcome.summary.finishReason == .other)
    }

    @Test(arguments: ["output_index", "item_id"]) func responseItems(key: String) {
        let all = (0..<Self.count).map {
            #"{"type":"function_call","id":"i\#($0)","call_id":"c\#($0)","name":"f","arguments":"{}"}"#
        }
        let output = all.joined(separator: ",")
        let outcome = run(
            WireFormat.openAIResponses, last: [#"{"type":"response.completed","response":{"output":[\#(output)]}}"#]
        ) { number in
            let item = all[number].replacing("{}", with: "")
            let place = key == "item_id" ? #""item_id":"i\#(number)""# : #""output_index":\#(number)"#
            return [
                #"{"type":"response.output_item.added",\#(place),"item":\#(item)}"#,
                #"{"type":"response.function_call_arguments.delta",\#(place),"delta":"{}"}"#,
            ]
        }
        #expect(outcome.summary.toolCalls.count == Self.count)
        #expect(outcome.summary.toolCalls.last?.id == "c\(Self.count - 1)")
    }

    @Test func theOtherDialects() {
        let cohere = run(WireFormat.cohere, last: [#"{"type":"message-end","delta":{"finish_reason":"TOOL_CALL"}}"#]) {
            number in
            [
                #"{"type":"tool-call-start","index":\#(number),"delta":{"message":{"tool_calls":{"id":"t","function":{"name":"f","arguments":""}}}}}"#,
                #"{"type":"tool-call-delta","index":\#(number),"delta":{"message":{"tool_calls":{"function":{"arguments":"{}"}}}}}"#,
            ]
        }
        #expect(cohere.summary.toolCalls.count == Self.count)
        let ollama = run(WireFormat.ollama, last: [#"{"done":true}"#]) { _ in
            [#"{"message":{"tool_calls":[{"function":{"name":"f","arguments":{}}}]}}"#]
        }
        #expect(ollama.summary.toolCalls.count == Self.count)
        let gemini = run(WireFormat.gemini, last: []) { _ in
            [#"{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","args":{}}}]}}]}"#]
        }
        #expect(gemini.summary.toolCalls.count == Self.count)
    }

    @Test func theArgumentsOfOneGeminiCall() {
        let outcome = run(WireFormat.gemini, last: [#"{"candidates":[{"content":{"parts":[{"functionCall":{}}]}}]}"#]) {
            number in
            let name = number == 0 ? #""name":"f","# : ""
            return [
                #"{"candidates":[{"content":{"parts":[{"functionCall":{\#(name)"willContinue":true,"partialArgs":[{"jsonPath":"$.a\#(number)","numberValue":1}]}}]}}]}"#
            ]
        }
        #expect(outcome.summary.toolCalls.first?.arguments?.object?.count == Self.count)
    }
}
