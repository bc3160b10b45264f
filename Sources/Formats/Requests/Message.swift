// Messages of a conversation, as MessageReader decodes them from the common form and request encoders write them.

internal import Chat
internal import JSON

struct Message {
    enum Role: String, CaseIterable { case system, developer, user, assistant, tool, function }

    /// A call that has a result.
    struct AnsweredCall {
        /// The index of the message with the call, and of the call in it.
        var turn: Int
        var number: Int
        var name: String
    }

    var role: Role
    /// The content. One text for a plain string.
    var parts: [Part]
    /// The calls of an assistant message.
    var toolCalls: [ToolCall] = []
    /// In a tool message: the id of its call.
    var toolCallID: String?
    /// In a tool message: its call, if it was found.
    var answered: AnsweredCall?
    /// The name of the speaker or the tool.
    var name: String?
    /// In a tool message: whether the tool failed.
    var isError = false
    /// Parts that the format named in `native.dialect` needs back unchanged.
    var native: JSONObject?
    /// The message as the script wrote it.
    var raw: JSONObject
    /// Its place in error messages: "messages[2]".
    var place: String

    /// The texts of its parts, joined.
    var text: String {
        parts.reduce(into: "") { if case .text(let text, _) = $1 { $0 += text } }
    }

    /// Whether it is the result of a call.
    var isResult: Bool { role == .tool || role == .function }

    /// `native` if it is of this format, else nil.
    func native(for dialect: String) -> JSONObject? {
        native?["dialect"]?.string == dialect ? native : nil
    }
}

/// A part of a message's content.
enum Part {
    /// Text, with members that only some providers know (`cache_control`).
    case text(String, extra: JSONObject = [:])
    case image(Image)
    /// A part of another type, as the script wrote it.
    case other(JSONObject)
}

struct Image: Equatable {
    enum Source: Equatable {
        /// The provider fetches it.
        case url(String)
        /// Bytes in base64 (RFC 4648 section 4).
        case data(mediaType: String, base64: String)
    }

    var source: Source
    /// The resolution for the model ("low", "high", "auto"), if the provider has the option.
    var detail: String?

    /// The image as a URL: its own, or a `data:` URL (RFC 2397).
    var url: String {
        switch source {
        case .url(let url): url
        case .data(let mediaType, let base64): "data:\(mediaType);base64,\(base64)"
        }
    }
}
