// What a stream says of the reply as a whole.

package import Chat
package import JSON

/// What a decoder knows of a reply beside its text and reasoning.
package struct ReplySummary: Sendable, Equatable {
    /// The provider's id of the reply.
    package var id: String?
    /// The model that answered.
    package var model: String?
    /// The finish reason as sent.
    package var finishReasonRaw: String?
    /// The finish reason in the common vocabulary; nil while unknown.
    package var finishReason: FinishReason?
    /// The last usage reported.
    package var usage: Usage?
    /// The tool calls, assembled.
    package var toolCalls: [ToolCall] = []
    /// Calls in the provider's own form that wait for the client, as they came.
    package var nativeCalls: [JSONValue] = []
    /// The refusal's text, where the provider sends one apart from the content.
    package var refusal: String?
    /// What the provider says of how the reply ended, beside the reason.
    package var finishMessage: String?
    /// How long the server says its own work took.
    package var timings: ServerTimings?

    /// Nothing known.
    package init() {}

    /// True while it holds no finish reason that a server sent, no counts and no refusal.
    var isEmpty: Bool {
        guard usage == nil, refusal == nil, finishReasonRaw?.isEmpty ?? true else { return false }
        return switch finishReason {
        case nil, .stop, .other: true
        default: false
        }
    }

    /// Takes the names that a document bears. Those beside the first output count; heartbeats may bear any
    /// (oMLX: "keepalive").
    /// - Parameter isOutput: whether the first output has come with this document.
    mutating func take(id: JSONNode?, model: JSONNode?, isOutput: Bool) {
        if id != nil, self.id == nil || isOutput, let id = id?.string, !id.isEmpty { self.id = id }
        if model != nil, self.model == nil || isOutput, let model = model?.string, !model.isEmpty { self.model = model }
    }
}
