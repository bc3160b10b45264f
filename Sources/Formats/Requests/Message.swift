// A conversation's messages in the common form, typed. Read by MessageReader from what scripts write, written by each
// dialect in its provider's own form.

internal import Chat
internal import JSON

/// One message.
struct Message {
    /// Who speaks.
    enum Role: String, CaseIterable { case system, developer, user, assistant, tool, function }

    /// A call that a message answers.
    struct AnsweredCall {
        /// Where the message with the call stands in the conversation, and the call in that.
        var turn: Int
        var number: Int
        var name: String
    }

    var role: Role
    /// What is said, in order. One text for content that is a plain string.
    var parts: [Part]
    /// The calls of an assistant's message.
    var toolCalls: [ToolCall] = []
    /// In a tool's message: which call this is the result of.
    var toolCallID: String?
    /// In a tool's message: the call whose result this is, if it was found.
    var answered: AnsweredCall?
    /// The speaker's name, or the tool's.
    var name: String?
    /// In a tool's message: whether the tool failed.
    var isError = false
    /// What one dialect wants back byte-exact; `native.dialect` says which.
    var native: JSONObject?
    /// The message as it was written.
    var raw: JSONObject
    /// Where it stands, for error messages: "messages[2]".
    var place: String

    /// All its text, parts joined without anything between them.
    var text: String {
        parts.reduce(into: "") { if case .text(let text, _) = $1 { $0 += text } }
    }

    /// Whether it is the result of a call.
    var isResult: Bool { role == .tool || role == .function }

    /// What is kept for that dialect; nil where the message came from another.
    func native(for dialect: String) -> JSONObject? {
        native?["dialect"]?.string == dialect ? native : nil
    }
}

/// A piece of a message's content.
enum Part {
    /// Text, with members that only some providers know (`cache_control`).
    case text(String, extra: JSONObject = [:])
    case image(Image)
    /// A part of a type that is no common one, as it was written: its provider may know it.
    case other(JSONObject)
}

/// An image in a message.
struct Image: Equatable {
    /// Where its bytes are.
    enum Source: Equatable {
        /// At an address that the provider fetches.
        case url(String)
        /// Here, in base64 (RFC 4648 section 4).
        case data(mediaType: String, base64: String)
    }

    var source: Source
    /// How closely the model is to look ("low", "high", "auto"), where the provider lets one choose.
    var detail: String?

    /// The image as a URL: its own, or a `data:` URL (RFC 2397).
    var url: String {
        switch source {
        case .url(let url): url
        case .data(let mediaType, let base64): "data:\(mediaType);base64,\(base64)"
        }
    }
}
