// Streams with missing, duplicate, renumbered and reordered events: the text is complete or there is an error; it is
// never damaged or duplicated.

import Chat
import Formats
import JSON
import Support
import Testing

@Suite struct ResponsesRepairTests {
    private static let whole = ResponsesStream.run(ResponsesStream.usual.payloads)
    private static let payloads = ResponsesStream.usual.payloads

    private func expectWhole(_ outcome: StreamOutcome, _ place: Comment) {
        #expect(outcome.error == nil, place)
        #expect(outcome.text == Self.whole.text, place)
        #expect(outcome.reasoning == Self.whole.reasoning, place)
        #expect(outcome.summary == Self.whole.summary, place)
        #expect(outcome.message == Self.whole.message, place)
    }

    private func expectWholeOrError(_ outcome: StreamOutcome, _ place: Comment) {
        guard let error = outcome.error else { return expectWhole(outcome, place) }
        #expect(error.kind == .protocol, place)
        #expect(error.isRetryable, place)
        #expect(!outcome.hasCleanEnd, place)
    }

    @Test func everyEventTwice() {
        for index in Self.payloads.indices {
            var doubled = Self.payloads
            doubled.insert(Self.payloads[index], at: index + 1)
            expectWhole(ResponsesStream.run(doubled), "\(Self.payloads[index]) twice")
            if index > 0 {
                doubled = Self.payloads
                doubled.insert(Self.payloads[index - 1], at: index + 1)
                expectWhole(ResponsesStream.run(doubled), "\(Self.payloads[index - 1]) again, one later")
            }
        }
        expectWhole(ResponsesStream.run(Self.payloads.flatMap { [$0, $0] }), "all twice")
    }

    @Test func oneEventMissing() {
        for index in Self.payloads.indices.dropLast() {
            var holed = Self.payloads
            let lost = holed.remove(at: index)
            expectWholeOrError(ResponsesStream.run(holed), "without \(lost)")
        }
    }

    /// Any range of events may be lost if the response comes complete at the end.
    @Test func manyEventsMissing() {
        for start in Self.payloads.indices.dropLast() {
            for stop in start..<(Self.payloads.count - 1) {
                var holed = Self.payloads
                holed.removeSubrange(start...stop)
                expectWholeOrError(ResponsesStream.run(holed), "without events \(start) to \(stop)")
            }
        }
        expectWhole(ResponsesStream.run(Self.payloads.suffix(1)), "the response alone")
    }

    @Test func deltasMissingAtTheEndOfTheirPart() {
        var deltas: [Int] = []
        for (index, payload) in Self.payloads.enumerated() {
            if payload.contains(".delta") { deltas.append(index) } else { deltas = [] }
            for count in 1...max(1, deltas.count) where !deltas.isEmpty {
                var holed = Self.payloads
                for place in deltas.suffix(count).reversed() { holed.remove(at: place) }
                guard !holed[deltas.suffix(count)[deltas.suffix(count).startIndex]].contains(".delta") else { continue }
                expectWhole(ResponsesStream.run(holed), "without \(count) deltas before \(index)")
            }
        }
    }

    @Test func twoNeighboursExchanged() {
        for index in Self.payloads.indices.dropLast(2) {
            var exchanged = Self.payloads
            exchanged.swapAt(index, index + 1)
            expectWholeOrError(ResponsesStream.run(exchanged), "events \(index) and \(index + 1) exchanged")
        }
    }

    @Test(arguments: 0..<30) func anyMixture(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        for round in 0..<40 {
            var mixed = Self.payloads
            for _ in 0..<Int.random(in: 1...6, using: &random) {
                let place = Int.random(in: 0..<(mixed.count - 1), using: &random)
                switch Int.random(in: 0..<3, using: &random) {
                case 0 where mixed.count > 2: mixed.remove(at: place)
                case 1: mixed.insert(mixed[place], at: Int.random(in: place..<mixed.count, using: &random))
                default: mixed.swapAt(place, max(0, place - Int.random(in: 1...3, using: &random)))
                }
            }
            expectWholeOrError(ResponsesStream.run(mixed), "seed \(seed), round \(round)")
        }
    }

