// The limit of a continued reply, under every name that a request gives it.

import Dialects
import Testing
import Wire

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
}
