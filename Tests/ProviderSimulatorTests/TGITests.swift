// The provider's TGI endpoints, asked and read by the dialect that scripts use.

import Chat
import Formats
import Foundation
import JSON
import ProviderSimulator
import Testing

enum TGIExchange: ExchangeFormat {
    static let dialect: WireFormat = WireFormat.tgi
    static let path = "/generate_stream"
    static let quirks = Quirks(continuation: .prefill)
}

private typealias Exchange = FormatExchange<TGIExchange>

private func ask(
    _ server: SimulatorServer, _ messages: [JSONValue], _ parameters: JSONObject = [:], fault: String? = nil,
    headers: [String: String] = [:], key: String? = "k", continuing: String? = nil
) throws -> Exchange {
    try Exchange(
        server, messages, parameters, fault: fault, headers: headers, key: key, continuing: continuing)
}

private func raw(_ server: SimulatorServer, _ path: String, _ body: String) throws -> Exchange {
    try Exchange(server, body: Array(body.utf8), path: path)
}

@Suite struct TGITests {
    /// What is said depends on the conversation, not on the format in which it is asked for.
    @Test(arguments: ["Explain tides", "解释潮汐", "Tell me a joke 👩‍👩‍👧"]) func saysWhatChatCompletionsSay(prompt: String)
        throws
    {
        try withServer { server in
            let deltas = try ProviderSimulatorTests.ask(server, chat(prompt)).deltas()
            let stream = try ask(server, [user(prompt)])
            #expect(stream.text == deltas.text() && !stream.text.isEmpty)
            #expect(stream.error == nil && stream.hasCleanEnd)
            #expect(stream.summary.finishReasonRaw == "eos_token" && stream.summary.finishReason == .stop)
            let usage = try #require(stream.summary.usage)
            #expect(usage.outputTokens == deltas.pieces + 1)
            #expect(usage.totalTokens == (usage.inputTokens ?? 0) + deltas.pieces + 1)
            #expect(stream.response.headers["content-type"] == "text/event-stream")
            let whole = try ask(server, [user(prompt)], fault: "whole")
            #expect(whole.response.headers["content-type"] == "application/json")
            #expect(whole.text == stream.text && whole.summary.usage == usage && whole.hasCleanEnd)
        }
    }

    @Test func framesAreTGIs() throws {
        let body = try withServer { try ask($0, [user("Hi")]).response.text }
        let frames = body.components(separatedBy: "\n\n").dropLast()
        #expect(frames.allSatisfy { $0.hasPrefix("data:{") })
        let values = try frames.map { try JSONReader.value(String($0.dropFirst("data:".count))) }
        #expect(values.enumerated().allSatisfy { $1["index"]?.int == Int64($0 + 1) })
        #expect(values.dropLast().allSatisfy { $0["generated_text"] == .null && $0["token"]?["special"] == false })
        let last = try #require(values.last)
        #expect(last["token"]?["text"] == "</s>" && last["token"]?["special"] == true)
        let text = values.dropLast().compactMap { $0["token"]?["text"]?.string }.joined()
        #expect(last["generated_text"]?.string == text)
        #expect(last["details"]?["generated_tokens"]?.int == Int64(values.count))
    }

