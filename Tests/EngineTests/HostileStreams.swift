// Streams of each format with numbers in each numeric place, and their mutations. Deterministic by seed.

import Formats
import HTTP
import Support

enum HostileStreams {
    static let dialects = FormatCatalog.names

    /// A complete reply, frame by frame.
    static func frames(of dialect: String) -> [String] {
        switch dialect {
        case "ollama": ollama.map { $0 + "\n" }
        case "gemini", "tgi": (dialect == "tgi" ? tgi : gemini).map { "data: \($0)\n\n" }
        case "openai": openAI.map { "data: \($0)\n\n" }
        case "cohere": cohere.map { "event: \($0.name)\ndata: \($0.payload)\n\n" }
        case "anthropic": anthropic.map { "event: \($0.name)\ndata: \($0.payload)\n\n" }
        case "responses": responses.map { "event: \($0.name)\ndata: \($0.payload)\n\n" }
        default: fatalError("HostileStreams has no frames of the format \(dialect)")
        }
    }

    private static let openAI: [String] = [
        ##"{"id":"c","model":"m","created":1,"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}"##,
        ##"{"id":"c","model":"m","created":1,"choices":[{"index":0,"delta":{"reasoning_content":"so"}}],"usage":null}"##,
        ##"{"id":"c","model":"m","created":1,"choices":[{"index":0,"delta":{"content":"Hello"}}]}"##,
        ##"{"id":"c","model":"m","created":1,"choices":[{"index":0,"delta":{"content":" moon"}}]}"##,
        ##"{"id":"c","model":"m","created":1,"choices":[{"index":0,"delta":{"content":" light"}}]}"##,
        ##"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{\"n"}}]}}]}"##,
        ##"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"\":1}"}}]}}]}"##,
        ##"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":1,"id":2,"function":{"name":"g","arguments":{"x":3}}}]}}]}"##,
        ##"{"choices":[{"index":0,"delta":{"reasoning_details":[{"type":"reasoning.text","text":"t","index":0}]}}]}"##,
        ##"{"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls","usage":{"prompt_tokens":3,"completion_tokens":4}}]}"##,
        ##"{"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7,"completion_tokens_details":{"reasoning_tokens":1},"prompt_tokens_details":{"cached_tokens":2}},"x_groq":{"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7,"prompt_time":0.1}}}"##,
        ##"{"error":{"message":"late","code":429,"status":429,"details":[{"retryDelay":"3s"}]},"usage":{"prompt_tokens":1}}"##,
        "[DONE]",
    ]

    private static let responses: [(name: String, payload: String)] = [
        ##"{"type":"response.created","sequence_number":0,"response":{"id":"r","created_at":1,"status":"in_progress","model":"m","output":[]}}"##,
        ##"{"type":"response.output_item.added","sequence_number":1,"output_index":0,"item":{"id":"i","type":"message","content":[]}}"##,
        ##"{"type":"response.output_text.delta","sequence_number":2,"output_index":0,"content_index":0,"item_id":"i","delta":"Hello"}"##,
        ##"{"type":"response.output_text.delta","sequence_number":3,"output_index":0,"content_index":0,"item_id":"i","delta":" moon"}"##,
        ##"{"type":"response.output_text.delta","sequence_number":4,"output_index":0,"content_index":0,"item_id":"i","delta":" light"}"##,
        ##"{"type":"response.output_text.done","sequence_number":5,"output_index":0,"content_index":0,"item_id":"i","text":"Hello moon light"}"##,
        ##"{"type":"response.output_item.done","sequence_number":6,"output_index":0,"item":{"id":"i","type":"message","content":[{"type":"output_text","text":"Hello moon light","annotations":[{"type":"url_citation","start_index":0,"end_index":5}]}]}}"##,
        ##"{"type":"response.reasoning_summary_text.delta","sequence_number":7,"output_index":1,"summary_index":0,"item_id":"s","delta":"so"}"##,
        ##"{"type":"response.output_item.added","sequence_number":8,"output_index":2,"item":{"id":"f","type":"function_call","call_id":"c","name":"f","arguments":""}}"##,
        ##"{"type":"response.function_call_arguments.delta","sequence_number":9,"output_index":2,"item_id":"f","delta":"{\"n\":1}"}"##,
        ##"{"type":"response.function_call_arguments.done","sequence_number":10,"output_index":2,"item_id":"f","arguments":"{\"n\":1}"}"##,
        ##"{"type":"response.completed","sequence_number":11,"response":{"id":"r","status":"completed","model":"m","output":[{"id":"i","type":"message","content":[{"type":"output_text","text":"Hello moon light"}]},{"id":"f","type":"function_call","call_id":"c","name":"f","arguments":"{\"n\":1}"}],"usage":{"input_tokens":3,"output_tokens":4,"total_tokens":7,"input_tokens_details":{"cached_tokens":2},"output_tokens_details":{"reasoning_tokens":1}}}}"##,
    ].map { (name: String($0.dropFirst(9).prefix { $0 != "\"" }), payload: $0) }

