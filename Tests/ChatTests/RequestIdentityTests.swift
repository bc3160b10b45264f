// The canonical form of a request and its digest: fixed values, and what does and does not change them.

import HTTP
import JSON
import Support
import Testing

@testable import Chat

@Suite struct RequestIdentityTests {
    private static func spec() -> RequestSpec {
        RequestSpec(
            chat: ChatRequest(
                model: "gpt-5", system: "Be brief.",
                messages: [["role": "user", "content": "Héllo \"€\"\n"]],
                parameters: [
                    "temperature": 0.5, "max_tokens": 100, "seed": .int(.max), "stop": ["\u{1F600}", "\u{FB33}"],
                    "tools": [["name": "add", "parameters": ["type": "object", "properties": [:]]]],
                ]),
            endpoint: Endpoint(
                provider: "openai", dialect: "openai", baseURL: "https://API.openai.com/v1/",
                keyVariable: "OPENAI_API_KEY"))
    }

    /// These digests must not change: stored answers are found by them. A change of the form is a new version.
    @Test func goldenForm() {
        let identity = RequestIdentity(Self.spec())
        #expect(
            String(decoding: identity.bytes, as: UTF8.self)
                == "moonrill-request-1\n"
                + #"{"address":"https://api.openai.com:443/v1","format":"openai","#
                + #""messages":[{"content":"Héllo \"€\"\n","role":"user"}],"model":"gpt-5","options":{"#
                + #""max_tokens":100,"seed":9223372036854775807,"stop":["😀","דּ"],"temperature":0.5,"#
                + #""tools":[{"name":"add","parameters":{"properties":{},"type":"object"}}]},"#
                + #""system":"Be brief.","think_tags":"on"}"#)
        #expect(identity.digest == "cdc65aef3c4284bd9acaccc2b86ff8258ec0d3adabfb84de5c5a5fc43db6a19b")
        #expect(
            RequestIdentity(
                RequestSpec(
                    chat: ChatRequest(model: "", messages: []), endpoint: Endpoint(provider: "", baseURL: ""))
            ).digest == "ec6dfaa2237f1b904e79f328b950beaab6e6cdb262c5b4ff3833750b0ba32b90")
    }

    /// The same value with the members of every object in another order.
    private static func shuffled(_ value: JSONValue, _ values: inout RandomValues) -> JSONValue {
        switch value {
        case .array(let elements): return .array(elements.map { shuffled($0, &values) })
        case .object(let object):
            var result = JSONObject()
            for member in object.shuffled(using: &values.generator) {
                result[member.key] = shuffled(member.value, &values)
            }
            return .object(result)
        default: return value
        }
    }

    @Test(arguments: 0..<100) func theOrderOfMembersDoesNotMatter(seed: UInt64) {
        var values = RandomValues(seed: seed)
        let spec = values.spec()
        var other = spec
        other.chat.parameters = Self.shuffled(.object(spec.chat.parameters), &values).object ?? [:]
        other.chat.messages = spec.chat.messages.map { Self.shuffled($0, &values) }
        #expect(RequestIdentity(other) == RequestIdentity(spec))
        #expect(RequestIdentity(other).digest == RequestIdentity(spec).digest)
    }

    @Test(arguments: 0..<50) func theFormIsJSONInCanonicalOrder(seed: UInt64) throws {
        var values = RandomValues(seed: seed)
        let form = CanonicalJSON.bytes(.object(values.object(depth: 4)))
        #expect(CanonicalJSON.bytes(try JSONReader.strictValue(form)) == form)
    }

    @Test func numbersCompareByValue() {
        var spec = Self.spec()
        let identity = RequestIdentity(spec)
        spec.chat.parameters["max_tokens"] = 100.0
        #expect(RequestIdentity(spec) == identity)
    }

    @Test(
        arguments: [
            { $0.chat.model = "gpt-4" }, { $0.chat.system = nil }, { $0.chat.system = "" },
            { $0.chat.messages.append(["role": "user", "content": "more"]) }, { $0.chat.messages.reverse() },
            { $0.chat.parameters["temperature"] = 0.6 }, { $0.chat.parameters["user"] = nil as JSONValue },
            { $0.chat.continuing = "" }, { $0.chat.isLenient = true }, { $0.thinkTags = .off },
            { $0.endpoint.dialect = "responses" }, { $0.endpoint.baseURL = "https://api.openai.com/v2" },
            { $0.endpoint.baseURL = "http://api.openai.com/v1" }, { $0.endpoint.headers["Anthropic-Beta"] = "x" },
        ] as [@Sendable (inout RequestSpec) -> Void])
    func whatIsAskedChangesIt(change: @Sendable (inout RequestSpec) -> Void) {
        var spec = Self.spec()
        spec.chat.messages.append(["role": "user", "content": "second"])
        let identity = RequestIdentity(spec)
        change(&spec)
        #expect(RequestIdentity(spec) != identity)
    }

    @Test(
        arguments: [
            { $0.endpoint.keyVariable = "OTHER_KEY" }, { $0.endpoint.headers["Authorization"] = "Bearer sk-secret" },
            { $0.endpoint.headers["X-Team"] = "sk-secret" }, { $0.endpoint.baseURL += "?api-key=sk-secret" },
            { $0.endpoint.baseURL = "https://api.openai.com:443/v1" }, { $0.endpoint.provider = "other" },
            { $0.endpoint.quirks.lengthField = .maxCompletionTokens }, { $0.timeouts.total = 1 }, { $0.retry.max = 0 },
            { $0.limits.inboxBytes = 1 }, { $0.limit = LimitRule(name: "l") }, { $0.isLimited = false },
            { $0.isInside = true }, { $0.isObserved = true }, { $0.wantsChunks = true }, { $0.wantsHeartbeats = true },
            { $0.wantsUsage = false },
        ] as [@Sendable (inout RequestSpec) -> Void])
    func howItIsAskedDoesNot(change: @Sendable (inout RequestSpec) -> Void) {
        var spec = Self.spec()
        let identity = RequestIdentity(spec)
        change(&spec)
        #expect(RequestIdentity(spec) == identity)
        #expect(!String(decoding: RequestIdentity(spec).bytes, as: UTF8.self).contains("sk-secret"))
    }
}
