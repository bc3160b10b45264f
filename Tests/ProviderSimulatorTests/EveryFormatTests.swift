// What the provider's formats beside Chat Completions show alike: limits, wrong keys, statuses, the faults of a stream.
// What is one format's own is in the file of its name.

import Chat
import Formats
import Foundation
import JSON
import ProviderSimulator
import Testing

/// A format, and in what it differs where all are asked the same.
struct EveryFormat: Sendable, CustomTestStringConvertible {
    let type: any ExchangeFormat.Type
    var testDescription: String
    /// Where it is asked; nil for where its dialect asks.
    var path: String?
    /// What an error inside a stream is taken for.
    var streamError = ErrorKind.overloaded
    /// How many frames come up to the first that holds text.
    var framesBeforeText = 1
    /// A frame that holds text, for a broken one in its place; a place in bytes behind the first text.
    var textFrame = 5
    var textPlace = 700
    /// An offset in bytes inside the reply to "Hi".
    var cutPlace = 500
    /// What is sent to keep a silent connection warm.
    var beat: String
    /// An account that is empty is worded as a limit.
    var saysQuota = true
    var takesStops = true
    var takesLimits = true

    static let all = [
        EveryFormat(
            type: AnthropicMessagesExchange.self, testDescription: "anthropic", framesBeforeText: 4,
            beat: "event: ping\n"),
        EveryFormat(
            type: OpenAIResponsesExchange.self, testDescription: "responses", framesBeforeText: 5, textFrame: 6,
            textPlace: 2500, beat: ": keepalive\n\n", takesStops: false),
        EveryFormat(
            type: GeminiExchange.self, testDescription: "gemini", beat: "\r\n", saysQuota: false),
        EveryFormat(
            type: GeminiExchange.self, testDescription: "gemini, as an array",
            path: GeminiExchange.arrayPath,
            beat: "\r\n", saysQuota: false),
        EveryFormat(type: TGIExchange.self, testDescription: "tgi", beat: ":\n\n"),
        EveryFormat(type: OllamaExchange.self, testDescription: "ollama", beat: "\n\n"),
        EveryFormat(
            type: CohereExchange.self, testDescription: "cohere", streamError: .provider, framesBeforeText: 3,
            beat: ": keep-alive\n\n"),
    ]
}

@Suite struct EveryFormatTests {
    @Test(arguments: EveryFormat.all.filter(\.takesLimits)) func limits(_ format: EveryFormat) throws {
        try withServer { server in
            let cut = try format.ask(server, "Explain wind", ["max_tokens": 7])
            #expect(cut.summary.finishReason == .length && cut.summary.usage?.outputTokens == 7)
        }
    }

    @Test(arguments: EveryFormat.all.filter(\.takesStops)) func stops(_ format: EveryFormat) throws {
        try withServer { server in
            let full = try format.ask(server, "Explain snow").text
            let stop = String(full.dropFirst(20).prefix(9))
            let stopped = try format.ask(server, "Explain snow", ["stop": [.string(stop)]])
            #expect(stopped.text == String(full.prefix(upTo: try #require(full.range(of: stop)).lowerBound)))
        }
    }

    @Test(arguments: EveryFormat.all) func wrongKeys(_ format: EveryFormat) throws {
        let reply = try withServer { try format.ask($0, "Hi", key: "bad") }
        #expect(reply.response.status == 401 && reply.error?.kind == .auth)
    }

    @Test(
        arguments: EveryFormat.all,
        [
            ("400", .invalidRequest, false), ("401", .auth, false), ("403", .permission, false),
            ("404", .invalidRequest, false), ("408", .provider, true), ("422", .invalidRequest, false),
            ("429", .rateLimit, true), ("500", .provider, true), ("503", .overloaded, true),
            ("529", .overloaded, true), ("quota", .quota, false),
        ] as [(String, ErrorKind, Bool)])
    func statuses(_ format: EveryFormat, _ test: (fault: String, kind: ErrorKind, isRetryable: Bool)) throws {
        let error = try #require(try withServer { try format.ask($0, "Hi", fault: test.fault).error })
        let isLimit = test.kind == .quota && !format.saysQuota
        #expect(error.kind == (isLimit ? .rateLimit : test.kind))
        #expect(error.isRetryable == (isLimit || test.isRetryable))
        #expect(!error.message.isEmpty)
    }