    private static let anthropic: [(name: String, payload: String)] = [
        ##"{"type":"message_start","message":{"id":"m","type":"message","role":"assistant","model":"m","content":[],"usage":{"input_tokens":3,"cache_read_input_tokens":2,"cache_creation_input_tokens":1,"output_tokens":1}}}"##,
        ##"{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}"##,
        ##"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"so"}}"##,
        ##"{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"c2ln"}}"##,
        ##"{"type":"content_block_stop","index":0}"##,
        ##"{"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}"##,
        ##"{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"Hello"}}"##,
        ##"{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":" moon"}}"##,
        ##"{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":" light"}}"##,
        ##"{"type":"content_block_delta","index":1,"delta":{"type":"citations_delta","citation":{"type":"char_location","start_char_index":0,"end_char_index":5}}}"##,
        ##"{"type":"content_block_stop","index":1}"##,
        ##"{"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"u","name":"f","input":{}}}"##,
        ##"{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{\"n\":1}"}}"##,
        ##"{"type":"content_block_stop","index":2}"##,
        ##"{"type":"message_delta","delta":{"stop_reason":"tool_use","container":{"id":"x","expires_at":1}},"usage":{"output_tokens":9,"output_tokens_details":{"thinking_tokens":2}}}"##,
        ##"{"type":"message_stop"}"##,
    ].map { (name: String($0.dropFirst(9).prefix { $0 != "\"" }), payload: $0) }

    private static let gemini: [String] = [
        ##"{"candidates":[{"index":0,"content":{"parts":[{"text":"so","thought":true}]}}],"usageMetadata":{"promptTokenCount":3,"thoughtsTokenCount":1,"totalTokenCount":4},"modelVersion":"m","responseId":"r"}"##,
        ##"{"candidates":[{"index":0,"content":{"parts":[{"text":"Hello"}]}}],"usageMetadata":{"promptTokenCount":3,"candidatesTokenCount":1,"totalTokenCount":5}}"##,
        ##"{"candidates":[{"index":0,"content":{"parts":[{"text":" moon"}]}}],"usageMetadata":{"promptTokenCount":3,"candidatesTokenCount":2,"totalTokenCount":6}}"##,
        ##"{"candidates":[{"index":0,"content":{"parts":[{"text":" light"}]}}],"usageMetadata":{"promptTokenCount":3,"candidatesTokenCount":3,"totalTokenCount":7}}"##,
        ##"{"candidates":[{"index":0,"content":{"parts":[{"functionCall":{"name":"f","args":{"n":1}}}]}}]}"##,
        ##"{"candidates":[{"index":0,"content":{"parts":[{"functionCall":{"name":"g","willContinue":true,"partialArgs":[{"jsonPath":"$.a[0]","numberValue":1}]}}]}}]}"##,
        ##"{"candidates":[{"index":0,"content":{"parts":[{"functionCall":{"partialArgs":[{"jsonPath":"$.a[1].b","stringValue":"x"}]}}]}}]}"##,
        ##"{"candidates":[{"index":0,"finishReason":"STOP","citationMetadata":{"citations":[{"startIndex":0,"endIndex":5}]}}],"usageMetadata":{"promptTokenCount":3,"candidatesTokenCount":4,"cachedContentTokenCount":2,"thoughtsTokenCount":1,"totalTokenCount":8}}"##,
        ##"{"error":{"code":429,"message":"late","status":"RESOURCE_EXHAUSTED","details":[{"retryDelay":"3.5s"}]}}"##,
    ]

    private static let cohere: [(name: String, payload: String)] = [
        ##"{"type":"message-start","id":"r","delta":{"message":{"role":"assistant"}}}"##,
        ##"{"type":"content-start","index":0,"delta":{"message":{"content":{"type":"text","text":""}}}}"##,
        ##"{"type":"content-delta","index":0,"delta":{"message":{"content":{"text":"Hello"}}}}"##,
        ##"{"type":"content-delta","index":0,"delta":{"message":{"content":{"text":" moon"}}}}"##,
        ##"{"type":"content-delta","index":0,"delta":{"message":{"content":{"text":" light"}}}}"##,
        ##"{"type":"citation-start","index":0,"delta":{"message":{"citations":{"start":0,"end":5}}}}"##,
        ##"{"type":"tool-call-start","index":0,"delta":{"message":{"tool_calls":{"id":"t","function":{"name":"f","arguments":""}}}}}"##,
        ##"{"type":"tool-call-delta","index":0,"delta":{"message":{"tool_calls":{"function":{"arguments":"{\"n\":1}"}}}}}"##,
        ##"{"type":"message-end","delta":{"finish_reason":"COMPLETE","usage":{"billed_units":{"input_tokens":3,"output_tokens":4},"tokens":{"input_tokens":13,"output_tokens":14},"cached_tokens":2}}}"##,
    ].map { (name: String($0.dropFirst(9).prefix { $0 != "\"" }), payload: $0) }

