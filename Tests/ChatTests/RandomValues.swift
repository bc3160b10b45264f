// Random values of what a client and its broker exchange. A seed determines them.

import Base
import HTTP
import JSON
import Support

@testable import Chat

/// Makes values of every shape: empty, long, with members present and absent.
struct RandomValues {
    var generator: SeededGenerator

    init(seed: UInt64) { generator = SeededGenerator(seed: seed) }

    mutating func number(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &generator) }
    mutating func isTrue() -> Bool { Bool.random(using: &generator) }
    mutating func maybe<Value>(_ make: (inout RandomValues) -> Value) -> Value? { isTrue() ? make(&self) : nil }
    mutating func one<Value>(of values: [Value]) -> Value { values[number(0...values.count - 1)] }
    mutating func some<Value>(_ make: (inout RandomValues) -> Value) -> [Value] {
        (0..<number(0...3)).map { _ in make(&self) }
    }

    mutating func string() -> String {
        let pieces = [
            "a", "Z9", "\"", "\\", "/", "\n", "\u{0}", "\u{1F}", "\u{7F}", "é", "e\u{301}", "\u{2028}", "漢字", "👩‍👩‍👧",
            "\u{FFFD}", "\u{10FFFF}", "</think>", "null",
        ]
        return (0..<number(0...6)).map { _ in one(of: pieces) }.joined()
    }

    mutating func double() -> Double {
        switch number(0...5) {
        case 0: one(of: [0, -0.0, 1, .leastNonzeroMagnitude, .greatestFiniteMagnitude, 1e21, 1e-7, 0.1])
        case 1: Double(number(-1000...1000))
        default: Double.random(in: -1e6...1e6, using: &generator)
        }
    }

    mutating func integer() -> Int64 {
        isTrue() ? Int64(number(-9...9)) : one(of: [.min, .max, 1 << 53, (1 << 53) + 1, -1 << 31])
    }

    mutating func json(depth: Int = 3) -> JSONValue {
        switch number(0...(depth > 0 ? 6 : 4)) {
        case 0: .null
        case 1: .bool(isTrue())
        case 2: .int(integer())
        case 3: .double(double())
        case 4: .string(string())
        case 5: .array(some { $0.json(depth: depth - 1) })
        default: .object(object(depth: depth - 1))
        }
    }

    mutating func object(depth: Int = 2) -> JSONObject {
        var object = JSONObject()
        for _ in 0..<number(0...4) { object[string()] = json(depth: depth) }
        return object
    }
}

// MARK: Values of Chat

extension RandomValues {
    mutating func headers() -> HTTPHeaders {
        var headers = HTTPHeaders()
        for _ in 0..<number(0...3) { headers.add(one(of: ["X-A", "x-a", "Anthropic-Beta"]), string()) }
        return headers
    }

    mutating func batch() -> TextBatch {
        TextBatch(pieces: (0..<number(1...4)).map { _ in string() + "." }, isTrue() ? .text : .reasoning)
    }

    mutating func call() -> ToolCall {
        ToolCall(id: string(), name: string(), argumentsJSON: string(), arguments: maybe { $0.json() })
    }

    mutating func usage() -> Usage {
        var usage = Usage()
        usage.inputTokens = maybe { $0.number(0...1 << 53) }
        usage.outputTokens = maybe { $0.number(0...9) }
        usage.reasoningTokens = maybe { $0.number(0...9) }
        usage.cachedTokens = maybe { $0.number(0...9) }
        usage.cacheWriteTokens = maybe { $0.number(0...9) }
        usage.countsCacheApart = isTrue()
        usage.totalTokens = maybe { $0.number(0...9) }
        usage.cost = maybe { $0.double() }
        usage.estimated = isTrue()
        return usage
    }

    mutating func timings() -> ServerTimings {
        var timings = ServerTimings()
        timings.queue = maybe { $0.double() }
        timings.load = maybe { $0.double() }
        timings.promptEval = maybe { $0.double() }
        timings.eval = maybe { $0.double() }
        return timings
    }

    mutating func reply() -> Reply {
        Reply(
            text: string(), reasoning: string(), toolCalls: some { $0.call() }, nativeCalls: some { $0.json() },
            finishReason: maybe { $0.one(of: [.stop, .length, .toolCalls, .contentFilter, .cancelled, .other]) },
            finishReasonRaw: maybe { $0.string() }, usage: maybe { $0.usage() }, model: string(),
            id: maybe { $0.string() }, provider: string(), attempts: number(0...9),
            firstTokenTime: maybe { $0.double() }, totalTime: double(), serverTimings: maybe { $0.timings() },
            message: json(), refusal: maybe { $0.string() }, finishMessage: maybe { $0.string() })
    }

