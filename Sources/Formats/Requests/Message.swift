// Messages of a conversation, decoded from the common form by MessageReader, for request encoders.

internal import Chat
internal import JSON

struct Message {
    enum Role: String, CaseIterable { case system, developer, user, assistant, tool, function }

    /// A call that has a result.
    struct AnsweredCall {
        /// The index of the message with the call, and of the call in that message.
        var turn: Int
        var number: Int
        var name: String
    }

    var role: Role
    /// The content. A plain string is one text part.
    var parts: [Part]
    /// The calls of an assistant message.
    var toolCalls: [ToolCall] = []
    /// In a tool message: the id of its call.
    var toolCallID: String?
    /// In a tool message: its call, if it was found.
    var answered: AnsweredCall?
    /// The name of the participant or of the tool.
    var name: String?
    /// In a tool message: whether the tool failed.
    var isError = false
    /// Data that the format named in `native.dialect` requires back unchanged.
    var native: JSONObject?
    /// The message as the script wrote it.
    var raw: JSONObject
    /// The message's place in the request.
    var place: Place

    /// Where a message stands in a request. Written as text for error messages alone: a conversation may have thousands.
    enum Place: Equatable, CustomStringConvertible {
        case system
        /// The number counts from 1.
        case message(Int)

        var description: String {
            switch self {
            case .system: "system"
            case .message(let number): "messages[\(number)]"
            }
        }
    }

    /// The texts of its parts, joined.
    var text: String {
        parts.reduce(into: "") { if case .text(let text, _) = $1 { $0 += text } }
    }

    /// Whether it is the result of a call.
    var isResult: Bool { role == .tool || role == .function }

    /// `native` if it belongs to this format, otherwise nil.
    func native(for dialect: String) -> JSONObject? {
        native?["dialect"]?.string == dialect ? native : nil
    }
}

/// A part of a message's content.
enum Part {
    /// Text, with members that only some providers accept (`cache_control`).
    case text(String, extra: JSONObject = [:])
    case image(Image)
    /// A part of another type, as the script wrote it.
    case other(JSONObject)
}

struct Image: Equatable {
    enum Source: Equatable {
        /// A URL that the provider fetches.
        case url(String)
        /// Bytes in base64 (RFC 4648 section 4).
        case data(mediaType: String, base64: String)
    }

    var source: Source
    /// The resolution for the model ("low", "high", "auto"), for providers that have this option.
    var detail: String?

    /// The image as a URL: its own, or a `data:` URL (RFC 2397).
    var url: String {
        switch source {
        case .url(let url): url
        case .data(let mediaType, let base64): "data:\(mediaType);base64,\(base64)"
        }
    }
}