    @Test(arguments: ["/generate_stream", "/v1/generate_stream", "/generate", "/v1/generate"])
    func pathsSayHowToAnswer(path: String) throws {
        try withServer { server in
            let reply = try raw(server, path, #"{"inputs":"Hi","parameters":{"details":true}}"#)
            #expect(try reply.text == ask(server, [user("Hi")]).text)
            #expect(reply.response.text.hasPrefix("data:") == path.hasSuffix("_stream"))
            #expect(reply.hasCleanEnd && reply.summary.usage != nil)
            let plain = try raw(server, path, #"{"inputs":"Hi"}"#)
            #expect(plain.text == reply.text && plain.summary.usage == nil && plain.hasCleanEnd)
        }
    }

    @Test func limitsLeaveOutTheEnd() throws {
        try withServer { server in
            let full = try ask(server, [user("Explain snow")]).text
            let cut = try ask(server, [user("Explain snow")], ["max_tokens": 7])
            #expect(full.hasPrefix(cut.text) && !cut.text.isEmpty && cut.hasCleanEnd)
            #expect(!cut.response.text.contains("</s>"))
        }
    }

    @Test func formats() throws {
        let schema: JSONValue = ["type": "object", "properties": ["moon": ["type": "string"]], "required": ["moon"]]
        try withServer { server in
            let shaped = try ask(
                server, [user("Which moon?")], ["response_format": ["type": "json_schema", "schema": schema]])
            #expect(try JSONReader.value(shaped.text)["moon"]?.string != nil)
            let object = try ask(server, [user("Which moon?")], ["response_format": "json"])
            #expect(try JSONReader.value(object.text).object != nil)
        }
    }

    /// A conversation is written into the prompt, and read out of it again: a reply cut anywhere goes on.
    @Test(arguments: ["Explain clouds", "解释云"]) func continuesADialogue(prompt: String) throws {
        try withServer { server in
            let talk: [JSONValue] = [
                ["role": "system", "content": "Be brief."], user("Hello"), ["role": "assistant", "content": "Hello!"],
                user(prompt),
            ]
            let full = try ask(server, talk).text
            #expect(!full.isEmpty)
            for length in stride(from: 1, through: full.count, by: 9) {
                let said = String(full.prefix(length))
                let rest = try ask(server, talk, continuing: said)
                #expect(rest.error == nil && said + rest.text == full)
            }
        }
    }

    // MARK: What is refused

    @Test(
        arguments: [
            ("{}", "inputs"), (#"{"inputs":7}"#, "inputs"), (#"{"inputs":""}"#, "empty"), ("[]", "JSON object"),
            (#"{"inputs":"x","parameters":[]}"#, "parameters"),
            (#"{"inputs":"x","parameters":{"max_new_tokens":0}}"#, "max_new_tokens"),
            (#"{"inputs":"x","parameters":{"details":1}}"#, "details"),
            (#"{"inputs":"x","parameters":{"stop":[1]}}"#, "stop"),
            (#"{"inputs":"x","parameters":{"grammar":{"type":"regex","value":"a"}}}"#, "grammar"),
            (#"{"inputs":"x","parameters":{"grammar":{"type":"json"}}}"#, "schema"), ("{", "parse"),
        ]) func refusals(body: String, says: String) throws
    {
        let reply = try withServer { try raw($0, "/generate_stream", body) }
        #expect(reply.response.status == 400)
        #expect(try reply.response.json()["error_type"] as? String == "validation")
        #expect(reply.error?.kind == .invalidRequest)
        #expect(reply.error?.message.contains(says) == true, "\(reply.error?.message ?? "")")
    }

    // MARK: Faults

    @Test(
        arguments: [
            ("400", "validation"), ("401", nil), ("403", nil), ("404", nil), ("408", nil), ("422", "validation"),
            ("429", nil), ("500", "generation"), ("503", "overloaded"), ("529", "overloaded"), ("quota", nil),
        ] as [(String, String?)]) func errorTypes(fault: String, type: String?) throws
    {
        let body = try withServer { try ask($0, [user("Hi")], fault: fault).response.json() }
        #expect(body["error_type"] as? String == type && (body["error"] as? String)?.isEmpty == false)
    }

    @Test(arguments: [[:], ["max_tokens": 7]] as [JSONObject]) func endsThatAreMissing(options: JSONObject) throws {
        try withServer { server in
            let whole = try ask(server, [user("写一首诗")], options)
            let noDone = try ask(server, [user("写一首诗")], options, fault: "no-done")
            #expect(!noDone.hasCleanEnd && noDone.text == whole.text)
            let noFinish = try ask(server, [user("写一首诗")], options, fault: "no-finish")
            #expect(noFinish.hasCleanEnd && noFinish.summary.finishReasonRaw == nil && noFinish.text == whole.text)
        }
    }

}
