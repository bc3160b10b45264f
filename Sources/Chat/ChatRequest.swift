// What a script asks for, before any dialect has put it on the wire.

package import JSON

/// One request for a model's reply, in the common form.
package struct ChatRequest: Codable, Hashable, Sendable {
    private enum CodingKeys: String, CodingKey {
        case model, system, messages, parameters
        case isLenient = "lenient"
        case continuing
        case arrivedTokens = "arrived_tokens"
    }

    /// The model's name, as the provider spells it.
    package var model: String
    /// The system prompt, if any; it stands before `messages`.
    package var system: String?
    /// The conversation, in the common form that `MessageReader` reads: objects with `role` and `content`.
    package var messages: [JSONValue]
    /// Everything else of the body. Names of ``CommonOption`` (`temperature`, `max_tokens`, `tools`, ...) mean the same
    /// in every dialect, which puts them where its provider expects them; all others go as they are.
    package var parameters: JSONObject
    /// Whether what the dialect cannot express is left out; else it is an error.
    package var isLenient: Bool
    /// The reply's text so far, when a cut stream is to be continued.
    package var continuing: String?
    /// Tokens of that part, about: a limit that the dialect sets by itself is lower by as many.
    package var arrivedTokens: Int64 = 0

    /// A request of the given parts.
    package init(
        model: String, system: String? = nil, messages: [JSONValue], parameters: JSONObject = [:],
        isLenient: Bool = false, continuing: String? = nil
    ) {
        self.model = model
        self.system = system
        self.messages = messages
        self.parameters = parameters
        self.isLenient = isLenient
        self.continuing = continuing
    }
}
