// The limit of a continued reply under each of its names.

import Chat
import Formats
import JSON
import Testing

@Suite struct OutputLimitTests {
    @Test(
        arguments: [
            (["max_tokens": 20], 5, ["max_tokens": 15]),
            (["max_completion_tokens": 20], 5, ["max_completion_tokens": 15]),
            (["max_output_tokens": 20], 5, ["max_output_tokens": 15]), (["num_predict": 20], 5, ["num_predict": 15]),
            (["options": ["num_predict": 20, "x": 1]], 5, ["options": ["num_predict": 15, "x": 1]]),
            (
                ["generationConfig": ["maxOutputTokens": 20]], 5, ["generationConfig": ["maxOutputTokens": 15]]
            ),
            (["parameters": ["max_new_tokens": 20]], 5, ["parameters": ["max_new_tokens": 15]]),
            (["max_tokens": 20], 20, ["max_tokens": 1]), (["max_tokens": 20], 9_000, ["max_tokens": 1]),
            (["max_tokens": 20], 0, ["max_tokens": 20]), (["max_tokens": -1], 5, ["max_tokens": -1]),
            (["num_predict": -1], 5, ["num_predict": -1]), (["max_tokens": "20"], 5, ["max_tokens": "20"]),
            ([:], 5, [:]),
        ] as [(JSONObject, Int64, JSONObject)])
    func lowered(_ given: JSONObject, by arrived: Int64, _ expected: JSONObject) {
        var request = ChatRequest(model: "m", messages: [], parameters: given)
        request.lowerOutputLimit(by: arrived)
        #expect(request.parameters == expected)
    }

    @Test(
        arguments: [
            ("openai", ["max_tokens": 50], Quirks(continuation: .prefill), "max_tokens", 40),
            (
                "openai", ["max_tokens": 50],
                Quirks(continuation: .prefill, lengthField: .maxCompletionTokens), "max_completion_tokens", 40
            ),
            ("openai", ["n_predict": 50], Quirks(continuation: .prefill), "n_predict", 40),
            ("openai", [:], Quirks(continuation: .prefill), "max_tokens", nil),
            ("anthropic", ["max_tokens": 50], Quirks(continuation: .prefill), "max_tokens", 40),
            ("anthropic", ["max_tokens": 5], Quirks(continuation: .prefill), "max_tokens", 1),
            ("anthropic", [:], Quirks(continuation: .prefill), "max_tokens", 8182),
        ] as [(String, JSONObject, Quirks, String, Int64?)])
    func theLimitIsThatOfTheWholeReply(
        dialect: String, parameters: JSONObject, quirks: Quirks, name: String, limit: Int64?
    ) throws {
        let body = try History.body(
            dialect, [History.user], parameters, quirks: quirks, continuing: "Once", arrived: 10)
        #expect(body[name]?.int == limit)
    }

    @Test func theLimitUnderOtherNames() throws {
        let ollama = try History.body("ollama", [History.user], ["max_tokens": 50], continuing: "Once", arrived: 10)
        #expect(ollama["options"]?["num_predict"] == 40)
        let tgi = try History.body("tgi", [History.user], ["max_tokens": 50], continuing: "Once", arrived: 10)
        #expect(tgi["parameters"]?["max_new_tokens"] == 40)
        // Formats without continuation still request fewer tokens.
        let gemini = try History.body("gemini", [History.user], ["max_tokens": 50], arrived: 10)
        #expect(gemini["generationConfig"]?["maxOutputTokens"] == 40)
        let responses = try History.body("responses", [History.user], ["max_tokens": 50], arrived: 10)
        #expect(responses["max_output_tokens"] == 40)
    }
}