    @Test(arguments: EveryFormat.all, [0, 1, 3, 4, 9]) func errorsInsideTheStream(
        _ format: EveryFormat, after: Int
    ) throws {
        let reply = try withServer { try format.ask($0, "Hi", fault: "error-frame@\(after)") }
        let error = try #require(reply.error)
        #expect(error.kind == format.streamError && error.isRetryable && error.message.contains("verloaded"))
        #expect(!reply.hasCleanEnd && reply.text.isEmpty == (after < format.framesBeforeText))
    }

    @Test(arguments: EveryFormat.all) func whatIsNoStream(_ format: EveryFormat) throws {
        try withServer { server in
            let broken = try format.ask(server, "写一首诗", fault: "bad-json@\(format.textFrame)")
            #expect(broken.error?.kind == .protocol)
            #expect(try format.ask(server, "写一首诗", fault: "html").error?.message.contains("Sign in") == true)
            let empty = try format.ask(server, "写一首诗", fault: "empty")
            #expect(!empty.hasCleanEnd && empty.text.isEmpty)
        }
    }

    /// However the bytes are cut into pieces, and however slowly they come, they are the same.
    @Test(arguments: EveryFormat.all, ["split-utf8", "drip:5", "slow-head:0.01", "stall@300:0.02"])
    func slowStreamsAreWhole(_ format: EveryFormat, fault: String) throws {
        try withServer { server in
            let plain = try format.ask(server, "写一首诗")
            #expect(try format.ask(server, "写一首诗", fault: fault).response.body == plain.response.body)
        }
    }

    @Test(arguments: EveryFormat.all) func cutsAreCuts(_ format: EveryFormat) throws {
        try withServer { server in
            let plain = try format.ask(server, "写一首诗")
            let cut = try format.ask(server, "写一首诗", fault: "eof@\(format.textPlace)")
            #expect(cut.response.body == Array(plain.response.body.prefix(format.textPlace)))
            #expect(!cut.hasCleanEnd && cut.error == nil && plain.text.hasPrefix(cut.text) && !cut.text.isEmpty)
            let place = format.cutPlace
            #expect(throws: RawClient.Reset.self) { try format.ask(server, "Hi", fault: "cut@\(place)") }
            #expect(throws: RawClient.Closed.self) { try format.ask(server, "Hi", fault: "chunkcut@\(place)") }
            #expect(throws: RawClient.Closed.self) { try format.ask(server, "Hi", fault: "short-length@\(place)") }
        }
    }

    @Test(arguments: EveryFormat.all) func silenceIsKeptWarm(_ format: EveryFormat) throws {
        let reply = try withServer({ $0.rate = 5 }) { server in
            try format.ask(server, "Hi", fault: "comments:0.02", headers: ["X-Moonrill-Deltas": "2"])
        }
        #expect(reply.text == "tok1 tok2 " && reply.hasCleanEnd && reply.error == nil)
        #expect(reply.response.text.components(separatedBy: format.beat).count > 4)
    }
}

extension EveryFormat {
    /// What came of an exchange, whatever its format.
    struct Answer {
        var response: Response
        var text: String
        var error: APIError?
        var summary: ReplySummary
        var hasCleanEnd: Bool
    }

    /// Asks one thing in this format.
    func ask(
        _ server: SimulatorServer, _ prompt: String, _ parameters: JSONObject = [:], fault: String? = nil,
        headers: [String: String] = [:], key: String = "k"
    ) throws -> Answer {
        try type.answer(server, prompt, parameters, path: path, fault: fault, headers: headers, key: key)
    }
}

extension ExchangeFormat {
    fileprivate static func answer(
        _ server: SimulatorServer, _ prompt: String, _ parameters: JSONObject, path: String?, fault: String?,
        headers: [String: String], key: String
    ) throws -> EveryFormat.Answer {
        let exchange = try FormatExchange<Self>(
            server, [user(prompt)], parameters, path: path, fault: fault, headers: headers, key: key)
        return EveryFormat.Answer(
            response: exchange.response, text: exchange.text, error: exchange.error, summary: exchange.summary,
            hasCleanEnd: exchange.hasCleanEnd)
    }
}