    private static let ollama: [String] = [
        ##"{"model":"m","created_at":"2026-01-01T00:00:00Z","message":{"role":"assistant","content":"","thinking":"so"},"done":false}"##,
        ##"{"model":"m","created_at":"2026-01-01T00:00:00Z","message":{"role":"assistant","content":"Hello"},"done":false}"##,
        ##"{"model":"m","created_at":"2026-01-01T00:00:00Z","message":{"role":"assistant","content":" moon"},"done":false}"##,
        ##"{"model":"m","message":{"role":"assistant","content":"","tool_calls":[{"function":{"name":"f","arguments":{"n":1}}}]},"done":false}"##,
        ##"{"model":"m","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop","total_duration":9,"load_duration":1,"prompt_eval_count":3,"prompt_eval_duration":2,"eval_count":4,"eval_duration":5}"##,
    ]

    private static let tgi: [String] = [
        ##"{"index":1,"token":{"id":5,"text":"Hello","logprob":-0.5,"special":false},"generated_text":null,"details":null}"##,
        ##"{"index":2,"token":{"id":6,"text":" moon","logprob":-0.25,"special":false},"generated_text":null,"details":null}"##,
        ##"{"index":3,"token":{"id":7,"text":" light","logprob":-0.25,"special":false},"generated_text":null,"details":null}"##,
        ##"{"index":4,"token":{"id":2,"text":"</s>","logprob":-0.1,"special":true},"generated_text":"Hello moon light","details":{"finish_reason":"eos_token","generated_tokens":4,"input_length":3,"seed":1}}"##,
    ]

    // MARK: What is done to them

    private static let oddNumbers = [
        "-1", "-5", "0.5", "-0", "1e18", "9007199254740993", "4611686018427387904", "9223372036854775807",
        "-9223372036854775808", "9223372036854775808", "18446744073709551615", "123456789012345678901234567890",
        "1e300",
        "-1e308", "1e999", "NaN", "Infinity", "1e-400", "999999999999999999", "007",
    ]
    private static let otherValues = [
        "null", "true", "[]", "{}", "\"\"", "\"x\"", "[[]]", "{\"a\":1}", "9223372036854775807",
        "[9223372036854775807]",
    ]

    /// A mutated body.
    static func body(of dialect: String, using random: inout SeededGenerator) -> [UInt8] {
        var frames = frames(of: dialect)
        // Half of them without the error after the reply.
        if Bool.random(using: &random) { frames.removeAll { $0.contains("\"late\"") } }
        for _ in 0..<Int.random(in: 1...3, using: &random) {
            switch Int.random(in: 0..<8, using: &random) {
            case 0: frames = frames.map { replacingNumbers(in: $0, chance: 1, by: oddNumbers, &random) }
            case 1, 2: frames = frames.map { replacingNumbers(in: $0, chance: 4, by: oddNumbers, &random) }
            case 3: frames = frames.map { replacingNumbers(in: $0, chance: 3, by: otherValues, &random) }
            case 4: frames = frames.map { replacingStrings(in: $0, &random) }
            case 5: frames.insert(frames.randomElement(using: &random) ?? "", at: place(in: frames, &random))
            case 6: frames.swapAt(place(in: frames, &random), place(in: frames, &random))
            default: frames.remove(at: place(in: frames, &random))
            }
            if frames.isEmpty { frames = [""] }
        }
        var bytes = Array(frames.joined().utf8)
        switch Int.random(in: 0..<6, using: &random) {
        case 0: bytes.removeLast(Int.random(in: 0...bytes.count, using: &random))
        case 1:
            for _ in 0..<Int.random(in: 1...8, using: &random) where !bytes.isEmpty {
                let at = Int.random(in: 0..<bytes.count, using: &random)
                bytes[at] = UInt8.random(in: 0...255, using: &random)
            }
        case 2:
            let noise = (0..<Int.random(in: 1...64, using: &random)).map { _ in
                UInt8.random(in: 0...255, using: &random)
            }
            bytes.insert(contentsOf: noise, at: Int.random(in: 0...bytes.count, using: &random))
        default: break
        }
        return bytes
    }