    /// Numbers without meaning change nothing: the reply is read without them.
    @Test(arguments: ["", #""sequence_number":0,"#, #""sequence_number":-1,"#, #""sequence_number":null,"#])
    func numbersThatDoNotCount(number: String) {
        let payloads = Self.payloads.map { payload in
            payload.replacing(/"sequence_number":\d+,/, with: number)
        }
        expectWhole(ResponsesStream.run(payloads), Comment(rawValue: number))
    }

    @Test func idsAndPlacesThatChange() {
        let renamed = Self.payloads.enumerated().map { index, payload in
            payload.replacing(/"item_id":"i\d"/, with: "\"item_id\":\"x\(index)\"")
        }
        expectWhole(ResponsesStream.run(renamed), "ids that change")
        let nameless = Self.payloads.map { $0.replacing(/"output_index":\d,/, with: "") }
        expectWhole(ResponsesStream.run(nameless), "no output_index")
        let moved = Self.payloads.map { payload in
            payload.contains(".done") && payload.contains("content_index")
                ? payload.replacing(#""content_index":0"#, with: #""content_index":7"#) : payload
        }
        #expect(ResponsesStream.run(moved).text == Self.whole.text)
    }

    @Test func lateTextIsAnErrorAndWhatHarmsNobodyIsNone() throws {
        func delta(_ number: Int, _ text: String, _ kind: String = "output_text") -> String {
            #"{"type":"response.\#(kind).delta","sequence_number":\#(number),"output_index":0,"delta":"\#(text)"}"#
        }
        let damaged = ResponsesStream.run([delta(0, "a"), delta(1, "b"), delta(3, "d"), delta(2, "c")])
        let error = try #require(damaged.error)
        #expect(error.kind == .protocol)
        #expect(error.message == "the stream's text would be damaged: event 2 came after event 3 (sequence_number)")
        #expect(damaged.text == "abd")
        let harmless = ResponsesStream.run([
            delta(0, "a"), delta(1, "b"), delta(3, "r", "reasoning_text"), delta(2, "c"), delta(4, "d"),
        ])
        #expect(harmless.error == nil)
        #expect(harmless.text == "abcd")
        #expect(harmless.reasoning == "r")
    }

    @Test func aTextThatIsTidiedUpInTheEndStands() {
        let pieces = #"{"type":"response.output_text.delta","sequence_number":\#(1),"output_index":0,"delta":" a "}"#
        let done = #"{"type":"response.output_text.done","sequence_number":2,"output_index":0,"text":"a"}"#
        let end =
            #"{"type":"response.completed","sequence_number":3,"response":{"output":[{"type":"message","content":[{"type":"output_text","text":"a"}]}]}}"#
        let outcome = ResponsesStream.run([pieces, done, end])
        #expect(outcome.error == nil)
        #expect(outcome.text == " a ")
    }

    @Test func argumentsOutOfOrderAreTakenFromTheirWhole() {
        func delta(_ number: Int, _ text: String) -> String {
            #"{"type":"response.function_call_arguments.delta","sequence_number":\#(number),"output_index":0,"delta":"\#(text)"}"#
        }
        let pieces = [delta(0, "{"), delta(1, "\\\"a\\\""), delta(3, "1}"), delta(2, ":")]
        let done =
            #"{"type":"response.function_call_arguments.done","sequence_number":4,"output_index":0,"arguments":"{\"a\":1}"}"#
        let end = #"{"type":"response.completed","sequence_number":5,"response":{}}"#
        #expect(ResponsesStream.run(pieces + [done, end]).summary.toolCalls.map(\.arguments) == [["a": 1]])
        #expect(ResponsesStream.run(pieces + [end]).error?.kind == .protocol)
    }
}