    mutating func position() -> Position {
        var position = Position()
        position.bytes = number(0...1 << 40)
        position.events = number(0...9)
        position.chars = number(0...9)
        return position
    }

    mutating func failure() -> RequestFailure {
        RequestFailure(
            kind: one(of: [.config, .invalidRequest, .rateLimit, .protocol, .truncated, .budget]), message: string(),
            status: maybe { $0.number(100...599) }, code: maybe { $0.string() },
            phase: maybe { $0.one(of: [.connect, .first, .idle, .stall, .total]) }, isRetryable: isTrue(),
            retryAfter: maybe { $0.double() }, provider: string(), model: string(), requestID: maybe { $0.string() },
            attempts: number(0...9), partial: maybe { $0.reply() }, position: position(), usage: maybe { $0.usage() })
    }

    /// One event of each case.
    mutating func events() -> [ChatEvent] {
        [
            .start(StartInfo(id: maybe { $0.string() }, model: maybe { $0.string() }, attempt: number(1...9))),
            .text(batch()), .toolCall(call()), .usage(usage()), .heartbeat,
            .native(name: string(), json()), .phase(maybe { $0.string() }), .chunk(string()),
            .retry(RetryInfo(attempt: number(1...9), delay: double(), error: failure(), received: position())),
            .wait(WaitInfo(seconds: double(), reason: string())),
            .reset(ResetInfo(attempt: number(1...9), error: failure())), .finish(reply()), .failed(failure()),
        ]
    }

    mutating func quirks() -> Quirks {
        var quirks = Quirks(
            usage: one(of: Quirks.UsageRequest.allCases), continuation: one(of: Quirks.Continuation.allCases),
            continuationBaseURL: maybe { $0.string() },
            keyField: maybe { $0.isTrue() ? .bearer : .header($0.string()) },
            lengthField: one(of: Quirks.LengthField.allCases), thinking: one(of: Quirks.ThinkingSwitch.allCases),
            reasoningEcho: one(of: Quirks.ReasoningEcho.allCases), takesSchema: isTrue(),
            thinkTags: one(of: Quirks.ThinkTags.allCases))
        quirks.takesThinkingParts = isTrue()
        return quirks
    }

    mutating func chat() -> ChatRequest {
        ChatRequest(
            model: string(), system: maybe { $0.string() }, messages: some { .object($0.object()) },
            parameters: object(), isLenient: isTrue(), continuing: maybe { $0.string() })
    }

    mutating func endpoint() -> Endpoint {
        Endpoint(
            provider: string(), dialect: one(of: ["openai", "anthropic", "gemini"]), baseURL: "https://api.example/v1",
            keyVariable: maybe { $0.string() }, quirks: quirks(), headers: headers())
    }

    mutating func spec() -> RequestSpec {
        var spec = RequestSpec(
            chat: chat(), endpoint: endpoint(),
            timeouts: Timeouts(
                connect: double(), first: .infinity, idle: double(), stall: double(), total: maybe { $0.double() }),
            retry: RetryPolicy(
                max: number(0...9), base: double(), cap: double(), maxWait: maybe { $0.double() },
                afterOutput: one(of: AfterOutput.allCases)),
            isObserved: isTrue(), wantsChunks: isTrue(), wantsHeartbeats: isTrue(), wantsUsage: isTrue(),
            thinkTags: one(of: Quirks.ThinkTags.allCases), limits: RequestLimits(maxEventBytes: number(1...9)))
        spec.isInside = isTrue()
        spec.limit = maybe {
            LimitRule(
                name: $0.string(), concurrent: $0.maybe { $0.number(1...9) },
                requestsPerMinute: $0.maybe { $0.double() }, tokensPerMinute: $0.maybe { $0.double() })
        }
        spec.isLimited = isTrue()
        return spec
    }

    mutating func undelivered() -> Undelivered {
        var undelivered = Undelivered()
        undelivered.textBytes = number(0...9)
        undelivered.reasoningBytes = number(0...9)
        undelivered.spansReset = isTrue()
        return undelivered
    }

    /// One command of each case.
    mutating func commands() -> [RequestCommand] {
        let id = RequestID(isTrue() ? UInt64(number(0...9)) : .max)
        return [
            .start(id, spec()), .stop(id, undelivered: undelivered()), .cancel(id, undelivered: undelivered()),
            .pause(id), .resume(id), .occupied(id), .reading(id),
        ]
    }
}
