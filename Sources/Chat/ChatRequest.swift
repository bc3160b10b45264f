// A request in the common form, which each wire format encodes.

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
    /// The system prompt, placed before `messages`.
    package var system: String?
    /// The conversation, in the common form that `MessageReader` reads: objects with `role` and `content`.
    package var messages: [JSONValue]
    /// All other options of the body. The names of `CommonOption` (`temperature`, `max_tokens`, `tools`, ...) mean the same in
    /// every format; the format puts them where its provider expects them. All other names are sent unchanged.
    package var parameters: JSONObject
    /// Whether options that the format cannot express are left out. Otherwise they are an error.
    package var isLenient: Bool
    /// The text received so far, if a cut reply is to be continued.
    package var continuing: String?
    /// Estimated tokens of `continuing`. An output limit that the format sets by default is lowered by them.
    package var arrivedTokens: Int64 = 0

    /// A request with the given parts.
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