    private static func place(in frames: [String], _ random: inout SeededGenerator) -> Int {
        Int.random(in: 0..<frames.count, using: &random)
    }

    /// Replaces every `chance`th number outside strings on average.
    private static func replacingNumbers(
        in frame: String, chance: Int, by others: [String], _ random: inout SeededGenerator
    ) -> String {
        var out: [UInt8] = []
        var inString = false
        var isEscaped = false
        let bytes = Array(frame.utf8)
        var at = 0
        while at < bytes.count {
            let byte = bytes[at]
            let begins = !inString && (byte == UInt8(ascii: "-") || (0x30...0x39).contains(byte))
            guard begins, let previous = out.last, ":[,".utf8.contains(previous) else {
                if byte == UInt8(ascii: "\""), !isEscaped { inString.toggle() }
                isEscaped = byte == UInt8(ascii: "\\") && !isEscaped
                out.append(byte)
                at += 1
                continue
            }
            var end = at
            while end < bytes.count, "-+.eE0123456789".utf8.contains(bytes[end]) { end += 1 }
            if Int.random(in: 0..<chance, using: &random) == 0 {
                out += Array((others.randomElement(using: &random) ?? "0").utf8)
            } else {
                out += bytes[at..<end]
            }
            at = end
        }
        return String(decoding: out, as: UTF8.self)
    }

    /// Replaces some string values by values of other types.
    private static func replacingStrings(in frame: String, _ random: inout SeededGenerator) -> String {
        var out = ""
        var rest = frame[...]
        while let found = rest.firstIndex(of: "\""), let close = rest[rest.index(after: found)...].firstIndex(of: "\"")
        {
            let end = rest.index(after: close)
            let isValue = rest[..<found].last == ":"
            out += rest[..<found]
            let other = otherValues.randomElement(using: &random) ?? "null"
            out += isValue && Int.random(in: 0..<8, using: &random) == 0 ? other : String(rest[found..<end])
            rest = rest[end...]
        }
        return out + rest
    }

    // MARK: Heads

    private static let oddHeaderValues = [
        "-1", "0", "7", "1e999", "nan", "inf", "-inf", "0x7fffffffffffffff", "9223372036854775807",
        "18446744073709551616",
        "99999999999999999999999999999999", "1h9223372036854775807m", "1e300h", "9223372036854775807s", "", " ", "soon",
        "9223372036854775807-01-01T00:00:00Z", "2026-01-9223372036854775807T00:00:00Z",
        "2026-9223372036854775807-01T00:00:00Z",
        "2026-01-01T9223372036854775807:00:00Z", "2026-01-01T1e308:1e308:1e308Z", "-1-01-01T00:00:00Z",
        "2026-01-01T00:00:00Z",
        "Sun, 06 Nov 9223372036854775807 08:49:37 GMT", "Sun, 9223372036854775807 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 9223372036854775807:49:37 GMT", "Sunday, 06-Nov--9 08:49:37 GMT", "Sun Nov  6 08:49:37 9999",
        "Sun, 06 Nov 1994 08:49:37 GMT",
    ]
    private static let headerNames = [
        "retry-after", "retry-after-ms", "date", "x-should-retry", "content-length", "x-ratelimit-limit-requests",
        "x-ratelimit-remaining-requests", "x-ratelimit-reset-requests", "x-ratelimit-limit-tokens",
        "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens", "anthropic-ratelimit-requests-limit",
        "anthropic-ratelimit-requests-remaining", "anthropic-ratelimit-requests-reset",
        "anthropic-ratelimit-tokens-limit",
        "anthropic-ratelimit-tokens-remaining", "anthropic-ratelimit-tokens-reset",
    ]

    static func head(using random: inout SeededGenerator) -> HTTPResponseHead {
        let statuses = [200, 200, 200, 200, 200, 200, 429, 500, 529, 400, 0, 999, 204, 307]
        var headers = HTTPHeaders()
        headers.add("Content-Type", ["text/event-stream", "application/json", "x"].randomElement(using: &random) ?? "")
        for name in headerNames where Int.random(in: 0..<3, using: &random) == 0 {
            headers.add(name, oddHeaderValues.randomElement(using: &random) ?? "")
        }
        for kind in ["requests", "tokens"] where Bool.random(using: &random) {
            headers.add("x-ratelimit-limit-\(kind)", "100")
            headers.add("x-ratelimit-remaining-\(kind)", "0")
        }
        return HTTPResponseHead(status: statuses.randomElement(using: &random) ?? 200, headers: headers)
    }
}
