// The identity of a request: equal for two requests that the same answer fits. For caches and journals.

internal import Base
internal import HTTP
internal import JSON

/// A request in canonical form, and its digest.
///
/// The form is the same in every run, for every order of members, and in later versions of Moonrill. It holds what is asked and
/// how the answer is read:
///
/// - the wire format; the address without query and final slash, with the port
/// - model, system prompt, messages and all other options of the body
/// - the text to be continued, `lenient`, the mode of think tags
/// - the headers in ``featureHeaders``
///
/// It does not hold:
///
/// - the key, the key's variable, the query and all other headers: these may be secrets
/// - the provider's name and quirks: they change with the catalog, not with the question
/// - timeouts, retries, limits and what the caller observes: they do not change the answer
///
/// The bytes hold the conversation in clear text; options of the body are taken as they are.
package struct RequestIdentity: Hashable, Sendable {
    /// The first line of the form. It changes when the form changes.
    package static let version = "moonrill-request-1"

    /// Headers that select features of an API and hold no secrets.
    package static let featureHeaders = ["anthropic-beta", "anthropic-version", "openai-beta"]

    /// The version, a line feed, and canonical JSON (RFC 8785).
    package let bytes: [UInt8]

    /// The identity of a request.
    package init(_ spec: RequestSpec) {
        let (chat, endpoint) = (spec.chat, spec.endpoint)
        var form: JSONObject = [
            "format": .string(endpoint.dialect), "address": .string(Self.address(endpoint.baseURL)),
            "model": .string(chat.model), "messages": .array(chat.messages), "options": .object(chat.parameters),
            "think_tags": .string(spec.thinkTags.rawValue),
        ]
        form["system"] = chat.system.map(JSONValue.string)
        form["continuing"] = chat.continuing.map(JSONValue.string)
        if chat.isLenient { form["lenient"] = true }
        let features = Self.features(endpoint.headers)
        if !features.isEmpty { form["headers"] = .object(features) }
        bytes = Array("\(Self.version)\n".utf8) + CanonicalJSON.bytes(.object(form))
    }

    /// SHA-256 of the bytes in lower-case hexadecimal.
    package var digest: String { SHA256.hex(bytes) }

    private static func address(_ text: String) -> String {
        // An address that is not legal is empty: a request to it is never sent.
        guard let url = try? BaseURL(text) else { return "" }
        return url.origin + url.path
    }

    private static func features(_ headers: HTTPHeaders) -> JSONObject {
        featureHeaders.reduce(into: JSONObject()) { $0[$1] = headers[$1].map(JSONValue.string) }
    }
}
